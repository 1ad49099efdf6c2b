import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MbusFramer } from "../../../drivers/mbus/framing.ts";
import { answer, bytes, cut, frames, join, refusals } from "./kit.ts";

const ENERGY = answer("04 03 FA 04 00 00");
const ENERGY_HEX = Buffer.from(ENERGY).toString("hex");
const REQUEST = bytes("10 5B FE 59 16");

describe("the frames of a wired M-Bus line", () => {
  it("are acknowledgement, short, control and long", () => {
    const control = bytes("68 03 03 68 53 FE BD 0E 16");
    const stream = join(bytes("E5"), REQUEST, control, ENERGY);
    const found = cut(stream).map(({ kind, offset }) => [kind, offset]);
    expect(found).toEqual([
      ["telegram", 0],
      ["telegram", 1],
      ["telegram", 6],
      ["telegram", 15],
    ]);
  });

  it.for([
    ["a checksum that is wrong", (at: number) => at === ENERGY.length - 2, "mbus-checksum"],
    ["another end", (at: number) => at === ENERGY.length - 1, "mbus-stop"],
    ["lengths that differ", (at: number) => at === 2, "mbus-length"],
  ] as const)("%s is refused where the frame began, and the next is found", ([, hit, code]) => {
    const damaged = ENERGY.map((byte, at) => (hit(at) ? byte ^ 0x02 : byte));
    const stream = join(bytes("00 00"), damaged, ENERGY);
    expect(refusals(stream)).toEqual([[2, code]]);
    expect(frames(stream)).toEqual([ENERGY_HEX]);
  });

  it("with a length below three is refused", () => {
    expect(refusals(bytes("68 02 02 68 08 01 09 16"))).toEqual([[0, "mbus-length"]]);
  });

  it("are refused when they look like a short one and have another checksum", () => {
    expect(refusals(bytes("10 5B FE 58 16"))).toEqual([[0, "mbus-checksum"]]);
  });

  it("are refused when the line ends within one, at every byte", () => {
    for (let length = 1; length < ENERGY.length; length += 1) {
      expect(refusals(ENERGY.subarray(0, length))).toEqual([[0, "mbus-truncated"]]);
    }
  });

  it("are found although a false beginning announces more bytes than there are", () => {
    const stream = join(bytes("68 F0 F0 68"), ENERGY, ENERGY);
    expect(frames(stream)).toEqual([ENERGY_HEX, ENERGY_HEX]);
    expect(refusals(stream)).toEqual([[0, "mbus-truncated"]]);
  });

  it("that are damaged hold no acknowledgement, whatever their data is", () => {
    const damaged = answer("0C 78 E5 E5 E5 E5").map((byte, at) => (at === 20 ? byte ^ 1 : byte));
    expect(cut(join(damaged, bytes("E5"))).map(({ kind }) => kind)).toEqual(["refused", "telegram"]);
  });

  it("are found again behind one with any single bit flipped, which is never taken for whole", () => {
    for (let bit = 0; bit < ENERGY.length * 8; bit += 1) {
      const damaged = ENERGY.map((byte, at) => (at === bit >>> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(frames(join(damaged, ENERGY))).toEqual([ENERGY_HEX]);
    }
  });

  it("come out the same for any bytes, cut anyhow", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(ENERGY, REQUEST, bytes("E5"), bytes("68"), bytes("68 68 68 68"), ENERGY.subarray(0, 9)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 70 }), (pieces, size) => {
        const stream = join(...pieces);
        expect(cut(stream, size)).toEqual(cut(stream));
        expect(cut(stream, 1)).toEqual(cut(stream));
      }),
    );
  });

  it.each([0x68, 0x10, 0x00, 0xff])("do not pile up in an endless stream of %i", (byte) => {
    const framer = new MbusFramer();
    const chunk = new Uint8Array(4096).fill(byte);
    let refused = 0;
    for (let n = 0; n < 16; n += 1) refused += framer.push(chunk).length;
    expect(refused).toBeLessThanOrEqual((16 * 4096) / 100);
    expect(
      framer.push(join(new Uint8Array(300), ENERGY)).filter(({ kind }) => kind === "telegram"),
    ).toHaveLength(1);
    expect(framer.end()).toEqual([]);
  });
});
