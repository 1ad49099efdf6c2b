import { type DlmsSpeakerSettings, dlmsSpeaker } from "../../../drivers/simulated/dlms-telegram.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";

/** What the simulated meters of these tests show. */
export const SHOWN: ShownByMeter = {
  serial: "30471106",
  ...{ importT1Mwh: 12_345_678, importT2Mwh: 98_765_432, exportT1Mwh: 1_000_500, exportT2Mwh: 0 },
  activePowerMw: -1_234_567,
  timeMs: Date.UTC(2026, 6, 1, 12, 20, 30),
  ...{ voltageMv: [230_100, 231_200, 229_900], currentMa: [1_780, 1_790, 1_800], frequencyMhz: 50_000 },
};

/** The one telegram in which a simulated meter says it. */
export function speak(settings: DlmsSpeakerSettings, shown: ShownByMeter = SHOWN): Uint8Array {
  const [bytes = new Uint8Array(0)] = dlmsSpeaker(settings).telegrams(shown);
  return bytes;
}
