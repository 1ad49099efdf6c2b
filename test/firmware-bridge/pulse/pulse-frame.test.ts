import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodePulseFrame,
  encodePulseFrame,
  type PulseFrame,
  readingOfFrame,
} from "../../../firmware-bridge/pulse/pulse-frame.ts";
import { STEADY_FRAME } from "./pulse-frames.ts";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function readingOf(text: string): ReturnType<typeof readingOfFrame> {
  return readingOfFrame(decodePulseFrame(bytesOf(text)));
}

const ns = fc.bigInt({ min: 1n, max: 10n ** 18n });
const frames: fc.Arbitrary<PulseFrame> = fc.record({
  input: fc.constantFrom("gpiochip0:17", "/dev/gpiochip4:0", "pinctrl-bcm2711:22"),
  role: fc.constantFrom("grid", "generation", "load"),
  direction: fc.constantFrom("import", "export"),
  constant: fc.record({ pulses: fc.integer({ min: 1, max: 99_999 }), kwh: fc.integer({ min: 1, max: 999 }) }),
  startMwh: fc.integer({ min: 0, max: 10 ** 15 - 1 }),
  count: fc.record(
    {
      count: fc.integer({ min: 0, max: 10 ** 9 }),
      atNs: ns,
      tooShort: fc.nat(),
      repeated: fc.nat(),
      recent: fc.record({ intervals: fc.integer({ min: 1, max: 16 }), spanNs: ns, lastNs: ns }),
    },
    { requiredKeys: ["count", "atNs", "tooShort", "repeated"] },
  ),
});

describe("a frame of counted pulses", () => {
  it("says register and power of a load", () => {
    // 3 Wh in 10.8 s are 1 kW, and 1 Wh in the 1.005 s since the last pulse would be more.
    expect(readingOf(STEADY_FRAME)).toEqual({
      channel: "load",
      importMwh: 1_239_211_000,
      activePowerMw: 1_000_000,
    });
  });

  it("says them of a generator with the other sign, in the other register", () => {
    const text = STEADY_FRAME.replace("load import", "generation export").replace("1000/1", "1000/3");
    expect(readingOf(text)).toEqual({
      channel: "generation",
      exportMwh: 1_248_633_000,
      activePowerMw: -3_000_000,
    });
  });

  it("says no power where none is known", () => {
    const text = STEADY_FRAME.replace(/recent.*\n/, "");
    expect(readingOf(text)).toEqual({ channel: "load", importMwh: 1_239_211_000 });
  });

  it("is what was encoded", () => {
    fc.assert(
      fc.property(frames, (frame) => {
        expect(decodePulseFrame(encodePulseFrame(frame))).toEqual(frame);
      }),
    );
  });

  it("is taken in one form only: another byte is another frame or none", () => {
    const bytes = bytesOf(STEADY_FRAME);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = bytes.map((byte, index) => (index === at ? byte ^ change : byte));
        let frame: PulseFrame;
        try {
          frame = decodePulseFrame(other);
        } catch (error) {
          expect(error).toMatchObject({ code: "pulse-frame" });
          return;
        }
        expect(encodePulseFrame(frame)).toEqual(other);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ["nothing", ""],
    ["a line more", `${STEADY_FRAME}\n`],
    ["a line less", STEADY_FRAME.replace(/ignored.*\n/, "")],
    ["a number with a zero before it", STEADY_FRAME.replace("count 4711", "count 04711")],
    ["no pulses in a kWh", STEADY_FRAME.replace("1000/1", "0/1")],
    ["no time between pulses", STEADY_FRAME.replace("10800000000", "0")],
  ])("is refused with %s", (_name, text) => {
    expect(() => decodePulseFrame(bytesOf(text))).toThrow(expect.objectContaining({ code: "pulse-frame" }));
  });

  it("is refused where the register is beyond what a reading carries", () => {
    const text = STEADY_FRAME.replace("start 1234500000", "start 9007199254740991");
    expect(() => readingOf(text)).toThrow(expect.objectContaining({ code: "pulse-register-range" }));
  });
});
