import { type ChannelRole, READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import { present } from "../present.ts";
import type { Block } from "./block.ts";
import type { ChannelReading, Decoded } from "./channel.ts";
import { apparentDoubt, phaseSumDoubt, type SignWatch } from "./doubts.ts";
import { changedResolution, currentsMa, opposite, registerSteps, voltagesMv } from "./quantities.ts";

/** Model 701, points ACType, St and InvSt (github.com/sunspec/models json/model_701.json at 7abdf89). */
const WIRES: readonly number[] = [1, 2, 3];
const DER_STATE = { off: 0 } as const;
const DER_INVERTER_STATE = { off: 0, sleeping: 1, fault: 6, standby: 7 } as const;
const RESTING: ReadonlySet<number> = new Set([
  DER_INVERTER_STATE.off,
  DER_INVERTER_STATE.sleeping,
  DER_INVERTER_STATE.standby,
]);

const ENERGIES = ["TotWhInj", "TotWhAbs"];

const SIGN_SOURCE =
  "github.com/sunspec/models json/model_701.json at 7abdf89: W is positive for generation, negative for absorption";

export interface DerFacts {
  readonly name: string;
  readonly role: ChannelRole;
  /** Model 702. */
  readonly capacity: Block | undefined;
}

/** The AC side of a device of IEEE 1547-2018: what is injected goes out of the boundary. */
export function describeDer(block: Block, { name, role, capacity }: DerFacts): ChannelDescription {
  const has = (point: string): boolean => block.milli(point) !== undefined;
  return present<ChannelDescription>({
    name,
    role,
    quantities: [
      ...(has("TotWhAbs") ? ["import" as const] : []),
      ...(has("TotWhInj") ? ["export" as const] : []),
      "power",
    ],
    ...registerSteps(block, ENERGIES),
    maxImportMw: capacity?.optionalMilli("WChaRteMaxRtg") || undefined,
    maxExportMw: capacity?.optionalMilli("WMaxRtg") || undefined,
    signSource: SIGN_SOURCE,
  });
}

export function readDer(block: Block, channel: ChannelDescription, watch: SignWatch): Decoded {
  const phases = WIRES[block.state("ACType") ?? WIRES.length] ?? 0;
  const named = (prefix: string): string[] => Array.from({ length: phases }, (_, at) => `${prefix}${at + 1}`);
  const power = block.milli("W");
  const reading = present<ChannelReading>({
    channel: channel.name,
    importMwh: block.milli("TotWhAbs"),
    exportMwh: block.milli("TotWhInj"),
    activePowerMw: opposite(power),
    voltageMv: voltagesMv(block, named("VL")),
    currentMa: currentsMa(block, named("AL")),
    frequencyMhz: block.milli("Hz"),
    resolutionMwh: changedResolution(block, ENERGIES, channel.resolutionMwh),
    status: derStatus(block),
  });
  const phasesMw = named("WL").map((name) => block.optionalMilli(name));
  const doubts = [
    ...phaseSumDoubt(channel.name, power, phasesMw),
    ...apparentDoubt(reading, block.stepMilli("AL1")),
    ...watch.observe(reading),
  ];
  return { reading, doubts };
}

function derStatus(block: Block): number | undefined {
  const inverter = block.state("InvSt");
  const device = block.state("St");
  if (inverter === undefined && device === undefined) return undefined;
  if (inverter === DER_INVERTER_STATE.fault) return READING_STATUS.deviceFault;
  const resting = device === DER_STATE.off || (inverter !== undefined && RESTING.has(inverter));
  return resting ? READING_STATUS.standby : 0;
}
