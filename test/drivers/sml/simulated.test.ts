import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { READING_STATUS } from "../../../attest/reading.ts";
import { type SmlSpeakerSettings, smlSpeaker } from "../../../drivers/simulated/sml-telegram.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import { meterTelegram } from "../../../drivers/sml/protocol.ts";
import type { MeterTelegram } from "../../../drivers/telegram/protocol.ts";
import { telegrams } from "../telegram/framed.ts";
import { frame } from "./kit.ts";
import { anySettings, anyShown, SHOWN } from "./shown.ts";

function said(shown: ShownByMeter, settings: SmlSpeakerSettings = {}): MeterTelegram {
  const [bytes = new Uint8Array()] = smlSpeaker(settings).telegrams(shown);
  const telegram = meterTelegram(bytes);
  if (telegram === undefined) throw new Error("a file without a list");
  return telegram;
}

/** Cut towards zero to whole steps. */
function cut(value: number, step: number): number {
  return Math.trunc(value / step) * step + 0;
}

describe("simulated SML meter", () => {
  it("says who it is, what it counts and which way the power flows", () => {
    expect(said(SHOWN)).toEqual({
      identity: { make: "KWS", model: "", serial: "1 KWS00 1234 5678", firmware: "" },
      channels: [
        {
          name: "grid",
          role: "grid",
          quantities: ["import", "export", "power"],
          resolutionMwh: 100,
          signSource: expect.stringContaining("16.7.0"),
          signVerified: true,
        },
      ],
      readings: [
        {
          channel: "grid",
          importMwh: 2_375_582_300,
          exportMwh: 17_003_000,
          activePowerMw: -1_234_560,
          voltageMv: [229_900, 229_200, 222_900],
          currentMa: [120, 0, 5_370],
          frequencyMhz: 49_900,
          resolutionMwh: 100,
        },
      ],
      absent: [],
    });
  });

  it("shows whole kWh and no power while it is locked, and says so", () => {
    const { channels, readings, absent } = said(SHOWN, { locked: true });
    expect(readings).toEqual([
      { channel: "grid", importMwh: 2_375_000_000, exportMwh: 17_000_000, resolutionMwh: 1_000_000 },
    ]);
    expect(channels[0]).toMatchObject({ quantities: ["import", "export"], resolutionMwh: 1_000_000 });
    expect(absent).toEqual([expect.stringContaining("locked")]);
  });

  it("reads back what any meter shows, cut to the digits that it sends", () => {
    fc.assert(
      fc.property(anyShown, anySettings, (shown, settings) => {
        const [reading] = said(shown, settings).readings;
        const step = settings.locked ? 1_000_000 : 100;
        const [t1, t2] = [cut(shown.importT1Mwh, step), cut(shown.importT2Mwh, step)];
        const importMwh = settings.tariffs ? t1 + t2 : cut(shown.importT1Mwh + shown.importT2Mwh, step);
        expect(reading?.importMwh).toBe(importMwh);
        expect(reading?.activePowerMw).toBe(settings.locked ? undefined : cut(shown.activePowerMw, 10));
        expect(reading?.voltageMv).toEqual(
          settings.locked ? undefined : shown.voltageMv.map((value) => cut(value, 100)),
        );
        expect(reading?.meterTimeMs).toBe(settings.clock === "utc" ? cut(shown.timeMs, 1_000) : undefined);
        expect(reading?.status).toBe(settings.tariffs ? READING_STATUS.tariffSum : undefined);
      }),
      { numRuns: 300 },
    );
  });

  it("makes a telegram that a wrong checksum spoils", () => {
    fc.assert(
      fc.property(anyShown, anySettings, (shown, settings) => {
        const speaker = smlSpeaker(settings);
        const [bytes = new Uint8Array()] = speaker.telegrams(shown);
        const wrong = speaker.withWrongChecksum(bytes) ?? bytes;
        expect(wrong.filter((byte, at) => byte !== bytes[at])).toHaveLength(1);
        expect(telegrams(frame(bytes))).toEqual([bytes]);
        expect(telegrams(frame(wrong))).toEqual([]);
      }),
      { numRuns: 100 },
    );
    expect(smlSpeaker().withWrongChecksum(new Uint8Array(40))).toBeUndefined();
  });
});
