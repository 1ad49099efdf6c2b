import { CHANNEL_ROLES, type ChannelRole, READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription } from "../../drivers/driver.ts";
import type { SmpRequest } from "../smp/connection.ts";
import { GROUP } from "../smp/message.ts";
import type { AnswerFields } from "./answer-fields.ts";
import { answerFault } from "./problems.ts";

/*
 * Names and numbers of group 64; docs/coprocessor-protocol.md says what they mean.
 */

/** Version of the commands, and of a snapshot. */
export const COPROCESSOR_VERSION = 1;

const group = GROUP.application;
export const DESCRIBE: SmpRequest = { name: "coprocessor describe", operation: "read", group, command: 0 };
export const READ: SmpRequest = { name: "coprocessor read", operation: "read", group, command: 1 };
export const KEY: SmpRequest = { name: "coprocessor key", operation: "read", group, command: 2 };
export const SIGN: SmpRequest = { name: "coprocessor sign", operation: "write", group, command: 3 };

export const MAX_CHANNELS = 8;
export const MAX_PHASES = 3;
export const MAX_TEXT_BYTES = 64;

/** What a coprocessor must be able to sign, so that every object of a device fits. */
export const LEAST_MESSAGE_BYTES = 1024;
/** More than any object of the evidence format has. */
export const MOST_MESSAGE_BYTES = 65_535;

/** COSE algorithm Ed25519 (RFC 9864). */
export const ALGORITHM_ED25519 = -19;

/** A snapshot that is older is no reading of now. */
export const STALE_AFTER_MS = 10_000;

/** Of the quantities of a channel, OR-ed together. */
export const QUANTITY_BITS: readonly (readonly [number, ChannelDescription["quantities"][number]])[] = [
  [1, "import"],
  [2, "export"],
  [4, "power"],
  [8, "stateOfCharge"],
];

/** The status bits that a front end may set; the others are the host's to say. */
export const STATUS_BITS: number = READING_STATUS.standby | READING_STATUS.deviceFault;

const NAME = /^[a-z][a-z0-9-]{0,31}$/;
const ROLES = new Map<number, ChannelRole>(
  (["grid", "generation", "storage", "load", "compute"] as const).map((role) => [CHANNEL_ROLES[role], role]),
);

/** Name and role of a channel. Throws Problem `coprocessor-answer`. */
export function channelName(fields: AnswerFields): { readonly name: string; readonly role: ChannelRole } {
  const name = fields.text("n", { fewest: 1, most: 32 });
  if (!NAME.test(name))
    throw answerFault(`${fields.where}: n`, "small letters, digits and hyphens", JSON.stringify(name));
  const number = fields.integer("r", 1);
  const role = ROLES.get(number);
  if (role === undefined) throw answerFault(`${fields.where}: r`, "a role from 1 to 5", String(number));
  return { name, role };
}

/** Refuses two channels of one name. */
export function requireDistinct(names: readonly string[], where: string): void {
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw answerFault(where, "channels of different names", `"${twice}" twice`);
}
