import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeEvidence, MAX_FRAME_BYTES } from "../../../drivers/evidence/decode.ts";
import { ProfileLibrary } from "../../../drivers/evidence/profile-library.ts";
import { type RegisterRun, registerFrame, registerRuns } from "../../../drivers/evidence/register-frame.ts";
import { compiled } from "../profile/kit.ts";

const runs = fc.array(
  fc
    .record({
      table: fc.constantFrom("holding" as const, "input" as const),
      start: fc.integer({ min: 0, max: 65_000 }),
      registers: fc.uint16Array({ minLength: 1, maxLength: 125 }),
    })
    .map((run): RegisterRun => run),
  { maxLength: 8 },
);

/** Models that claim what they like, one behind the other. */
const chains = fc
  .array(
    fc.tuple(
      fc.constantFrom(1, 103, 113, 124, 160, 201, 213, 701, 704, 713, 714, 802, 803, 804, 64_001),
      fc.integer({ min: 0, max: 5000 }),
      fc.uint16Array({ maxLength: 120 }),
    ),
    { maxLength: 6 },
  )
  .map((models) => {
    let start = 40_000;
    return models.map(([id, length, rest]): RegisterRun => {
      const run = { table: "holding" as const, start, registers: Uint16Array.of(id, length, ...rest) };
      start += Math.min(length, 2000) + 2;
      return run;
    });
  });

describe("the form of register frames", () => {
  it("gives back what it was made of", () => {
    fc.assert(
      fc.property(runs, (some) => {
        expect(registerRuns(registerFrame(some).bytes)).toEqual(some);
      }),
    );
  });

  it("has no second form for anything", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const read = ((): readonly RegisterRun[] | undefined => {
          try {
            return registerRuns(bytes);
          } catch (thrown) {
            expect(thrown).toMatchObject({ code: "frame-form" });
            return undefined;
          }
        })();
        if (read !== undefined) expect(registerFrame(read).bytes).toEqual(bytes);
      }),
      {
        examples: [
          [Uint8Array.of(0, 3, 0, 7, 0, 1, 1, 2)],
          [Uint8Array.of(0, 3, 0, 7, 0, 0)],
          [new Uint8Array()],
        ],
      },
    );
  });
});

describe("a frame of anybody's", () => {
  const profile = compiled();
  const decoded = (bytes: Uint8Array): void => {
    for (const driver of ["dsmr-p1", "sunspec"])
      expect(Object.keys(decodeEvidence(driver, { make: "SolarEdge" }, bytes))).toHaveLength(1);
    expect(Object.keys(decodeEvidence("example", { make: "", profile }, bytes))).toHaveLength(1);
  };

  it("is decoded or refused with a reason, and never an exception", () => {
    const telegram = fc
      .string({ maxLength: 300 })
      .map((text) => Buffer.from(`/ISk5\\2MT\r\n\r\n${text}!\r\n`));
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      telegram.map((bytes) => new Uint8Array(bytes)),
      runs.map((some) => registerFrame(some).bytes),
      chains.map((some) => registerFrame(some).bytes),
    );
    fc.assert(fc.property(frames, decoded), { numRuns: 600 });
  });

  it("is not looked at when it is too long, of an unknown driver, or of another profile", () => {
    const reason = (driver: string, bytes: Uint8Array, own = true): string => {
      const frame = decodeEvidence(driver, own ? { make: "", profile } : { make: "" }, bytes);
      return "cannotDecode" in frame ? frame.cannotDecode : "decoded";
    };
    expect(reason("example", new Uint8Array(MAX_FRAME_BYTES + 1))).toMatch(/longer than/);
    expect(reason("no-such-driver", new Uint8Array(8), false)).toMatch(/no-such-driver/);
    const other = registerFrame([{ table: "input", start: 0, registers: new Uint16Array(19) }]);
    expect(reason("example", other.bytes)).toMatch(/not those that a reading/);
    expect(new ProfileLibrary().find(new Uint8Array(32))).toBeUndefined();
  });
});

describe("the snapshots of a reading", () => {
  const profile = compiled();
  const live = {
    table: "input",
    start: 0,
    registers: Uint16Array.from([1, 2, 3, 0, 6, 0, 9, 0, 7]),
  } as const;
  const whole = { ...live, registers: Uint16Array.from([...live.registers, ...new Uint16Array(11)]) };
  const ratios = { table: "holding", start: 200, registers: Uint16Array.of(250, 0) } as const;
  const extra = { table: "holding", start: 300, registers: Uint16Array.of(77, 0) } as const;
  /** Charge and power that a frame of these requests says. */
  const said = (...runs: readonly RegisterRun[]): unknown => {
    const { requests } = profile.plan(["live", "ratios", "extra"]);
    const fitting = runs.map((run) => {
      const request = requests.find(({ table, start }) => table === run.table && start === run.start);
      return { ...run, registers: run.registers.subarray(0, request?.count) };
    });
    const frame = decodeEvidence("example", { make: "", profile }, registerFrame(fitting).bytes);
    if ("cannotDecode" in frame) return "refused";
    return frame.channels.map(({ reading }) => reading.activePowerMw ?? reading.stateOfChargePpm);
  };

  it("shows which were read by its requests, and takes no others", () => {
    expect(said(whole, ratios, extra)).toEqual([6000, 770_000]);
    expect(said(whole, extra)).toEqual([6000, 770_000]);
    expect(said(whole, ratios)).toEqual([6000, undefined]);
    expect(said(whole)).toEqual([6000, undefined]);
    expect(said(ratios, extra)).toBe("refused");
    expect(said(whole, whole)).toBe("refused");
    expect(said()).toBe("refused");
  });
});
