import { parse, stringify } from "yaml";
import { compileProfile } from "../../../drivers/profile/compile.ts";
import type { CompiledProfile } from "../../../drivers/profile/compiled.ts";
import { parseProfile } from "../../../drivers/profile/load.ts";
import type { SlaveModel, SlaveRead } from "../../../drivers/simulated/modbus-slave.ts";

/** A small three-phase meter that no maker makes. */
export const METER = `
format: 1
title: Example three-phase meter
category: meter
identity:
  make: Example
  model: { point: model }
  serial: { point: serial }
  match:
    - { point: code, equals: [7, 9] }
transport:
  serial: { baud: 19200, parity: even }
  tcp: { port: 1502 }
  unit: 3
  maxRegisters: 40
snapshots:
  live: { table: input, start: 0, count: 20 }
  device: { table: holding, start: 100, count: 12, interval: identify }
  ratios: { table: holding, start: 200, count: 2, interval: 1 }
  extra: { table: holding, start: 300, count: 2, optional: true }
points:
  powerL1: { snapshot: live, address: 0, type: s16, unit: W }
  powerL2: { snapshot: live, address: 1, type: s16, unit: W }
  powerL3: { snapshot: live, address: 2, type: s16, unit: W }
  power: { snapshot: live, address: 3, type: s32, unit: W, notImplemented: ["0x80000000"] }
  importEnergy: { snapshot: live, address: 5, type: u32, scale: 0.01, unit: kWh, kind: counter }
  exportEnergy: { snapshot: live, address: 7, type: u32, scale: 0.01, unit: kWh, kind: counter }
  voltage: { snapshot: live, address: 9, type: u16, scale: 0.1, unit: V, valid: { max: 300 } }
  state: { snapshot: live, address: 10, type: u16, kind: state, values: { 0: standby, 1: ok, else: fault } }
  model: { snapshot: device, address: 100, type: text, registers: 4 }
  serial: { snapshot: device, address: 104, type: u32 }
  code: { snapshot: device, address: 106, type: u16, kind: state }
  ratio: { snapshot: ratios, address: 200, type: u16, kind: setting }
  charge: { snapshot: extra, address: 300, type: u16, unit: "%" }
channels:
  grid:
    role: grid
    power: power
    sign: { positive: import, source: the meter's manual }
    import: importEnergy
    export: exportEnergy
    voltage: [voltage]
    status: state
    ctRatio: [ratio, 5]
  battery:
    role: storage
    stateOfCharge: charge
checks:
  - { sum: [powerL1, powerL2, powerL3], equals: power, tolerance: { absolute: 5, percent: 1 }, channel: grid, affects: [power] }
provenance:
  - { document: The meter's manual }
captures: none
`;

/** A profile with parts of {@link METER} replaced: "points.power.type" to a value, or undefined to remove it. */
export function changed(changes: Readonly<Record<string, unknown>>): string {
  const value: unknown = parse(METER);
  for (const [path, replacement] of Object.entries(changes)) {
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    let at: unknown = value;
    for (const key of keys) at = Object.getOwnPropertyDescriptor(at, key)?.value;
    if (typeof at !== "object" || at === null) throw new Error(`no ${path}`);
    if (replacement === undefined) Reflect.deleteProperty(at, last);
    else Object.assign(at, { [last]: replacement });
  }
  return stringify(value);
}

export function compiled(text: string = METER): CompiledProfile {
  return compileProfile("example", parseProfile(text, "example.yaml"));
}

/** Registers of the example meter, as its own memory; "table address" to change them. */
export class ExampleMeter implements SlaveModel {
  readonly registers: Map<string, number> = new Map();
  readonly requests: SlaveRead[] = [];
  readonly unit: number = 3;

  constructor() {
    this.set("input", 0, [100, 200, 300, 0, 600, 0, 12345, 0, 67, 2301, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    this.set("holding", 100, [0x4558, 0x2d33, 0, 0, 0, 4711, 7, 0, 0, 0, 0, 0]);
    this.set("holding", 200, [250, 0]);
  }

  set(table: "holding" | "input", start: number, values: readonly number[]): void {
    for (const [at, value] of values.entries()) this.registers.set(`${table} ${start + at}`, value);
  }

  read(request: SlaveRead): readonly number[] | { readonly exception: number } {
    const { unit, table, start, count } = request;
    this.requests.push(request);
    if (unit !== this.unit) return { exception: 11 };
    const values = Array.from({ length: count }, (_, at) => this.registers.get(`${table} ${start + at}`));
    const known = values.flatMap((value) => value ?? []);
    return known.length < count ? { exception: 2 } : known;
  }
}
