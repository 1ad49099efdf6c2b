import { describe, expect, it } from "vitest";
import { QualityGate } from "../../../agent/quality/gate.ts";
import { type SampleSink, startSampling } from "../../../agent/sampling/sampler.ts";
import type { Problem } from "../../../attest/problem.ts";
import { driverCatalogue } from "../../../drivers/catalogue.ts";
import type { ChannelDescription, MeterIdentity, Snapshot } from "../../../drivers/driver.ts";
import type { P1Fault } from "../../../drivers/simulated/p1-faults.ts";
import { startP1Meter } from "../../../drivers/simulated/p1-meter.ts";
import { startSunSpecInverter } from "../../../drivers/simulated/sunspec-device.ts";
import { until } from "../../drivers/line/kit.ts";
import { closeLater } from "../../kit/close-later.ts";
import { Record } from "./kit.ts";

/** Judges as the agent does and keeps what may be sealed. */
class Gated implements SampleSink {
  readonly imported: number[] = [];
  readonly exported: number[] = [];
  readonly verdicts: string[] = [];
  readonly failures: string[] = [];
  readonly serials: string[] = [];
  #gates = new Map<string, QualityGate>();

  identified(_device: string, identity: MeterIdentity, channels: readonly ChannelDescription[]): void {
    this.serials.push(identity.serial);
    this.#gates = new Map(channels.map((channel) => [channel.name, new QualityGate(channel)]));
  }

  take(_device: string, { readings }: Snapshot): { readonly reread: boolean } {
    const kinds = readings.map((reading) => {
      const verdict = this.#gates.get(reading.channel)?.judge(reading, performance.now());
      if (verdict?.kind === "accept" || verdict?.kind === "discontinuity") {
        this.imported.push(...[verdict.reading.importMwh ?? []].flat());
        this.exported.push(...[verdict.reading.exportMwh ?? []].flat());
      }
      this.verdicts.push(verdict?.kind ?? "no gate");
      return verdict?.kind;
    });
    return { reread: kinds.includes("hold") };
  }

  failed(_device: string, problem: Problem): void {
    this.failures.push(problem.code);
  }
}

function sample(driver: string, options: Readonly<{ [key: string]: unknown }>) {
  const definition = driverCatalogue.find(driver);
  const sink = new Gated();
  const logger = new Record();
  const device = { id: "d", definition, options: definition.schema.parse(options), intervalMs: 100 };
  const sampling = startSampling({ device, sink, logger, random: () => 0.01 });
  closeLater({ close: () => sampling.stop() });
  return { sink, logger, sampling };
}

describe("a sampled P1 meter", () => {
  it("is read through faults, a hang-up and one impossible telegram", async () => {
    let sent = 0;
    const state = () => {
      sent += 1;
      const spike = sent % 20 === 10 ? 53_000_000_000 : 0;
      return {
        serial: "E0044007882246019",
        importT1Mwh: 2_130_115_000 + sent * 1000 + spike,
        importT2Mwh: 245_467_000,
        exportT1Mwh: 17_003_000,
        exportT2Mwh: 0,
        activePowerMw: 1_234_000,
        timeMs: Date.UTC(2026, 6, 1, 12) + sent * 1000,
        voltageMv: [229_900],
        currentMa: [5_370],
      };
    };
    const fault = (): P1Fault | undefined => (sent % 7 === 3 ? "wrong-checksum" : undefined);
    const meter = await startP1Meter({ host: "127.0.0.1", port: 0, periodMs: 40, state, fault });
    closeLater(meter);
    const { sink, logger } = sample("dsmr-p1", { line: `tcp://127.0.0.1:${meter.port}` });
    await until("a spike that was held", () => sink.verdicts.includes("hold"));
    await until("a good telegram after it", () => sink.verdicts.at(-1) === "accept");
    const before = sink.verdicts.length;
    meter.hangUp();
    await until("telegrams after the hang-up", () => sink.verdicts.length > before + 5);
    expect(sink.imported).toEqual([...sink.imported].sort((a, b) => a - b));
    expect(Math.max(...sink.imported)).toBeLessThan(53_000_000_000);
    expect(sink.failures).toEqual(expect.arrayContaining(["dsmr-checksum", "line-closed"]));
    expect(logger.events.filter((event) => event === "device-offline")).toHaveLength(1);
    expect(sink.verdicts).not.toContain("discontinuity");
  });
});

describe("a sampled SunSpec inverter", () => {
  it("is read through one zero, and a reset is seen as one", async () => {
    let exportMwh = 12_345_678_000;
    let zeros = 0;
    const state = () => {
      zeros -= 1;
      return { serial: "PV-1", exportMwh: zeros >= 0 ? 1000 : exportMwh, activePowerMw: -4_321_000 };
    };
    const device = await startSunSpecInverter({ port: 0, state });
    closeLater(device);
    const { sink, sampling } = sample("sunspec", { host: device.host, port: device.port });
    await until("a reading", () => sink.exported.length >= 3);
    zeros = 1;
    await until("a doubt", () => sink.verdicts.includes("hold"));
    await until("a good reading", () => sink.verdicts.at(-1) === "accept");
    expect(new Set(sink.exported)).toEqual(new Set([12_345_678_000]));
    exportMwh = 5000;
    await until("a discontinuity", () => sink.verdicts.includes("discontinuity"));
    await until("a reading after it", () => sink.verdicts.at(-1) === "accept");
    expect(new Set(sink.exported)).toEqual(new Set([12_345_678_000, 5000]));
    expect(sink.verdicts.filter((kind) => kind === "discontinuity")).toHaveLength(1);
    expect(sampling.statistics().rereads).toBeGreaterThanOrEqual(4);
  });

  it("that is replaced by another one is identified again", async () => {
    let serial = "PV-1";
    const state = () => ({ serial, exportMwh: 1_000_000, activePowerMw: -1_000_000 });
    const first = await startSunSpecInverter({ port: 0, state });
    closeLater(first);
    const { sink } = sample("sunspec", { host: first.host, port: first.port, timeoutMs: 200 });
    await until("a reading", () => sink.verdicts.length > 0);
    await first.close();
    serial = "PV-2";
    closeLater(await startSunSpecInverter({ port: first.port, state }));
    await until("the other identity", () => sink.serials.length > 1);
    expect(sink.serials).toEqual(["PV-1", "PV-2"]);
    const before = sink.verdicts.length;
    await until("its readings", () => sink.verdicts.length > before + 2);
  });
});
