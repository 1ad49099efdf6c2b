import { z } from "zod";
import { Problem } from "../../attest/problem.ts";

/** A one-time code as the node lists it. */
export interface Code {
  readonly id: number;
  readonly label: string;
  readonly expires: string;
  readonly expired: boolean;
}

export interface NewCode extends Code {
  readonly code: string;
}

/** A key as the node lists it. */
export interface ListedEnrolment {
  readonly key: string;
  readonly state: string;
  readonly label: string;
  readonly source: string;
  readonly changed: string;
  readonly says: { readonly assuranceTier: number; readonly softwareVersion: string } | null;
}

export interface EnrolmentsPage {
  readonly enrolments: readonly ListedEnrolment[];
  readonly next: string | null;
}

/** A quarantined key as the node lists it. */
export interface QuarantinedKey {
  readonly key: string;
  readonly epoch: number;
  readonly since: string;
}

export interface QuarantinePage {
  readonly keys: readonly QuarantinedKey[];
  readonly next: string | null;
}

/** What a device's log says of one enclosure, as the node lists it. */
export interface ListedEnclosure {
  readonly input: string;
  readonly state: string;
  readonly since: string | null;
  readonly lastKnown: string | null;
  readonly openings: number;
}

/** The enclosures of one device. */
export interface DeviceEnclosures {
  readonly key: string;
  readonly enclosures: {
    readonly inputs: readonly ListedEnclosure[];
    readonly further: { readonly inputs: number; readonly leaves: number; readonly opened: number };
  };
}

export interface DevicesPage {
  readonly devices: readonly DeviceEnclosures[];
  readonly next: string | null;
}

/** What has become of a key. */
export interface Decision {
  readonly state?: string | undefined;
  readonly removed?: boolean | undefined;
}

const codeFields = { id: z.number(), label: z.string(), expires: z.string(), expired: z.boolean() };
const newCode = z.object({ ...codeFields, code: z.string() });
const codes = z.object({ codes: z.array(z.object(codeFields)) });
const enrolments = z.object({
  enrolments: z.array(
    z.object({
      ...{ key: z.string(), state: z.string(), label: z.string(), source: z.string(), changed: z.string() },
      says: z.object({ assuranceTier: z.number(), softwareVersion: z.string() }).nullable(),
    }),
  ),
  next: z.string().nullable(),
});
const quarantined = z.object({
  keys: z.array(z.object({ key: z.string(), epoch: z.number(), since: z.string() })),
  next: z.string().nullable(),
});
const enclosure = z.object({
  ...{ input: z.string(), state: z.string(), since: z.string().nullable() },
  ...{ lastKnown: z.string().nullable(), openings: z.number() },
});
const further = z.object({ inputs: z.number(), leaves: z.number(), opened: z.number() });
const devices = z.object({
  devices: z.array(
    z.object({ key: z.string(), enclosures: z.object({ inputs: z.array(enclosure), further }) }),
  ),
  next: z.string().nullable(),
});
const decision = z.object({ state: z.string().optional(), removed: z.boolean().optional() });

/** Throws `node-answer` for an answer of another shape, as each of these. */
export function newCodeOf(answer: unknown): NewCode {
  return shaped(newCode, answer);
}

export function codesOf(answer: unknown): readonly Code[] {
  return shaped(codes, answer).codes;
}

export function enrolmentsOf(answer: unknown): EnrolmentsPage {
  return shaped(enrolments, answer);
}

export function quarantinedOf(answer: unknown): QuarantinePage {
  return shaped(quarantined, answer);
}

export function devicesOf(answer: unknown): DevicesPage {
  return shaped(devices, answer);
}

export function decisionOf(answer: unknown): Decision {
  return shaped(decision, answer);
}

function shaped<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw new Problem("node-answer", "the node's answer is of another shape", {
    hint: "is the node of the same version as this program?",
  });
}
