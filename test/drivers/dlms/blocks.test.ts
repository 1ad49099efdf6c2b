import { describe, expect, it } from "vitest";
import { joinBlocks } from "../../../drivers/dlms/blocks.ts";
import { decodeDlms } from "../../../drivers/dlms/telegram.ts";
import {
  cut,
  encipher,
  frame,
  hex,
  join,
  KEY,
  LIST,
  LLC,
  notification,
  problemOf,
  refusals,
  telegram,
  telegrams,
} from "./kit.ts";

const APDU = notification(LIST);

function block(part: Uint8Array, number: number, last: boolean): Uint8Array {
  return join(Uint8Array.of(0xe0, last ? 0xc0 : 0x40, 0, number, 0, 0, part.length), part);
}

/** Frames of blocks, the first with an LLC header. */
function blockFrames(apdu: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(apdu.length / size);
  return Array.from({ length: count }, (_, at) => {
    const part = block(apdu.subarray(at * size, (at + 1) * size), at + 1, at + 1 === count);
    return frame(join(hex(at === 0 ? LLC : ""), part), { addresses: "ce ff 03" });
  });
}

const [FIRST = APDU, SECOND = APDU, THIRD = APDU] = blockFrames(APDU, 32);

describe("general block transfer", () => {
  it.each([8, 32, 119])("of %i bytes a block makes the telegram that one frame makes", (size) => {
    const stream = join(...blockFrames(APDU, size));
    for (const chunk of [1, 64, stream.length]) {
      const [found = APDU, ...more] = telegrams(cut(stream, chunk, true));
      expect(more).toEqual([]);
      expect(decodeDlms(found)).toEqual(decodeDlms(telegram(LIST)));
    }
  });

  it("carries encrypted telegrams", () => {
    const [found = APDU] = telegrams(cut(join(...blockFrames(encipher(APDU), 60))));
    expect(decodeDlms(found, { key: KEY }).values).toEqual(decodeDlms(APDU).values);
  });

  it.each([
    ["one is missing at the end", [FIRST, SECOND], "dlms-segment"],
    ["the first is missing", [SECOND, THIRD], "dlms-llc"],
    ["noise stands between", [FIRST, hex("55"), SECOND, THIRD], "dlms-segment"],
    ["another telegram begins", [FIRST, telegram(LIST)], "dlms-segment"],
  ])("is refused where %s", (_, parts, code) => {
    const outcomes = cut(join(...parts), 13, true);
    expect(refusals(outcomes).map(([found]) => found)).toContain(code);
    for (const bytes of telegrams(outcomes)) expect(bytes).toEqual(telegram(LIST));
  });

  it.each([
    ["one between is missing", [FIRST, THIRD]],
    ["one comes twice", [FIRST, SECOND, SECOND, THIRD]],
  ])("does not decode where %s", (_, parts) => {
    const [found = APDU] = telegrams(cut(join(...parts), 13, true));
    expect(problemOf(() => decodeDlms(found)).code).toBe("dlms-block");
  });

  it.each([
    ["bytes behind the last", join(block(APDU, 1, true), hex("00")), "dlms-trailing"],
    ["no last one", block(APDU, 1, false), "dlms-block"],
    ["a number that does not begin at 1", block(APDU, 2, true), "dlms-block"],
    ["less than it announces", block(APDU, 1, true).subarray(0, -1), "dlms-truncated"],
  ])("with %s is refused", (_, bytes, code) => {
    expect(problemOf(() => joinBlocks(bytes)).code).toBe(code);
    expect(problemOf(() => decodeDlms(bytes)).code).toBe(code);
  });
});
