import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { nativeSuite } from "../../attest/native.ts";
import { dlmsProtocol } from "../../drivers/dlms/protocol.ts";
import type { PolledMeter, Snapshot } from "../../drivers/driver.ts";
import { iec62056Protocol } from "../../drivers/iec62056/protocol.ts";
import { dlmsSpeaker } from "../../drivers/simulated/dlms-telegram.ts";
import type { ShownByMeter } from "../../drivers/simulated/speaking.ts";
import type { MeterTelegram, TelegramProtocol } from "../../drivers/telegram/protocol.ts";
import type { AuditedLeaf, Judgement } from "../../network/audit/audit-record.ts";
import { judgeFrame } from "../../network/audit/judge.ts";
import { forged, LIBRARY, SealedMeter } from "./audit-kit.ts";

const SHOWN: ShownByMeter = {
  ...{ serial: "30471106", importT1Mwh: 1_234_560_000, importT2Mwh: 2_000_010_000 },
  ...{ exportT1Mwh: 3_210_000, exportT2Mwh: 0, activePowerMw: 1_500_000 },
  ...{ timeMs: Date.UTC(2026, 6, 15, 12), frequencyMhz: 50_000 },
  ...{ voltageMv: [230_000, 231_000, 229_000], currentMa: [2_000, 2_100, 2_200] },
};

/** A meter that says the same telegram whenever it is asked, and three times before it is known. */
function repeating(protocol: TelegramProtocol, bytes: Uint8Array): PolledMeter {
  const say = (): MeterTelegram => protocol.decode(bytes) ?? expect.fail("no reading");
  const [, , telegram] = [say(), say(), say()];
  const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
  return {
    mode: "polled",
    identify: async () => telegram.identity ?? expect.fail("no name"),
    channels: () => telegram.channels,
    read: async (): Promise<Snapshot> => ({
      readings: say().readings.map(({ resolutionMwh: _, ...reading }) => ({ ...reading, evidence: digest })),
      ...{ flexibility: [], absent: [], frames: [{ digest, bytes, what: protocol.what }] },
    }),
    close: async () => undefined,
  };
}

async function sealed(
  driver: string,
  meter: PolledMeter,
): Promise<{ readonly leaf: AuditedLeaf; judge(leaf: AuditedLeaf): Judgement }> {
  const log = await new SealedMeter(driver, meter).open();
  await log.read();
  const [leaf = expect.fail("no leaf")] = log.audited();
  const bytes = log.frameOf(leaf);
  return { leaf, judge: (one) => judgeFrame(one, bytes, { suite: nativeSuite, profiles: LIBRARY }) };
}

describe("leaves of DLMS lists without units", () => {
  it.each([1, 10])("are judged by the step of %i Wh that their manifest says", async (registerStepWh) => {
    const [bytes = expect.fail("no telegram")] = dlmsSpeaker({
      layout: "kamstrup",
      framing: "hdlc",
    }).telegrams(SHOWN);
    const { leaf, judge } = await sealed("dlms-push", repeating(dlmsProtocol({ registerStepWh }), bytes));
    expect(leaf.manifest.resolutionMwh).toBe(registerStepWh * 1_000);
    expect(judge(leaf)).toEqual({ verdict: "matches", detail: "" });
    const tenfold = forged(leaf, { importMwh: (leaf.leaf.importMwh ?? 0) * 10 });
    expect(judge(tenfold)).toMatchObject({ verdict: "differs", difference: { value: "importMwh" } });
    const { resolutionMwh: _, ...unsaid } = leaf.manifest;
    expect(judge({ ...leaf, manifest: unsaid })).toMatchObject({
      verdict: "cannot-decode",
      detail: expect.stringContaining("registerStepWh"),
    });
  });
});

describe("leaves of readouts without units", () => {
  it("may be in Wh or kWh, and in nothing else", async () => {
    const bytes = new Uint8Array(
      Buffer.from("/KWT5SIM\r\n\r\n1-0:0.0.0*255(123)\r\n1-0:1.8.0*255(000123.456)\r\n!\r\n", "latin1"),
    );
    const { leaf, judge } = await sealed(
      "iec62056-21",
      repeating(iec62056Protocol({ registerUnit: "Wh" }), bytes),
    );
    expect(leaf.leaf.importMwh).toBe(123_456);
    expect(judge(leaf)).toMatchObject({
      verdict: "cannot-decode",
      detail: expect.stringMatching(/importMwh.*123456000.*123456;.*registerUnit/),
    });
    expect(judge(forged(leaf, { importMwh: 123_456_000 })).verdict).toBe("matches");
    expect(judge(forged(leaf, { importMwh: 123_457 }))).toMatchObject({
      verdict: "differs",
      difference: { value: "importMwh" },
    });
  });
});
