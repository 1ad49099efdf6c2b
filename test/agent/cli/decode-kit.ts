import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";

/** What a meter shows whose telegrams are decoded. */
export const SHOWN: ShownByMeter = {
  serial: "30471106",
  importT1Mwh: 1_234_560_000,
  importT2Mwh: 0,
  exportT1Mwh: 3_210_000,
  exportT2Mwh: 0,
  activePowerMw: 1_500_000,
  timeMs: Date.UTC(2026, 6, 15, 12),
  voltageMv: [230_000],
  currentMa: [6_500],
  frequencyMhz: 50_000,
};
