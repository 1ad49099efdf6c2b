import { Problem } from "../../attest/problem.ts";
import { READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import { present } from "../present.ts";
import type { UnprovenReading } from "../telegram/protocol.ts";
import { NOT_AVAILABLE, wholeNumber } from "./labels.ts";

/** Fields of one block, or of the two that a battery monitor sends one after the other. */
export type Fields = ReadonlyMap<string, string>;

/** What kind of boundary a device measures. */
export type DeviceKind = "solar" | "battery" | "source" | "load";

/** H17, H18 and H19 count in 0.01 kWh. */
const REGISTER_STEP_MWH = 10_000;

/** Fields that are registers of energy. */
export const REGISTER_LABELS: readonly string[] = ["H17", "H18", "H19"];

/**
 * What a device is, as its own first block shows it: a solar charger says the power of its panels, a battery monitor
 * counts charge. A monitor that is set to measure another DC device says so in MON: -9 to -1 are sources, 0 a battery,
 * 1 to 8 loads (VE.Direct Protocol 3.32; KinDR007/VictronMPPT-ESPHOME, victron.cpp).
 *
 * @throws Problem `vedirect-no-energy` for a device that says neither energy nor active power, as inverters and mains
 *   chargers do
 */
export function deviceKind(fields: Fields): DeviceKind {
  if (fields.has("PPV") || fields.has("H19")) return "solar";
  const mode = wholeNumber(fields.get("MON") ?? "0") ?? 0;
  if (mode !== 0) return mode < 0 ? "source" : "load";
  if (["SOC", "CE", "H17", "H18"].some((label) => fields.has(label))) return "battery";
  throw new Problem("vedirect-no-energy", "this device says neither energy nor active power", {
    where: fields.get("PID") ?? "block",
    expected: "a solar charger (PPV, H19) or a battery monitor (P, H17, H18)",
    got: [...fields.keys()].join(" "),
    hint: "measure its AC output with an energy meter",
  });
}

/** A reading of the device's one channel, and in words what has no value. */
export interface DeviceReading {
  readonly reading: UnprovenReading;
  readonly absent: readonly string[];
}

/**
 * What the fields say.
 *
 * @throws Problem `vedirect-value` for a text that is no number, `vedirect-range` for a number that the quantity cannot
 *   have
 */
export function readingOf(fields: Fields, kind: DeviceKind): DeviceReading {
  const values = new Values(fields);
  const own = kind === "solar" ? solarReading(values) : monitorReading(values, kind);
  const reading = present<UnprovenReading>({ channel: channelName(kind), ...own, status: values.status() });
  const resolution =
    reading.importMwh === undefined && reading.exportMwh === undefined
      ? {}
      : { resolutionMwh: REGISTER_STEP_MWH };
  return { reading: { ...reading, ...resolution }, absent: values.absent };
}

type OwnValues = Partial<{
  [Key in keyof Omit<UnprovenReading, "channel">]: UnprovenReading[Key] | undefined;
}>;

/** H19 is what the panels gave since it was last reset by its user, PPV what they give now; both have no sign. */
function solarReading(values: Values): OwnValues {
  const power = values.count("PPV", 1_000);
  return {
    exportMwh: values.count("H19", REGISTER_STEP_MWH),
    // Never -0.
    activePowerMw: power === undefined ? undefined : 0 - power,
    voltageMv: list(values.count("VPV", 1)),
  };
}

function monitorReading(values: Values, kind: Exclude<DeviceKind, "solar">): OwnValues {
  const current = values.number("I");
  return {
    // H17: discharged or produced, out of the boundary; H18: charged or consumed, into it.
    importMwh: values.count("H18", REGISTER_STEP_MWH),
    exportMwh: values.count("H17", REGISTER_STEP_MWH),
    activePowerMw: kind === "battery" ? values.signed("P", 1_000) : undefined,
    stateOfChargePpm: kind === "battery" ? values.stateOfCharge() : undefined,
    voltageMv: list(values.count("V", 1)),
    // The direction stands in the power.
    currentMa: list(current === undefined ? undefined : Math.abs(current)),
  };
}

function list(value: number | undefined): readonly number[] | undefined {
  return value === undefined ? undefined : [value];
}

class Values {
  readonly absent: string[] = [];
  readonly #fields: Fields;

  constructor(fields: Fields) {
    this.#fields = fields;
  }

  number(label: string): number | undefined {
    const text = this.#fields.get(label);
    if (text === undefined) return undefined;
    if (text === NOT_AVAILABLE) {
      this.absent.push(`${label}: the device has no value now`);
      return undefined;
    }
    const value = wholeNumber(text);
    if (value === undefined)
      throw new Problem("vedirect-value", "a field is no whole number", {
        where: label,
        got: JSON.stringify(text),
      });
    return value;
  }

  /** A number in steps of `factor`. */
  signed(label: string, factor: number): number | undefined {
    const value = this.number(label);
    if (value === undefined) return undefined;
    if (!Number.isSafeInteger(value * factor)) throw outOfRange(label, value, "fewer digits");
    return value * factor;
  }

  /** One that has no sign. */
  count(label: string, factor: number): number | undefined {
    const value = this.signed(label, factor);
    if (value !== undefined && value < 0) throw outOfRange(label, value / factor, "not below 0");
    return value;
  }

  /** In permille. */
  stateOfCharge(): number | undefined {
    const value = this.number("SOC");
    if (value !== undefined && (value < 0 || value > 1_000)) throw outOfRange("SOC", value, "0 to 1000");
    return value === undefined ? undefined : value * 1_000;
  }

  /** CS 0 is off, 1 low power, 2 fault; ERR is 0 without an error. */
  status(): number | undefined {
    const state = this.#fields.get("CS");
    const error = this.#fields.get("ERR") ?? NOT_AVAILABLE;
    if (state === "2" || (error !== "0" && error !== NOT_AVAILABLE)) return READING_STATUS.deviceFault;
    return state === "0" || state === "1" ? READING_STATUS.standby : undefined;
  }
}

function outOfRange(label: string, value: number, expected: string): Problem {
  return new Problem("vedirect-range", "a field has a number that cannot be", {
    where: label,
    expected,
    got: String(value),
  });
}

function channelName(kind: DeviceKind): string {
  return { solar: "pv", battery: "battery", source: "dc", load: "dc" }[kind];
}

const CHANNELS = {
  solar: {
    role: "generation",
    signSource: "VE.Direct Protocol: H19 is the yield of the panels, PPV their power, both without sign",
    signVerified: true,
  },
  battery: {
    role: "storage",
    signSource:
      "VE.Direct Protocol: H18 charged, H17 discharged energy; P and I are negative while SOC falls",
    signVerified: true,
  },
  source: { role: "generation", signSource: "VE.Direct Protocol: H17 produced energy", signVerified: false },
  load: { role: "load", signSource: "VE.Direct Protocol: H18 consumed energy", signVerified: false },
} as const;

/** The device's one channel with the quantities that it has fields for, with a value now or not. */
export function channelOf(fields: Fields, kind: DeviceKind): ChannelDescription {
  const { role, signSource, signVerified } = CHANNELS[kind];
  const quantities: ("import" | "export" | "power" | "stateOfCharge")[] = [];
  if (kind !== "solar" && fields.has("H18")) quantities.push("import");
  if (fields.has(kind === "solar" ? "H19" : "H17")) quantities.push("export");
  if (fields.has(kind === "solar" ? "PPV" : "P") && kind !== "source" && kind !== "load")
    quantities.push("power");
  if (kind === "battery" && fields.has("SOC")) quantities.push("stateOfCharge");
  const registers = REGISTER_LABELS.some((label) => fields.has(label));
  return {
    name: channelName(kind),
    ...{ role, quantities, signSource, signVerified },
    ...(registers ? { resolutionMwh: REGISTER_STEP_MWH } : {}),
  };
}
