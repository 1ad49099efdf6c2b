import type { ChannelState } from "./channel-state.ts";
import { checkField, type Field } from "./field.ts";
import type { Bridge, Chain, RegisterPoint } from "./intervals.ts";
import { fromBase64, fromJson, toBase64, toJson } from "./json.ts";
import type { ChannelManifest } from "./leaf.ts";
import { COMMON_FIELDS, KIND_FIELDS } from "./leaf-fields.ts";
import type { Head, LogState } from "./leaf-rules.ts";
import type { OpenCommitment } from "./open-commitments.ts";
import { describeProblem, Problem } from "./problem.ts";
import { HASH_BYTES } from "./tree.ts";

/** What is saved of a log: what its rules remember, and the frontier of its tree. */
export interface SavedLog {
  readonly state: LogState;
  /** Hashes of the complete subtrees, largest first. */
  readonly peaks: readonly Uint8Array[];
}

const VERSION = 1;

/** Reads one value of text that somebody may have changed; undefined where it may be missing. */
type Reader<T> = (value: unknown) => T;
type Readers<T> = { readonly [P in keyof T]-?: Reader<T[P] | undefined> };

const point: Reader<RegisterPoint> = record<RegisterPoint>({
  ...{ seq: whole, timeMs: whole, importMwh: maybe(whole), exportMwh: maybe(whole) },
});
const chain: Reader<Chain> = record<Chain>({
  ...{ t0Ms: whole, t0Known: truth, opening: point, opens: truth, count: whole, statusUnion: whole },
  ...{ minPowerMw: maybe(whole), maxPowerMw: maybe(whole) },
  bridge: maybe(record<Bridge>({ t0Ms: whole, lostSeq: whole })),
});
const manifestFields: readonly (readonly [string, Field])[] = Object.entries({
  ...COMMON_FIELDS,
  ...KIND_FIELDS.channelManifest,
});
// The tables have just the properties of the interface, and their types.
const manifest: Reader<ChannelManifest> = record({
  kind: kindOfManifest,
  ...Object.fromEntries(manifestFields.map(([name, field]) => [name, fieldReader(name, field)])),
} as unknown as Readers<ChannelManifest>);
const channel: Reader<ChannelState> = record<ChannelState>({
  ...{ manifest, manifestHash: hash, lastTimeMs: whole, lastReadingMs: maybe(whole), last: maybe(point) },
  ...{ chain: maybe(chain), replaced: maybe(truth) },
  broken: maybe(record<{ readonly t0Ms: number }>({ t0Ms: whole })),
  announced: maybe(
    record<NonNullable<ChannelState["announced"]>>({ importMwh: maybe(whole), exportMwh: maybe(whole) }),
  ),
  ...{ lastDiscontinuitySeq: maybe(whole), lastCloseSeq: maybe(whole), lastClockStepSeq: maybe(whole) },
  lastOpaqueSeq: maybe(whole),
});
const head: Reader<Head> = record<Head>({
  ...{ manifestHash: hash, intervalMs: whole, timeMs: whole, timeQuality: whole, bootCount: whole },
});
const saved: Reader<Outline> = record<Outline>({
  ...{ version: whole, size: whole, peaks: list(peak), head: maybe(head), channels: list(channel) },
  commitments: maybe(
    list(record<OpenCommitment>({ seq: whole, channel: whole, boundary: whole, fromMs: whole, toMs: whole })),
  ),
});

interface Outline extends LogState {
  readonly version: number;
  readonly peaks: readonly Uint8Array[];
}

export function writeSaved({ state, peaks }: SavedLog): string {
  return toJson({ version: VERSION, ...state, peaks: peaks.map(toBase64) });
}

/** Throws `json`, and `rules-version` for text of another version or outline. */
export function readSaved(text: string): SavedLog {
  const value = fromJson(text);
  const version = typeof value === "object" && value !== null && "version" in value ? value.version : 0;
  if (version !== VERSION) throw unlike(typeof version === "number" ? `version ${version}` : "none");
  const { peaks, size, channels, commitments, head } = saved(value);
  const open = commitments === undefined ? {} : { commitments };
  return { peaks, state: { size, channels, ...open, ...(head === undefined ? {} : { head }) } };
}

/** A record with just these properties, in the order in which they stand. */
function record<T extends object>(readers: Readers<T>): Reader<T> {
  const named = new Map<string, Reader<unknown>>(Object.entries<Reader<unknown>>(readers));
  return (value) => {
    const read = readFields(value, (name) => named.get(name));
    for (const [name, reader] of named) if (!(name in read)) reader(undefined);
    // Each property has just been read by the reader of its type.
    return read as T;
  };
}

function readFields(
  value: unknown,
  readerOf: (name: string) => Reader<unknown> | undefined,
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw unlike("no record");
  const read: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    const reader = readerOf(name);
    if (reader === undefined) throw unlike(`property ${JSON.stringify(name)}`);
    read[name] = reader(item);
  }
  return read;
}

function maybe<T>(reader: Reader<T>): Reader<T | undefined> {
  return (value) => (value === undefined ? undefined : reader(value));
}

function list<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw unlike("no list");
    return value.map(reader);
  };
}

function whole(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw unlike("no whole number");
}

function truth(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw unlike("neither true nor false");
}

function hash(value: unknown): Uint8Array {
  if (value instanceof Uint8Array && value.length === HASH_BYTES) return value;
  throw unlike("no hash");
}

function peak(value: unknown): Uint8Array {
  if (typeof value === "string") return hash(fromBase64(value));
  throw unlike("no base64 text");
}

/** Of the type and length that the field table says. */
function fieldReader(name: string, field: Field): Reader<unknown> {
  return (value) => {
    if (value === undefined && field.optional) return undefined;
    try {
      return checkField(name, field, value);
    } catch (cause) {
      throw unlike(describeProblem(cause).message);
    }
  };
}

function kindOfManifest(value: unknown): "channelManifest" {
  if (value === "channelManifest") return value;
  throw unlike("another kind of leaf");
}

function unlike(got: string): Problem {
  return new Problem("rules-version", "saved state of a log is of another version", {
    expected: `version ${VERSION}`,
    got,
  });
}
