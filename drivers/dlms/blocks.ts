import { Problem } from "../../attest/problem.ts";
import { AxdrReader } from "./axdr.ts";

/** general-block-transfer (IEC 62056-5-3). */
export const GENERAL_BLOCK_TRANSFER = 0xe0;
const LAST_BLOCK = 0x80;

/** Is this a block that others follow? Each block has a frame of its own. */
export function expectsBlock(information: Uint8Array): boolean {
  const [tag, control] = information;
  return tag === GENERAL_BLOCK_TRANSFER && control !== undefined && (control & LAST_BLOCK) === 0;
}

/**
 * The APDU that blocks carry (IEC 62056-5-3, general-block-transfer), as Landis+Gyr's E450 pushes it:
 *
 *     E0  control 1  block number 2  acknowledged number 2  length  part of the APDU
 *
 * @throws Problem `dlms-block` where one is missing, out of order or behind the last, `dlms-length`, `dlms-truncated`
 */
export function joinBlocks(apdu: Uint8Array): Uint8Array {
  const reader = new AxdrReader(apdu);
  const parts: Uint8Array[] = [];
  let last = false;
  while (!last) {
    if (reader.peek() !== GENERAL_BLOCK_TRANSFER) throw misplaced(reader, parts.length + 1, "none");
    reader.byte();
    last = (reader.byte() & LAST_BLOCK) !== 0;
    const number = Number(reader.unsigned(2));
    if (number !== parts.length + 1) throw misplaced(reader, parts.length + 1, String(number));
    reader.take(2);
    parts.push(reader.take(reader.length()));
  }
  reader.requireEnd();
  return new Uint8Array(Buffer.concat(parts));
}

function misplaced(reader: AxdrReader, expected: number, got: string): Problem {
  return new Problem("dlms-block", "a block of the telegram is missing", {
    where: `offset ${reader.offset}`,
    expected: `block ${expected}`,
    got,
  });
}
