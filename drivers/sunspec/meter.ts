import type { ChannelRole } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import { present } from "../present.ts";
import type { Block } from "./block.ts";
import type { ChannelReading, Decoded } from "./channel.ts";
import { phaseSumDoubt, type SignWatch } from "./doubts.ts";
import { DELTA_METERS } from "./models-ac.ts";
import {
  changedResolution,
  currentsMa,
  opposite,
  phaseNames,
  registerSteps,
  voltagesMv,
} from "./quantities.ts";
import type { MeterSign } from "./signs.ts";

const ENERGIES = ["TotWhImp", "TotWhExp"];

export interface MeterFacts {
  readonly name: string;
  readonly role: ChannelRole;
  readonly sign: MeterSign;
  /** The export register counts down from 0 as a signed number. */
  readonly countsExportDown: boolean;
}

export function describeMeter(block: Block, facts: MeterFacts): ChannelDescription {
  return present<ChannelDescription>({
    name: facts.name,
    role: facts.role,
    quantities: [...seenRegisters(block), "power"],
    ...registerSteps(block, ENERGIES),
    signSource: facts.sign.source,
  });
}

/**
 * The registers that the meter counts in now. An accumulator of 0 is "not accumulated", so a house that never
 * exported shows no export register; when it does, the reading carries more than was described.
 */
function seenRegisters(block: Block): ("import" | "export")[] {
  const has = (point: string): boolean => block.milli(point) !== undefined;
  return [...(has("TotWhImp") ? ["import" as const] : []), ...(has("TotWhExp") ? ["export" as const] : [])];
}

/** What a meter's block says, described as `channel`. `watch` has seen the readings before. */
export function readMeter(
  block: Block,
  channel: ChannelDescription,
  { facts, watch }: { readonly facts: MeterFacts; readonly watch: SignWatch },
): Decoded {
  const { phases, id } = block.model;
  const power = block.milli("W");
  const reading = present<ChannelReading>({
    channel: channel.name,
    importMwh: block.milli("TotWhImp"),
    exportMwh: exportedMwh(block, facts),
    activePowerMw: facts.sign.sign === "import-positive" ? power : opposite(power),
    // Without a neutral there is no voltage to it; those between the lines are other values.
    voltageMv: DELTA_METERS.has(id) ? undefined : voltagesMv(block, phaseNames("PhVph", phases)),
    currentMa: currentsMa(block, phaseNames("Aph", phases)),
    frequencyMhz: block.milli("Hz"),
    resolutionMwh: changedResolution(block, ENERGIES, channel.resolutionMwh),
  });
  const phasesMw = phaseNames("Wph", phases).map((name) => block.optionalMilli(name));
  return { reading, doubts: [...phaseSumDoubt(channel.name, power, phasesMw), ...watch.observe(reading)] };
}

/** Values of an acc32, and the first of those that are negative when it is taken for a signed number. */
const RANGE = 2 ** 32;
const NEGATIVE_FROM = 2 ** 31;

function exportedMwh(block: Block, { countsExportDown }: MeterFacts): number | undefined {
  const exported = block.milli("TotWhExp");
  const stepMwh = block.stepMilli("TotWhExp");
  if (!countsExportDown || exported === undefined || stepMwh === undefined) return exported;
  if (block.point("TotWhExp").type !== "acc32" || exported < NEGATIVE_FROM * stepMwh) return exported;
  return RANGE * stepMwh - exported;
}
