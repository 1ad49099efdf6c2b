import { type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import type { Block } from "./block.ts";
import { present } from "./present.ts";
import { changedResolution, currentsMa, opposite, registerSteps, voltagesMv } from "./quantities.ts";

/** Models 101-103, point St (github.com/sunspec/models json/model_103.json). */
const RESTING: ReadonlySet<number> = new Set([1 /* off */, 2 /* sleeping */, 8 /* standby */]);
const FAULT = 7;

const SIGN_SOURCE =
  "SunSpec inverter models: W is output power; model 701 of the same suite says positive for generation";

/** The AC side of an inverter: what it generates goes out of the boundary, so WH is the export register. */
export function describeInverter(
  block: Block,
  name: string,
  ratedMw: number | undefined,
): ChannelDescription {
  return present<ChannelDescription>({
    name,
    role: "generation",
    quantities: ["export", "power"],
    ...registerSteps(block, "WH"),
    maxExportMw: ratedMw,
    signSource: SIGN_SOURCE,
  });
}

export function readInverter(block: Block, channel: ChannelDescription): MeterReading {
  return present<MeterReading>({
    channel: channel.name,
    exportMwh: block.milli("WH"),
    activePowerMw: opposite(block.milli("W")),
    voltageMv: voltagesMv(block),
    currentMa: currentsMa(block),
    frequencyMhz: block.milli("Hz"),
    resolutionMwh: changedResolution(block, "WH", channel.resolutionMwh),
    status: inverterStatus(block.state("St")),
    evidence: block.evidence,
  });
}

function inverterStatus(state: number | undefined): number | undefined {
  if (state === undefined) return undefined;
  if (state === FAULT) return READING_STATUS.deviceFault;
  return RESTING.has(state) ? READING_STATUS.standby : 0;
}
