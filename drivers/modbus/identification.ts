import { Problem } from "../../attest/problem.ts";

/** Numbers of the objects that a device may name (Modbus Application Protocol v1.1b3, 6.21). */
export const IDENTIFICATION_OBJECTS = {
  vendorName: 0,
  productCode: 1,
  revision: 2,
  vendorUrl: 3,
  productName: 4,
  modelName: 5,
  userApplicationName: 6,
} as const;

/** How much of the identification is read: objects 0-2, 0-6, or the device's own as well. */
export type IdentificationAccess = "basic" | "regular" | "extended";

export const ACCESS_CODES: Readonly<Record<IdentificationAccess, number>> = {
  basic: 1,
  regular: 2,
  extended: 3,
};

/** One reply of Read Device Identification. */
export interface IdentificationPart {
  readonly objects: ReadonlyMap<number, string>;
  /** The object to go on with; undefined when that was all. */
  readonly next: number | undefined;
}

/** Reply of Report Server ID: what its bytes mean is the device's own affair (v1.1b3, 6.13). */
export interface ServerId {
  readonly bytes: Uint8Array;
}

const MORE_FOLLOWS = 0xff;
/** Unit, function, MEI type, access, conformity, more follows, next object, number of objects. */
const HEADER_BYTES = 8;

/** Reads a whole reply (unit, function, data, CRC) whose length has been checked against its objects. */
export function decodeIdentification(reply: Uint8Array): IdentificationPart {
  const objects = new Map<number, string>();
  let at = HEADER_BYTES;
  for (let left = reply[7] ?? 0; left > 0; left--) {
    const [object = 0, length = 0] = reply.subarray(at, at + 2);
    objects.set(object, textOf(reply.subarray(at + 2, at + 2 + length)));
    at += 2 + length;
  }
  return { objects, next: reply[5] === MORE_FOLLOWS ? reply[6] : undefined };
}

/** Reads a whole reply (unit, function, byte count, data, CRC) whose length has been checked. */
export function decodeServerId(reply: Uint8Array): ServerId {
  return { bytes: reply.slice(3, 3 + (reply[2] ?? 0)) };
}

/** Joins the parts that `read` gives, from object 0 on. Throws `modbus-malformed` when they do not come to an end. */
export async function readParts(
  where: string,
  read: (object: number) => Promise<IdentificationPart>,
): Promise<ReadonlyMap<number, string>> {
  const all = new Map<number, string>();
  let next: number | undefined = 0;
  while (next !== undefined) {
    const asked: number = next;
    const part = await read(asked);
    for (const [object, text] of part.objects) all.set(object, text);
    next = part.next;
    // A device that goes round in circles would otherwise be asked for ever.
    if (next !== undefined && next <= asked)
      throw new Problem("modbus-malformed", "device identification does not come to an end", {
        where,
        expected: `an object after ${asked}`,
        got: `object ${next}`,
      });
  }
  return all;
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder("utf-8").decode(end < 0 ? bytes : bytes.subarray(0, end)).trim();
}
