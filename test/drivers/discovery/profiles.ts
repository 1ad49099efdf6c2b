import { type KnownProfile, knownProfile } from "../../../drivers/discovery/known.ts";
import { compileProfile } from "../../../drivers/profile/compile.ts";
import { parseProfile } from "../../../drivers/profile/load.ts";
import type { Image } from "./image.ts";

/** What the profiles of these tests have in common: a voltage, a frequency and an energy register. */
function profile(name: string, { identity, transport, points = "" }: Parts): KnownProfile {
  const text = `
format: 1
title: Acme ${name}
category: meter
identity:
  make: Acme
  model: ${name}
${indented(identity, 2)}
transport:
${indented(transport, 2)}
snapshots:
  live: { table: input, start: 0, count: 8 }
  device: { table: holding, start: 11, count: 20, interval: identify, optional: true }
points:
  voltage: { snapshot: live, address: 0, type: u16, scale: 0.1, unit: V }
  frequency: { snapshot: live, address: 1, type: u16, scale: 0.01, unit: Hz }
  power: { snapshot: live, address: 2, type: s32, unit: W }
  importEnergy: { snapshot: live, address: 4, type: u32, scale: 0.1, unit: kWh, kind: counter }
  code: { snapshot: device, address: 11, type: u16, kind: state }
  serial: { snapshot: device, address: 12, type: text, registers: 4, kind: text }
  name: { snapshot: device, address: 16, type: text, registers: 4, kind: text }
${indented(points, 2)}
channels:
  grid:
    role: grid
    power: power
    sign: { positive: import, source: made for tests }
    import: importEnergy
    voltage: [voltage]
    frequency: frequency
provenance:
  - { document: made for tests }
captures: none
`;
  const [known] = knownProfile(compileProfile(name, parseProfile(text, `${name}.yaml`)));
  if (known === undefined) throw new Error(`${name} has no rules`);
  return known;
}

interface Parts {
  readonly identity: string;
  readonly transport: string;
  readonly points?: string;
}

function indented(text: string, spaces: number): string {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => " ".repeat(spaces) + line.trimEnd())
    .join("\n");
}

const SERIAL = "serial: { baud: 9600 }";
const EVEN = "serial: { baud: 19200, parity: even }";

/** Calls itself "AC-7...". */
export const NAMED: KnownProfile = profile("acme-named", {
  identity: 'serial: { point: serial }\nmatch:\n  - { point: name, pattern: "^AC-7" }',
  transport: `${EVEN}\ntcp: { port: 502 }`,
});
/** Has 331 where its kind has a code; no serial number. */
export const CODED: KnownProfile = profile("acme-coded", {
  identity: "match:\n  - { point: code, equals: [331, 332] }",
  transport: `${SERIAL}\nunit: 5`,
});
/** Has nothing but values where they should be. */
export const RANGED: KnownProfile = profile("acme-ranged", {
  identity: "match:\n  - { point: voltage, between: [80, 300] }\n  - { point: frequency, between: [45, 65] }",
  transport: SERIAL,
});
/** Asks for no more than an energy, which may be 0. */
export const VAGUE: KnownProfile = profile("acme-vague", {
  identity: "match:\n  - { point: importEnergy, between: [0, 1000000] }",
  transport: SERIAL,
});
/** Says who it is by Read Device Identification only. */
export const SPOKEN: KnownProfile = profile("acme-spoken", {
  identity: 'match:\n  - deviceIdentification: { vendorName: "^ACME", productCode: "^X" }',
  transport: "tcp: { port: 15503 }\nconnectDelayMs: 40\nunit: 247",
});

export const KNOWN: readonly KnownProfile[] = [NAMED, CODED, RANGED, VAGUE, SPOKEN];

interface ImageValues {
  /** In steps of 0.1 kWh. */
  readonly energy?: number;
  /** In steps of 0.1 V. */
  readonly voltage?: number;
  readonly code?: number;
  readonly serial?: string;
  readonly name?: string;
}

/** Registers of a device with these values, as the profiles above lay them out. */
export function image({
  energy = 12_345,
  voltage = 2301,
  code = 0,
  serial = "",
  name = "",
}: ImageValues = {}): Image {
  const live = [voltage, 5002, 0, 345, energy >>> 16, energy & 0xffff, 0, 0];
  const device = [code, ...text(serial, 4), ...text(name, 4), ...Array.from({ length: 11 }, () => 0)];
  return code === 0 && serial === "" && name === ""
    ? { input: { 0: live } }
    : { input: { 0: live }, holding: { 11: device } };
}

/** A text as registers, filled up with zeros. */
export function text(said: string, registers: number): readonly number[] {
  return Array.from(
    { length: registers },
    (_, at) => ((said.charCodeAt(2 * at) || 0) << 8) | (said.charCodeAt(2 * at + 1) || 0),
  );
}

/** "SunS" at 40000 and the texts of the common model behind it. */
export function sunspec(serial: string): Image {
  const common = [
    ...text("Acme", 16),
    ...text("Roof 8", 16),
    ...text("", 8),
    ...text("2.1", 8),
    ...text(serial, 16),
  ];
  return { holding: { 40000: [0x5375, 0x6e53, 1, 66, ...common, 0, 0, 0xffff, 0] } };
}
