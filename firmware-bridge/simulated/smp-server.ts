import { concatBytes } from "../../attest/bytes.ts";
import { decodeSmpMap, encodeSmpMap, type SmpMap, smpMap } from "../smp/cbor.ts";
import { crc16Xmodem } from "../smp/crc16.ts";
import { ANSWER_OF, decodeMessage, encodeMessage, type SmpMessage } from "../smp/message.ts";

/** One request to a group. */
export interface GroupRequest {
  readonly operation: "read" | "write";
  readonly command: number;
  readonly fields: SmpMap;
}

/** An error of a group, and what the original protocol calls it. */
export interface GroupError {
  readonly rc: number;
  readonly commonRc: number;
}

/** Answers the commands of one group: with fields, with an error, or not at all, where the power is gone. */
export type GroupHandler = (request: GroupRequest) => SmpMap | GroupError | undefined;

export interface SmpServerOptions {
  readonly groups: ReadonlyMap<number, GroupHandler>;
  /** Of the one buffer that a message is put together in, with its length and CRC. */
  readonly bufferBytes: number;
  readonly indefiniteMaps: boolean;
  /** As MCUboot answers: success says `rc: 0`, and errors have no group whatever the version. */
  readonly original: boolean;
}

const RC = { invalid: 3, notSupported: 8 } as const;

const MAX_LINE_BYTES = 128;
const LINE_DATA_BYTES = 93;

/**
 * The receiving and answering end of SMP on a console, as firmware does it: line by line, silent on whatever is no
 * message. Written after zephyrproject-rtos/zephyr subsys/mgmt/mcumgr/transport/src/serial_util.c, commit 0dc6d2d, and
 * drivers/console/uart_mcumgr.c, commit 0183d02, and not after the client's framing.
 */
export class SmpServer {
  readonly #options: SmpServerOptions;
  #line: number[] = [];
  #ignoring = false;
  #packet: Uint8Array | undefined;

  constructor(options: SmpServerOptions) {
    this.#options = options;
  }

  /** Messages that are whole now. */
  receive(bytes: Uint8Array): readonly SmpMessage[] {
    const messages: SmpMessage[] = [];
    for (const byte of bytes) {
      const message = byte === 0x0a ? this.#endLine() : undefined;
      if (message !== undefined) messages.push(message);
      if (byte !== 0x0a) this.#inLine(byte);
    }
    return messages;
  }

  /** What a reset forgets. */
  forget(): void {
    this.#line = [];
    this.#ignoring = false;
    this.#packet = undefined;
  }

  /** The answer; undefined where there is none. */
  answer(message: SmpMessage): SmpMessage | undefined {
    const { operation, group, command, version } = message;
    if (operation !== "read" && operation !== "write") return undefined;
    const fields = this.#answered({ operation, command, fields: message.body }, group, version);
    if (fields === undefined) return undefined;
    const body = encodeSmpMap(fields, this.#options.indefiniteMaps ? "indefinite" : "definite");
    return { ...message, operation: ANSWER_OF[operation], body };
  }

  #answered(
    request: Omit<GroupRequest, "fields"> & { readonly fields: Uint8Array },
    group: number,
    version: 1 | 2,
  ): SmpMap | undefined {
    const handler = this.#options.groups.get(group);
    if (handler === undefined) return smpMap({ rc: RC.notSupported });
    const fields = readFields(request.fields);
    if (fields === undefined) return smpMap({ rc: RC.invalid });
    const answer = handler({ ...request, fields });
    if (answer === undefined) return undefined;
    if ("rc" in answer) return errorFields(answer, group, this.#options.original ? 1 : version);
    return this.#options.original ? new Map([["rc", 0], ...answer]) : answer;
  }

  #inLine(byte: number): void {
    if (this.#line.length >= MAX_LINE_BYTES) this.#ignoring = true;
    else this.#line.push(byte);
  }

  #endLine(): SmpMessage | undefined {
    const line = Uint8Array.from(this.#line);
    const ignored = this.#ignoring || line.length < 2;
    this.#line = [];
    this.#ignoring = false;
    return ignored ? undefined : this.#fragment((line[0] ?? 0) * 256 + (line[1] ?? 0), line.subarray(2));
  }

  #fragment(marker: number, base64: Uint8Array): SmpMessage | undefined {
    if (marker === 0x0609) this.#packet = new Uint8Array(0);
    else if (marker !== 0x0414 || this.#packet === undefined) return undefined;
    const decoded = Buffer.from(Buffer.from(base64).toString("latin1"), "base64");
    const packet = concatBytes(this.#packet, decoded);
    this.#packet = packet.length > this.#options.bufferBytes ? undefined : packet;
    const length = (packet[0] ?? 0) * 256 + (packet[1] ?? 0);
    if (this.#packet === undefined || packet.length < length + 2) return undefined;
    this.#packet = undefined;
    if (packet.length > length + 2) return undefined;
    return readMessage(packet.subarray(2));
  }
}

/** As Zephyr sends: a CRC is never split, so that the last but one line may be shorter than it could be. */
export function consoleLines(message: SmpMessage, crcError = 0): Uint8Array[] {
  const bytes = encodeMessage(message);
  const crc = crc16Xmodem(bytes) ^ crcError;
  const length = bytes.length + 2;
  const rest = [length >> 8, length & 0xff, ...bytes];
  const lines: Uint8Array[] = [];
  for (let marker = [0x06, 0x09]; ; marker = [0x04, 0x14]) {
    const last = rest.length + 2 <= LINE_DATA_BYTES;
    const whole = rest.length > LINE_DATA_BYTES ? LINE_DATA_BYTES : LINE_DATA_BYTES - 3;
    const piece = last ? [...rest, crc >> 8, crc & 0xff] : rest.splice(0, whole);
    lines.push(Uint8Array.from([...marker, ...Buffer.from(Buffer.from(piece).toString("base64")), 0x0a]));
    if (last) return lines;
  }
}

function readMessage(content: Uint8Array): SmpMessage | undefined {
  // The CRC of a message and its own CRC is 0.
  if (content.length < 2 || crc16Xmodem(content) !== 0) return undefined;
  try {
    return decodeMessage(content.subarray(0, content.length - 2));
  } catch {
    return undefined;
  }
}

function readFields(body: Uint8Array): SmpMap | undefined {
  try {
    return decodeSmpMap(body);
  } catch {
    return undefined;
  }
}

function errorFields({ rc, commonRc }: GroupError, group: number, version: 1 | 2): SmpMap {
  if (version === 1) return smpMap({ rc: commonRc });
  return smpMap({ err: smpMap({ group, rc }) });
}
