import type { SlaveModel } from "./modbus-slave.ts";
import type { SiteInstant } from "./physical-site.ts";
import type { SimulatedModel } from "./sunspec-encode.ts";
import { simulatedCommon, sunSpecSlave } from "./sunspec-suite.ts";

const PHASES = ["A", "B", "C"] as const;

/** The meter at the grid connection of a home: models 1 and 203, registers in whole Wh, power in whole W, + import. */
export function gridMeter(truth: () => SiteInstant): SlaveModel {
  const common = simulatedCommon("SIM-GRID-0001", "Kilowitness", "Simulated grid meter");
  return sunSpecSlave({ models: () => [common, meterModel(truth())] });
}

function meterModel({ boundaries, voltageMv, frequencyMhz }: SiteInstant): SimulatedModel {
  const { powerMw = 0, importMwh = 0, exportMwh = 0 } = boundaries.get("grid") ?? {};
  const volts = PHASES.map((phase, at) => [`PhVph${phase}`, (voltageMv[at] ?? 0) / 1000] as const);
  return {
    id: 203,
    values: {
      ...{ W: powerMw / 1000, TotWhImp: importMwh / 1000, TotWhExp: exportMwh / 1000 },
      ...{ Hz: frequencyMhz / 1000, Evt: 0, A: powerMw / 1000 / 230, ...Object.fromEntries(volts) },
    },
    scales: { A_SF: -1, V_SF: -1, Hz_SF: -2 },
  };
}
