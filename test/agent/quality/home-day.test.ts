import { describe, expect, it } from "vitest";
import { QualityGate } from "../../../agent/quality/gate.ts";
import type { MeterReading } from "../../../attest/reading.ts";
import type { ChannelDescription } from "../../../drivers/driver.ts";
import { BATTERY, INVERTER_RATED_MW, SimulatedHome } from "../../../drivers/simulated/home.ts";
import { EVIDENCE, inShort } from "./kit.ts";

const DAY_MS = 86_400_000;
const SAMPLING_MS = 10_000;
const WH_IN_MWH = 1000;

const GRID: ChannelDescription = {
  ...{ name: "grid", role: "grid", resolutionMwh: WH_IN_MWH },
  quantities: ["import", "export", "power"],
};
const ROOF: ChannelDescription = {
  ...{ name: "roof", role: "generation", resolutionMwh: WH_IN_MWH, maxExportMw: INVERTER_RATED_MW },
  quantities: ["export", "power"],
};
const CELLAR: ChannelDescription = {
  ...{ name: "cellar", role: "storage", resolutionMwh: WH_IN_MWH },
  ...{ maxImportMw: BATTERY.limitMw, maxExportMw: BATTERY.limitMw },
  quantities: ["import", "export", "power", "stateOfCharge"],
};

function wholeWh(energyMwh: number): number {
  return Math.floor(energyMwh / WH_IN_MWH) * WH_IN_MWH;
}

/** What the meters of the home show. */
function shown(home: SimulatedHome): MeterReading[] {
  const { powers, registers, stateOfChargePpm } = home;
  const meter = { evidence: EVIDENCE };
  return [
    {
      ...{ ...meter, channel: "grid", activePowerMw: powers.gridMw },
      importMwh: wholeWh(registers.gridImportLowMwh) + wholeWh(registers.gridImportNormalMwh),
      exportMwh: wholeWh(registers.gridExportLowMwh) + wholeWh(registers.gridExportNormalMwh),
    },
    {
      ...{ ...meter, channel: "roof", activePowerMw: -powers.generationMw },
      exportMwh: wholeWh(registers.generationMwh),
    },
    {
      ...{ ...meter, channel: "cellar", activePowerMw: powers.batteryMw, stateOfChargePpm },
      importMwh: wholeWh(registers.chargedMwh),
      exportMwh: wholeWh(registers.dischargedMwh),
    },
  ];
}

describe("a day of the simulated home", () => {
  it("goes through the gate without one hold, reading by reading, for every meter of it", () => {
    const home = new SimulatedHome({ startMs: 0, daySpeed: 1 });
    const gates = new Map(
      [GRID, ROOF, CELLAR].map((channel) => [
        channel.name,
        new QualityGate({ ...channel, samplingMs: SAMPLING_MS }),
      ]),
    );
    const said = new Map<string, number>();
    for (let atMs = SAMPLING_MS; atMs <= DAY_MS; atMs += SAMPLING_MS) {
      home.advanceTo(atMs);
      for (const reading of shown(home)) {
        const verdict = gates.get(reading.channel)?.judge(reading, atMs);
        if (verdict === undefined) throw new Error("a reading without a gate");
        said.set(inShort(verdict), (said.get(inShort(verdict)) ?? 0) + 1);
      }
    }
    expect([...said]).toEqual([["accept", (3 * DAY_MS) / SAMPLING_MS]]);
  });
});
