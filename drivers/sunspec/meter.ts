import type { ChannelRole, MeterReading } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import type { Block } from "./block.ts";
import { present } from "./present.ts";
import { changedResolution, currentsMa, opposite, registerSteps, voltagesMv } from "./quantities.ts";

/** Which way positive W flows, as seen from the metered boundary. */
export type MeterPowerSign = "import-positive" | "export-positive";

/** A sign convention and where it is known from; without a source it is not verified. */
export interface MeterSign {
  readonly sign: MeterPowerSign;
  readonly source?: string;
}

/*
 * The meter models (github.com/sunspec/models json/model_201.json ff.) say which register is imported and which is
 * exported, but nothing about the sign of W, and makers differ.
 */
const KNOWN_MAKES: readonly { readonly make: string; readonly sign: MeterSign }[] = [
  {
    make: "solaredge",
    sign: {
      sign: "export-positive",
      source:
        "github.com/evcc-io/evcc templates/definition/meter solaredge-inverter: grid is 203:W, scale -1",
    },
  },
];

/** The sign of W of a meter of this make; what the configuration says goes first. */
export function meterSign(configured: MeterPowerSign | undefined, make: string): MeterSign {
  if (configured !== undefined) return { sign: configured, source: "configuration: meterPowerSign" };
  const known = KNOWN_MAKES.find((entry) => make.toLowerCase().startsWith(entry.make));
  return known?.sign ?? { sign: "import-positive" };
}

export interface MeterChannel {
  readonly name: string;
  readonly role: ChannelRole;
  readonly sign: MeterSign;
}

export function describeMeter(block: Block, channel: MeterChannel): ChannelDescription {
  return present<ChannelDescription>({
    name: channel.name,
    role: channel.role,
    quantities: [...seenRegisters(block), "power"],
    ...registerSteps(block, "TotWhImp"),
    signSource: channel.sign.source,
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

export function readMeter(block: Block, channel: ChannelDescription, sign: MeterPowerSign): MeterReading {
  const power = block.milli("W");
  return present<MeterReading>({
    channel: channel.name,
    importMwh: block.milli("TotWhImp"),
    exportMwh: block.milli("TotWhExp"),
    activePowerMw: sign === "import-positive" ? power : opposite(power),
    voltageMv: voltagesMv(block),
    currentMa: currentsMa(block),
    frequencyMhz: block.milli("Hz"),
    resolutionMwh: changedResolution(block, "TotWhImp", channel.resolutionMwh),
    evidence: block.evidence,
  });
}
