import { Problem } from "../../attest/problem.ts";
import type { ChannelRole, MeterReading } from "../../attest/reading.ts";
import { present } from "../../drivers/present.ts";
import { decodeSmpMap } from "../smp/cbor.ts";
import type { Asking, SmpConnection } from "../smp/connection.ts";
import { AnswerFields } from "./answer-fields.ts";
import { answerFault, coprocessorProblem } from "./problems.ts";
import {
  COPROCESSOR_VERSION,
  channelName,
  MAX_CHANNELS,
  MAX_PHASES,
  MAX_TEXT_BYTES,
  READ,
  requireDistinct,
  STALE_AFTER_MS,
  STATUS_BITS,
} from "./protocol.ts";

/** Where a front end stands in its own counting. */
export interface CoprocessorMoment {
  readonly serial: string;
  /** How often the microcontroller has started in its life. */
  readonly boot: number;
  /** When the values were latched, ms since it started. */
  readonly atMs: number;
  /** Number of the snapshot since it started. */
  readonly number: number;
}

/** What one channel shows, without the digest of its evidence. */
export interface SnapshotChannel {
  readonly role: ChannelRole;
  readonly reading: Omit<MeterReading, "evidence">;
}

/** All values of a front end at one instant. */
export interface CoprocessorSnapshot extends CoprocessorMoment {
  readonly channels: readonly SnapshotChannel[];
}

/** A snapshot as it came. */
export interface TakenSnapshot {
  /** The map that the microcontroller wrote, byte by byte: the evidence. */
  readonly bytes: Uint8Array;
  readonly snapshot: CoprocessorSnapshot;
}

/** How long before its answer its values were taken. */
export interface AgedSnapshot extends TakenSnapshot {
  readonly ageMs: number;
}

export const MAX_SNAPSHOT_BYTES = 4096;
const KEYS = ["kw", "sn", "boot", "ms", "seq", "ch"];
const CHANNEL_KEYS = ["n", "r", "i", "e", "p", "soc", "u", "a", "f", "st"];
const FULL_PPM = 1_000_000;
const PHASES = { fewest: 1, most: MAX_PHASES };

/**
 * Asks for the values of now.
 *
 * @throws Problem `coprocessor-stale` where the front end no longer measures, `coprocessor-not-ready`,
 *   `coprocessor-front-end`, `coprocessor-answer`, `smp-…`, `line-…`
 */
export async function readSnapshot(connection: SmpConnection, asking?: Asking): Promise<TakenSnapshot> {
  const { ageMs, ...taken } = await askSnapshot(connection, asking);
  if (ageMs > STALE_AFTER_MS) throw stale(connection.where(READ), ageMs);
  return taken;
}

/** As {@link readSnapshot}, however old its values are; with how old. */
export async function askSnapshot(connection: SmpConnection, asking?: Asking): Promise<AgedSnapshot> {
  const where = connection.where(READ);
  try {
    const fields = new AnswerFields(await connection.ask(READ, asking), where);
    const bytes = fields.bytes("s", { fewest: 1, most: MAX_SNAPSHOT_BYTES });
    const ageMs = fields.integer("age", 0);
    return { bytes, ageMs, snapshot: decodeSnapshot(bytes, where) };
  } catch (error) {
    throw coprocessorProblem(error);
  }
}

/**
 * Reads the bytes of a snapshot, and nothing that is not in them.
 *
 * @throws Problem `coprocessor-answer`
 */
export function decodeSnapshot(bytes: Uint8Array, where = "snapshot"): CoprocessorSnapshot {
  const fields = new AnswerFields(mapOf(bytes, where), where);
  fields.only(KEYS);
  fields.integer("kw", COPROCESSOR_VERSION, COPROCESSOR_VERSION);
  const channels = fields.maps("ch", MAX_CHANNELS).map(channelOf);
  requireDistinct(
    channels.map(({ reading }) => reading.channel),
    `${where}: ch`,
  );
  return {
    serial: fields.text("sn", { fewest: 1, most: MAX_TEXT_BYTES }),
    boot: fields.integer("boot", 0),
    atMs: fields.integer("ms", 0),
    number: fields.integer("seq", 0),
    channels,
  };
}

function mapOf(bytes: Uint8Array, where: string): ReturnType<typeof decodeSmpMap> {
  try {
    return decodeSmpMap(bytes);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { where: at = "", expected = "", got = "" } = error.detail;
    throw answerFault(`${where}: s: ${at}`, expected, got);
  }
}

function channelOf(fields: AnswerFields): SnapshotChannel {
  fields.only(CHANNEL_KEYS);
  const { name, role } = channelName(fields);
  const status = fields.optionalInteger("st", 0, STATUS_BITS) ?? 0;
  const reading = present<SnapshotChannel["reading"]>({
    channel: name,
    importMwh: fields.optionalInteger("i", 0),
    exportMwh: fields.optionalInteger("e", 0),
    activePowerMw: fields.optionalInteger("p", -Number.MAX_SAFE_INTEGER),
    stateOfChargePpm: fields.optionalInteger("soc", 0, FULL_PPM),
    voltageMv: fields.optionalCounts("u", PHASES),
    currentMa: fields.optionalCounts("a", PHASES),
    frequencyMhz: fields.optionalInteger("f", 0),
    status: status === 0 ? undefined : status,
  });
  return { role, reading };
}

function stale(where: string, ageMs: number): Problem {
  return new Problem("coprocessor-stale", "the metering front end has measured nothing new", {
    where,
    expected: `a snapshot of the last ${STALE_AFTER_MS} ms`,
    got: `one of ${ageMs} ms ago`,
    hint: "the microcontroller answers and its front end stands still; restart it",
  });
}
