import { Problem } from "../../attest/problem.ts";

/** What a message asks or answers; the number on the wire is the place in {@link OPERATIONS}. */
export type SmpOperation = "read" | "readAnswer" | "write" | "writeAnswer";

/** Groups of commands; from 64 on they are an application's own. */
export const GROUP = { os: 0, image: 1, statistics: 2, application: 64 } as const;

/** One message of the Simple Management Protocol. */
export interface SmpMessage {
  /** 2: errors come with their group. 1: the original protocol, errors are one number. */
  readonly version: 1 | 2;
  readonly operation: SmpOperation;
  readonly group: number;
  /** Chosen by who asks, 0 to 255; the answer repeats it. */
  readonly sequence: number;
  readonly command: number;
  /** CBOR. */
  readonly body: Uint8Array;
}

export const HEADER_BYTES = 8;

const OPERATIONS: readonly SmpOperation[] = ["read", "readAnswer", "write", "writeAnswer"];

/** Which answer belongs to which request. */
export const ANSWER_OF = { read: "readAnswer", write: "writeAnswer" } as const;

/**
 * Draws up a message, big-endian:
 *
 *     bits 7..5 reserved, 0 | bits 4..3 version - 1 | bits 2..0 operation
 *     flags, 0              | u16 length of the body
 *     u16 group             | sequence | command
 *     body
 *
 * Source: zephyrproject-rtos/zephyr doc/services/device_mgmt/smp_protocol.rst, commit 06758ff.
 */
export function encodeMessage(message: SmpMessage): Uint8Array {
  const { version, operation, group, sequence, command, body } = message;
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, firstByteOf({ version, operation }));
  view.setUint16(2, body.length);
  view.setUint16(4, group);
  view.setUint8(6, sequence);
  view.setUint8(7, command);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** Of the header: what a console shows of version and operation. */
export function firstByteOf({ version, operation }: Pick<SmpMessage, "version" | "operation">): number {
  return ((version - 1) << 3) | OPERATIONS.indexOf(operation);
}

/**
 * Reads a message that fills `bytes`. The flags are not looked at: none is defined.
 *
 * @throws Problem `smp-header`
 */
export function decodeMessage(bytes: Uint8Array): SmpMessage {
  if (bytes.length < HEADER_BYTES)
    throw badHeader("length", `at least ${HEADER_BYTES} bytes`, String(bytes.length));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint8(0);
  const operation = OPERATIONS[first & 7];
  const version = (first >> 3) + 1;
  if (operation === undefined) throw badHeader("operation", "0 to 3", String(first & 7));
  if (version !== 1 && version !== 2) throw badHeader("version", "0 or 1", String(first >> 3));
  const length = view.getUint16(2);
  if (length !== bytes.length - HEADER_BYTES)
    throw badHeader("length", `${bytes.length - HEADER_BYTES} bytes of body`, String(length));
  return {
    ...{ version, operation, group: view.getUint16(4), sequence: view.getUint8(6) },
    ...{ command: view.getUint8(7), body: bytes.slice(HEADER_BYTES) },
  };
}

function badHeader(field: string, expected: string, got: string): Problem {
  return new Problem("smp-header", "not an SMP message", {
    ...{ where: `header: ${field}`, expected, got },
    hint: "its CRC is right, so that it came as it was sent: whoever writes the firmware needs this line",
  });
}
