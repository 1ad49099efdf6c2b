import { type FlexibilityReading, type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import type { Block } from "./block.ts";
import { present } from "./present.ts";

/** Model 713, point Sta (github.com/sunspec/models json/model_713.json). */
const STATUS = { ok: 0, warning: 1, error: 2 } as const;

/** A storage that has model 713 and not 802: it says how full it is, not how fast it can go. */
export function describeStorage(name: string): ChannelDescription {
  return { name, role: "storage", quantities: ["stateOfCharge"] };
}

export function readStorage(block: Block, channel: string): MeterReading {
  const status = block.state("Sta");
  return present<MeterReading>({
    channel,
    stateOfChargePpm: block.ppm("SoC"),
    status: status === undefined ? undefined : status === STATUS.error ? READING_STATUS.deviceFault : 0,
    evidence: block.evidence,
  });
}

/** WHAvail is WHRtg times SoC times SoH by definition: what can be taken out. Model 713 has no reserve and no rates. */
export function storageFlexibility(block: Block, channel: string): FlexibilityReading {
  const capacityMwh = block.milli("WHRtg");
  const usableEnergyMwh = block.milli("WHAvail");
  const status = block.state("Sta");
  const healthy = status === STATUS.ok || status === STATUS.warning;
  return present<FlexibilityReading>({
    channel,
    stateOfChargePpm: block.optionalPpm("SoC"),
    usableEnergyMwh,
    capacityMwh,
    reduceEnergyMwh: usableEnergyMwh,
    available: healthy && capacityMwh !== undefined && capacityMwh > 0,
    evidence: block.evidence,
  });
}
