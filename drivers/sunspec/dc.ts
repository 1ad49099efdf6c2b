import type { ChannelRole } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import { present } from "../present.ts";
import type { Block } from "./block.ts";
import type { ChannelReading } from "./channel.ts";
import type { Fields } from "./fields.ts";
import { opposite, type RegisterSteps, registerSteps } from "./quantities.ts";

/*
 * The DC side: inputs of model 160, ports of model 714, strings of models 803 and 804. Their energy is that of the AC
 * side before it is converted, so they are channels only where the configuration asks for them, and never to be added
 * to the AC side's. A storage behind an inverter has no other energy registers: those become part of its channel.
 */

/** A DC input or port of a device. */
export interface DcPort {
  readonly fields: Fields;
  readonly role: ChannelRole;
  /** Points of the energy that comes in from the port, and goes out to it. */
  readonly exported: string;
  readonly imported: string | undefined;
}

/** Model 714, point PrtTyp (github.com/sunspec/models json/model_714.json at 7abdf89). */
const PORT_ROLES: readonly ChannelRole[] = [
  "generation", // PV
  "storage", // ESS
  "load", // EV
  "generation", // generic injecting
  "load", // generic absorbing
  "storage", // generic bidirectional
  "storage", // DC to DC
];
const ESS = 1;

/**
 * Fronius GEN24 describes its battery as two modules of model 160, "StCha 3" what charges it and "StDisCha 4" what
 * comes out of it (registers in github.com/evcc-io/evcc issue 16256; fronius-gen24 reads them so).
 */
const CHARGING = /^StCha\b/;
const DISCHARGING = /^StDisCha\b/;

/** A port and its place among the sets of its model. */
export interface PlacedPort {
  readonly at: number;
  readonly port: DcPort;
}

/** The ports of model 160 or 714 that say anything, but for a storage that has a channel of its own. */
export function dcPorts(block: Block, ownStorage: boolean): readonly PlacedPort[] {
  return block.sets().flatMap((fields, at) => {
    const port = portOf(block, at);
    const own = ownStorage && block.model.id === 714 && fields.state("PrtTyp") === ESS;
    return port === undefined || own ? [] : [{ at, port }];
  });
}

/** The port at a place among the sets of model 160 or 714; undefined when it says nothing, or is no input. */
export function portOf(block: Block, at: number): DcPort | undefined {
  const fields = block.sets()[at];
  if (fields === undefined) return undefined;
  return block.model.id === 160 ? mpptPort(fields) : derPort(fields);
}

function mpptPort(fields: Fields): DcPort | undefined {
  const name = fields.text("IDStr");
  if (CHARGING.test(name) || DISCHARGING.test(name) || !isImplemented(fields, ["DCW", "DCWH"]))
    return undefined;
  return { fields, role: "generation", exported: "DCWH", imported: undefined };
}

function derPort(fields: Fields): DcPort | undefined {
  const role = PORT_ROLES[fields.state("PrtTyp") ?? PORT_ROLES.length];
  if (role === undefined || !isImplemented(fields, ["DCW", "DCWhInj", "DCWhAbs"])) return undefined;
  return { fields, role, exported: "DCWhInj", imported: "DCWhAbs" };
}

function isImplemented(fields: Fields, names: readonly string[]): boolean {
  return names.some((name) => fields.optionalMilli(name) !== undefined);
}

/** A channel for one port. The definitions say nothing about the sign of a port's power. */
export function describePort({ fields, role, exported, imported }: DcPort, name: string): ChannelDescription {
  const energies = imported === undefined ? [exported] : [exported, imported];
  const has = (point: string | undefined): boolean =>
    point !== undefined && fields.milli(point) !== undefined;
  return present<ChannelDescription>({
    name,
    role,
    quantities: [
      ...(has(imported) ? ["import" as const] : []),
      ...(has(exported) ? ["export" as const] : []),
      "power",
    ],
    ...registerSteps(fields, energies),
    signSource: imported === undefined ? "SunSpec 160: DCW of an input is unsigned" : undefined,
  });
}

/** What the port at a place among the sets says now; nothing when it is silent. */
export function readPort(block: Block, at: number, channel: string): ChannelReading {
  const port = portOf(block, at);
  if (port === undefined) return { channel };
  const { fields, exported, imported } = port;
  return present<ChannelReading>({
    channel,
    importMwh: imported === undefined ? undefined : fields.milli(imported),
    exportMwh: fields.milli(exported),
    activePowerMw: opposite(fields.milli("DCW")),
  });
}

/** Whether all ports of model 714 are those of a storage: then its AC side is, too. */
export function isStorageOnly(block: Block | undefined): boolean {
  const types = block?.sets().map((set) => set.state("PrtTyp")) ?? [];
  return types.length > 0 && types.every((type) => PORT_ROLES[type ?? PORT_ROLES.length] === "storage");
}

/** What flows into and out of a storage on the DC side. */
export interface StorageFlow extends RegisterSteps {
  readonly importMwh?: number;
  readonly exportMwh?: number;
  /** Positive while it charges. */
  readonly powerMw?: number;
  readonly source: string;
}

/** The storage's own flow, where the DC model tells it apart from everything else: exactly one such port. */
export function storageFlow(block: Block | undefined): StorageFlow | undefined {
  if (block === undefined) return undefined;
  return block.model.id === 160 ? mpptFlow(block.sets()) : derFlow(block.sets());
}

function mpptFlow(sets: readonly Fields[]): StorageFlow | undefined {
  const [into, ...more] = sets.filter((set) => CHARGING.test(set.text("IDStr")));
  const [out, ...others] = sets.filter((set) => DISCHARGING.test(set.text("IDStr")));
  if (into === undefined || out === undefined || more.length + others.length > 0) return undefined;
  const [charge, discharge] = [into.optionalMilli("DCW"), out.optionalMilli("DCW")];
  return present<StorageFlow>({
    importMwh: into.optionalMilli("DCWH"),
    exportMwh: out.optionalMilli("DCWH"),
    powerMw: charge === undefined || discharge === undefined ? undefined : charge - discharge,
    source: "SunSpec 160: modules StCha and StDisCha, as Fronius names them",
    ...registerSteps(into, ["DCWH"]),
  });
}

function derFlow(sets: readonly Fields[]): StorageFlow | undefined {
  const [port, ...more] = sets.filter((set) => set.state("PrtTyp") === ESS);
  if (port === undefined || more.length > 0) return undefined;
  return present<StorageFlow>({
    importMwh: port.optionalMilli("DCWhAbs"),
    exportMwh: port.optionalMilli("DCWhInj"),
    powerMw: opposite(port.optionalMilli("DCW")),
    source: "SunSpec 714: a port injects what comes out of the storage, as W of 701",
    ...registerSteps(port, ["DCWhAbs", "DCWhInj"]),
  });
}

/** The strings that model 803 or 804 describes. */
export function stringFields(block: Block): readonly Fields[] {
  return block.model.id === 803 ? block.sets() : [block];
}

/** A string of a battery: how full it is, and no more. */
export function describeString(name: string): ChannelDescription {
  return { name, role: "storage", quantities: ["stateOfCharge"] };
}

export function readString(block: Block, at: number, channel: string): ChannelReading {
  const stateOfChargePpm = stringFields(block)[at]?.ppm(block.model.id === 803 ? "StrSoC" : "SoC");
  return present<ChannelReading>({ channel, stateOfChargePpm });
}
