import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HexReader } from "../../../agent/cli/decode-hex.ts";

function read(text: string, pieceLength = text.length + 1): number[] {
  const reader = new HexReader();
  const bytes: number[] = [];
  const raw = Buffer.from(text);
  for (let at = 0; at < raw.length; at += pieceLength)
    bytes.push(...reader.push(raw.subarray(at, at + pieceLength)));
  reader.end();
  return bytes;
}

describe("hexadecimal text", () => {
  it.each([
    ["1b1B", [0x1b, 0x1b]],
    ["68 03\r\n03 68", [0x68, 3, 3, 0x68]],
    ["7E:A1:E9", [0x7e, 0xa1, 0xe9]],
    ["0x7e, 0xA0,0x79", [0x7e, 0xa0, 0x79]],
    ["0x00 00", [0, 0]],
    ["# a meter, 0xZZ\n 10 5b # REQ_UD2 \n01", [0x10, 0x5b, 1]],
    ["\uFEFFff\n", [0xff]],
    ["", []],
  ])("%j is bytes in one piece and in single characters", (text, expected) => {
    expect(read(text)).toEqual(expected);
    expect(read(text, 1)).toEqual(expected);
  });

  it.each([
    ["7e\n7g", "line 2"],
    ["7e 7 e", "line 1"],
    ["7e\n\n7", "line 3"],
    ["x7e", "line 1"],
    ["1x7e", "line 1"],
    ["7e 7#\n", "line 1"],
    ["7e 0x", "line 1"],
    ["0x\n7e", "line 1"],
    ["0x0x7e", "line 1"],
    ["0x7 e", "line 1"],
  ])("%j is refused with its line", (text, where) => {
    for (const piece of [1, 100])
      expect(() => read(text, piece)).toThrow(
        expect.objectContaining({ code: "decode-hex", detail: expect.objectContaining({ where }) }),
      );
  });

  it("is whatever bytes were written as", () => {
    const between = fc.constantFrom("", " ", "\n", ":", ", 0x", " # said\n");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), between)),
        fc.integer({ min: 1, max: 9 }),
        (parts, piece) => {
          const text = parts.map(([byte, gap]) => byte.toString(16).padStart(2, "0") + gap).join("");
          // A prefix at the very end begins a byte that never comes.
          fc.pre(!text.endsWith("x"));
          expect(read(text, piece)).toEqual(parts.map(([byte]) => byte));
        },
      ),
    );
  });
});
