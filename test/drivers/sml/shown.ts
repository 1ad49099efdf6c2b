import fc from "fast-check";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";

/** A two-tariff meter in summer: its roof gives more than the house takes. */
export const SHOWN: ShownByMeter = {
  serial: "0012345678",
  importT1Mwh: 2_130_115_300,
  importT2Mwh: 245_467_000,
  exportT1Mwh: 17_003_000,
  exportT2Mwh: 0,
  activePowerMw: -1_234_560,
  timeMs: Date.UTC(2026, 6, 1, 12, 0, 5),
  voltageMv: [229_900, 229_200, 222_900],
  currentMa: [120, 0, 5_370],
  frequencyMhz: 49_900,
};

const register = fc.integer({ min: 0, max: 999_999_000_000 });

/** Whatever a meter may show. */
export const anyShown: fc.Arbitrary<ShownByMeter> = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 99_999_999 }))
  .chain(([phases, serial]) =>
    fc.record({
      serial: fc.constant(String(serial)),
      importT1Mwh: register,
      importT2Mwh: register,
      exportT1Mwh: register,
      exportT2Mwh: register,
      activePowerMw: fc.oneof(
        fc.integer({ min: -100_000_000, max: 100_000_000 }),
        fc.integer({ min: -700_000, max: 700_000 }),
        fc.constant(0),
      ),
      timeMs: fc.integer({ min: Date.UTC(2010, 0, 1), max: Date.UTC(2099, 0, 1) }),
      voltageMv: fc.array(fc.integer({ min: 0, max: 260_000 }), { minLength: phases, maxLength: phases }),
      currentMa: fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: phases, maxLength: phases }),
      frequencyMhz: fc.integer({ min: 47_000, max: 52_000 }),
    }),
  );

export const anySettings: fc.Arbitrary<{
  readonly checksum: "x25" | "kermit";
  readonly locked: boolean;
  readonly tariffs: boolean;
  readonly clock: "index" | "utc";
}> = fc.record({
  checksum: fc.constantFrom("x25", "kermit"),
  locked: fc.boolean(),
  tariffs: fc.boolean(),
  clock: fc.constantFrom("index", "utc"),
});
