import { READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import { present } from "../present.ts";
import type { Block } from "./block.ts";
import type { ChannelReading, Decoded } from "./channel.ts";
import { apparentDoubt, currentSumDoubt } from "./doubts.ts";
import {
  changedResolution,
  currentsMa,
  opposite,
  phaseNames,
  registerSteps,
  voltagesMv,
} from "./quantities.ts";
import { inverterSign } from "./signs.ts";

/** Models 101-103 and 111-113, point St (github.com/sunspec/models json/model_103.json). */
const INVERTER_STATE = { off: 1, sleeping: 2, fault: 7, standby: 8 } as const;
const RESTING: ReadonlySet<number> = new Set([
  INVERTER_STATE.off,
  INVERTER_STATE.sleeping,
  INVERTER_STATE.standby,
]);

const ENERGY = ["WH"];

/** What is known of an inverter beside its own model. */
export interface InverterFacts {
  readonly name: string;
  readonly make: string;
  readonly ratedMw: number | undefined;
}

/** The AC side of an inverter: what it generates goes out of the boundary, so WH is the export register. */
export function describeInverter(block: Block, { name, make, ratedMw }: InverterFacts): ChannelDescription {
  return present<ChannelDescription>({
    name,
    role: "generation",
    quantities: ["export", "power"],
    ...registerSteps(block, ENERGY),
    maxExportMw: ratedMw,
    ...inverterSign(make),
  });
}

export function readInverter(block: Block, channel: ChannelDescription): Decoded {
  const { phases } = block.model;
  const reading = present<ChannelReading>({
    channel: channel.name,
    exportMwh: block.milli("WH"),
    activePowerMw: opposite(block.milli("W")),
    voltageMv: voltagesMv(block, phaseNames("PhVph", phases)),
    currentMa: currentsMa(block, phaseNames("Aph", phases)),
    frequencyMhz: block.milli("Hz"),
    resolutionMwh: changedResolution(block, ENERGY, channel.resolutionMwh),
    status: inverterStatus(block.state("St")),
  });
  const doubts = [
    ...apparentDoubt(reading, block.stepMilli("AphA")),
    ...currentSumDoubt(reading, block.optionalMilli("A")),
  ];
  return { reading, doubts };
}

function inverterStatus(state: number | undefined): number | undefined {
  if (state === undefined) return undefined;
  if (state === INVERTER_STATE.fault) return READING_STATUS.deviceFault;
  return RESTING.has(state) ? READING_STATUS.standby : 0;
}
