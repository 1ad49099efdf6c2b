import { Problem } from "../../attest/problem.ts";
import type { ChannelDescription, MeterIdentity } from "../../drivers/driver.ts";
import { present } from "../../drivers/present.ts";
import type { SmpMap } from "../smp/cbor.ts";
import type { Asking, SmpConnection } from "../smp/connection.ts";
import { AnswerFields } from "./answer-fields.ts";
import { answerFault, coprocessorProblem } from "./problems.ts";
import {
  COPROCESSOR_VERSION,
  channelName,
  DESCRIBE,
  MAX_CHANNELS,
  MAX_TEXT_BYTES,
  QUANTITY_BITS,
  requireDistinct,
} from "./protocol.ts";

/** Who a coprocessor is, and what it meters. */
export interface CoprocessorDescription {
  readonly identity: MeterIdentity;
  /** None where it only signs. */
  readonly channels: readonly ChannelDescription[];
}

const OPTIONAL_TEXT = { fewest: 0, most: MAX_TEXT_BYTES };
const TEXT = { fewest: 1, most: MAX_TEXT_BYTES };
const SIGN_SOURCE = "coprocessor protocol 1: + is into the metered boundary";

/**
 * Asks who it is.
 *
 * @throws Problem `coprocessor-protocol` where the firmware does not speak this protocol, `coprocessor-answer`, `smp-…`,
 *   `line-…`
 */
export async function describeCoprocessor(
  connection: SmpConnection,
  asking?: Asking,
): Promise<CoprocessorDescription> {
  const where = connection.where(DESCRIBE);
  try {
    return decodeDescription(await connection.ask(DESCRIBE, asking), where);
  } catch (error) {
    if (error instanceof Problem && error.code === "smp-not-supported")
      throw otherProtocol(where, "nothing", error);
    throw coprocessorProblem(error);
  }
}

/** Reads the answer to `describe`. Throws Problem `coprocessor-protocol` or `coprocessor-answer`. */
export function decodeDescription(map: SmpMap, where: string): CoprocessorDescription {
  // Group 64 is anybody's: what does not name this protocol may mean anything.
  const version = map.get("kw");
  if (version !== COPROCESSOR_VERSION)
    throw otherProtocol(where, typeof version === "number" ? String(version) : "none");
  const fields = new AnswerFields(map, where);
  const channels = fields.maps("ch", MAX_CHANNELS).map(channelOf);
  requireDistinct(
    channels.map(({ name }) => name),
    `${where}: ch`,
  );
  return {
    identity: {
      make: fields.text("make", TEXT),
      model: fields.text("model", TEXT),
      serial: fields.text("sn", TEXT),
      firmware: fields.text("fw", OPTIONAL_TEXT),
    },
    channels,
  };
}

function channelOf(fields: AnswerFields): ChannelDescription {
  const quantities = quantitiesOf(fields);
  const resolutionMwh = fields.optionalInteger("res", 1);
  const rolloverMwh = fields.optionalInteger("roll", 1);
  const counts = quantities.includes("import") || quantities.includes("export");
  if (counts !== (resolutionMwh !== undefined))
    throw answerFault(
      `${fields.where}: res`,
      counts ? "a step of the registers" : "nothing",
      counts ? "nothing" : "one",
    );
  if (rolloverMwh !== undefined && rolloverMwh <= (resolutionMwh ?? rolloverMwh))
    throw answerFault(`${fields.where}: roll`, "more than one step of the registers", String(rolloverMwh));
  return present<ChannelDescription>({
    ...channelName(fields),
    ...{ quantities, resolutionMwh, rolloverMwh },
    maxImportMw: fields.optionalInteger("maxi", 0),
    maxExportMw: fields.optionalInteger("maxe", 0),
    ctRatio: ratioOf(fields, "ct"),
    vtRatio: ratioOf(fields, "vt"),
    accuracyClass: fields.has("cls") ? fields.text("cls", TEXT) : undefined,
    ...(quantities.includes("power") ? { signSource: SIGN_SOURCE, signVerified: false } : {}),
  });
}

function quantitiesOf(fields: AnswerFields): ChannelDescription["quantities"] {
  const bits = fields.integer("q", 1, 15);
  return QUANTITY_BITS.flatMap(([bit, quantity]) => ((bits & bit) === 0 ? [] : [quantity]));
}

function ratioOf(fields: AnswerFields, key: string): readonly [number, number] | undefined {
  const [numerator, denominator] = fields.optionalCounts(key, { fewest: 2, most: 2 }) ?? [];
  if (numerator === undefined || denominator === undefined) return undefined;
  if (numerator > 0 && denominator > 0) return [numerator, denominator];
  throw answerFault(`${fields.where}: ${key}`, "two numbers above 0", `${numerator}:${denominator}`);
}

function otherProtocol(where: string, got: string, cause?: unknown): Problem {
  return new Problem("coprocessor-protocol", "the firmware does not speak the coprocessor protocol", {
    where,
    expected: `kw ${COPROCESSOR_VERSION}`,
    got,
    hint: "group 64 of this firmware is something else, or of another version; see docs/coprocessor-protocol.md",
    ...(cause === undefined ? {} : { cause }),
  });
}
