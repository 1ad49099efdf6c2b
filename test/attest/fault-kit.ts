import fc from "fast-check";
import { toHex } from "../../attest/bytes.ts";
import { boundaryAtOrAfter } from "../../attest/intervals.ts";
import { type ClockStep, DISCONTINUITY, REGISTER, TIME_QUALITY } from "../../attest/leaf.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { READING_STATUS } from "../../attest/reading.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import type { Suite } from "../../attest/suite.ts";
import { EPOCH_MS, LogBuilder, type LogBuilderOptions, type ReadingValues } from "../kit/log-builder.ts";
import { mutated } from "./fault-mutate.ts";
import { Dice } from "./fault-subsets.ts";

export const INTERVAL_MS = 60_000;
/**
 * How a log begins: with the longer interval, how often a channel is read decides how near to a boundary is near; and
 * with a clock or without one.
 */
export const beginnings: fc.Arbitrary<LogBuilderOptions> = fc.constantFrom<LogBuilderOptions[]>(
  { intervalMs: INTERVAL_MS },
  { intervalMs: 2 * INTERVAL_MS },
  { intervalMs: INTERVAL_MS, timeQuality: TIME_QUALITY.sinceBoot, startMs: 1000 },
);
export const DAY_MS = 86_400_000;

const checkedKeys = new Map<string, boolean>();

/** The native suite that checks each key once, as profile S asks, so that thousands of files can be tried. */
export const suite: Suite = {
  ...nativeSuite,
  checkPublicKey: (key) => {
    const known = checkedKeys.get(toHex(key)) ?? nativeSuite.checkPublicKey(key);
    checkedKeys.set(toHex(key), known);
    return known;
  },
};

export function signerOf(seed: number): LocalSigner {
  return nativeSigner(new Uint8Array(32).fill(seed));
}

export const device: LocalSigner = signerOf(1);
export const otherDevice: LocalSigner = signerOf(8);
export const node: LocalSigner = signerOf(0xa);

const BOTH: number = REGISTER.import | REGISTER.export;

/** Channel 1 begins with import, channel 2 with both; channel 3 opens late or never. A new meter may count others. */
function registersOf(log: LogBuilder, channel: number): number {
  return log.rules.channels.get(channel)?.manifest.registers ?? (channel === 2 ? BOTH : REGISTER.import);
}

/** What can happen to a device, its meters and its clock, all of it lawful. */
export type Event =
  | { readonly kind: "read"; readonly channel: number; readonly afterMs: number; readonly risesMwh: number }
  | { readonly kind: "boundary"; readonly channel: number; readonly whole: boolean }
  | { readonly kind: "held"; readonly channel: number; readonly behindMs: number }
  | {
      readonly kind: "powerOnly";
      readonly channel: number;
      readonly afterMs: number;
      readonly powerMw: number;
    }
  | {
      readonly kind: "late";
      readonly channel: number;
      readonly afterMs: number;
      /** Behind the instant that the registers are of; negative: behind the last boundary as much more. */
      readonly lagMs: number;
    }
  | { readonly kind: "reset"; readonly channel: number; readonly registerMwh: number }
  | { readonly kind: "broken"; readonly channel: number; readonly known: boolean }
  | { readonly kind: "manifest"; readonly channel: number; readonly serial: number }
  | { readonly kind: "downtime"; readonly ms: number }
  | { readonly kind: "clockSet"; readonly byMs: number; readonly skewMs: number }
  | { readonly kind: "clockLost" }
  | { readonly kind: "clockFound"; readonly byMs: number }
  | { readonly kind: "opaque"; readonly channel: number }
  | { readonly kind: "flexibility"; readonly channel: number }
  | { readonly kind: "other"; readonly which: number }
  | { readonly kind: "closeDue"; readonly channel: number }
  | { readonly kind: "odd"; readonly seed: number }
  | { readonly kind: "checkpoint" }
  | { readonly kind: "anchor" };

const channel = fc.constantFrom(1, 1, 1, 2, 2, 3);
const afterMs = fc.oneof(
  { weight: 6, arbitrary: fc.constant(5000) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 70_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 0, 180_000, 180_001, INTERVAL_MS, 400_000) },
);

function event<K extends Event["kind"], T>(
  kind: K,
  rest: { readonly [P in keyof T]: fc.Arbitrary<T[P]> },
): fc.Arbitrary<T & { kind: K }> {
  // The record has the key that is constant and those that are given.
  return fc.record({ kind: fc.constant(kind), ...rest }) as fc.Arbitrary<T & { kind: K }>;
}

export const lawful: fc.Arbitrary<Event> = fc.oneof(
  { weight: 20, arbitrary: event("read", { channel, afterMs, risesMwh: fc.nat(5000) }) },
  { weight: 2, arbitrary: event("boundary", { channel, whole: fc.boolean() }) },
  { weight: 2, arbitrary: event("held", { channel, behindMs: fc.nat(20_000) }) },
  { weight: 3, arbitrary: event("powerOnly", { channel, afterMs: fc.nat(9000), powerMw: fc.nat(9) }) },
  {
    weight: 3,
    arbitrary: event("late", { channel, afterMs, lagMs: fc.integer({ min: -20_000, max: 70_000 }) }),
  },
  { weight: 1, arbitrary: event("reset", { channel, registerMwh: fc.nat(9000) }) },
  { weight: 1, arbitrary: event("broken", { channel, known: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: event("manifest", {
      channel,
      serial: fc.constantFrom(0, 0, 0, REGISTER.import, REGISTER.export, BOTH),
    }),
  },
  { weight: 1, arbitrary: event("downtime", { ms: fc.integer({ min: 100_000, max: 900_000 }) }) },
  {
    weight: 2,
    arbitrary: event("clockSet", {
      byMs: fc.oneof(
        fc.integer({ min: -2 * DAY_MS, max: 2 * DAY_MS }),
        fc.integer({ min: -90_000, max: 90_000 }),
      ),
      skewMs: fc.constantFrom(0, 0, 0, -30_000, 5000),
    }),
  },
  { weight: 1, arbitrary: event("clockLost", {}) },
  { weight: 3, arbitrary: event("clockFound", { byMs: fc.nat(DAY_MS) }) },
  { weight: 1, arbitrary: event("opaque", { channel: fc.constantFrom(0, 0, 1, 2) }) },
  { weight: 1, arbitrary: event("flexibility", { channel }) },
  { weight: 1, arbitrary: event("other", { which: fc.nat(2) }) },
  { weight: 1, arbitrary: event("closeDue", { channel }) },
  { weight: 4, arbitrary: event("odd", { seed: fc.nat() }) },
  { weight: 4, arbitrary: event("checkpoint", {}) },
  { weight: 1, arbitrary: event("anchor", {}) },
);

/** What happens to one log. */
export const histories: fc.Arbitrary<Event[]> = fc.array(lawful, { maxLength: 70, size: "max" });

export function openedLog(options: LogBuilderOptions = {}): LogBuilder {
  const settings = { suite, signer: device, intervalMs: INTERVAL_MS, startMs: EPOCH_MS + 12_345 };
  return new LogBuilder({ ...settings, ...options });
}

/** Opens channels 1 and 2 and lets the events happen; ends with a checkpoint. What the rules refuse does not happen. */
export async function play(log: LogBuilder, events: readonly Event[]): Promise<LogBuilder> {
  for (const number of [1, 2])
    log.manifest({ channel: number, registers: registersOf(log, number), name: `${number}` });
  for (const now of events) if (isPossible(log, now)) await lawfully(() => happen(log, now));
  await log.checkpoint();
  return log;
}

/** Nothing happens to a channel that is not open but its manifest. */
function isPossible(log: LogBuilder, now: Event): boolean {
  return (
    !("channel" in now) || now.kind === "manifest" || log.rules.channels.has(now.channel) || now.channel === 0
  );
}

async function lawfully(run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
  }
}

type Happening<K extends Event["kind"]> = (log: LogBuilder, now: Extract<Event, { kind: K }>) => unknown;

const HAPPENINGS: { readonly [K in Event["kind"]]: Happening<K> } = {
  read: (log, now) => {
    log.timeMs += now.afterMs;
    return log.read(valuesOf(log, now.channel, now.risesMwh), now.channel);
  },
  boundary: (log, now) => {
    log.timeMs = boundaryAtOrAfter(log.timeMs, log.rules.intervalMs);
    return now.whole
      ? chainOnBoundary(log, now.channel)
      : log.read(valuesOf(log, now.channel, 8), now.channel);
  },
  held: (log, now) => heldRead(log, now.channel, now.behindMs),
  powerOnly: (log, now) => {
    log.timeMs += now.afterMs;
    return log.read({ activePowerMw: now.powerMw - 4, status: 1 << now.powerMw }, now.channel);
  },
  late: (log, now) => {
    log.timeMs += now.afterMs;
    return log.read({ ...valuesOf(log, now.channel, 700), ...lateBy(log, now.lagMs) }, now.channel);
  },
  reset: (log, now) => log.read(resetTo(log, now.channel, now.registerMwh), now.channel),
  broken: (log, now) => breakCount(log, now.channel, now.known),
  manifest: (log, now) => log.manifest(manifestOf(log, now.channel, now.serial)),
  downtime: (log, now) => {
    log.timeMs += now.ms;
  },
  clockSet: (log, now) => (isKnown(log) ? skewedStep(log, now) : log.stepClock(1000, TIME_QUALITY.none)),
  clockLost: (log) => isKnown(log) && log.stepClock(1000, TIME_QUALITY.sinceBoot),
  clockFound: (log, now) => isKnown(log) || log.stepClock(EPOCH_MS + now.byMs, TIME_QUALITY.ntp),
  opaque: (log, now) =>
    log.append({
      ...{ kind: "opaque", number: 40, ...log.time(), body: new Map([[6, 1]]) },
      ...(now.channel === 0 ? {} : { channel: now.channel }),
    }),
  flexibility: (log, now) => log.flexibility({}, now.channel),
  other: (log, now) => appendOther(log, now.which),
  closeDue: (log, now) => log.closeDue(now.channel),
  odd: (log, now) => appendOdd(log, new Dice(now.seed)),
  checkpoint: (log) => log.checkpoint(),
  anchor: anchorLast,
};

function happen(log: LogBuilder, now: Event): unknown {
  // The table has, for each kind, what takes an event of that kind.
  return (HAPPENINGS[now.kind] as (log: LogBuilder, now: Event) => unknown)(log, now);
}

/** Registers of an instant before, most of all of the last boundary. */
function lateBy(log: LogBuilder, lagMs: number): { readonly meterTimeMs: number; readonly status: number } {
  const status = READING_STATUS.registersAtMeterTime;
  if (lagMs >= 0) return { meterTimeMs: Math.max(0, log.timeMs - lagMs), status };
  const boundaryMs = boundaryAtOrAfter(log.timeMs, log.rules.intervalMs);
  log.timeMs = boundaryMs - lagMs;
  return { meterTimeMs: boundaryMs, status };
}

function isKnown(log: LogBuilder): boolean {
  return log.timeQuality >= TIME_QUALITY.batteryClock;
}

/** A step whose old clock is not quite what the last leaves say, as when the clock ran while nothing was written. */
function skewedStep(log: LogBuilder, { byMs, skewMs }: { byMs: number; skewMs: number }): unknown {
  for (const number of log.rules.channels.keys()) log.breakChain(number);
  const before: Pick<ClockStep, "beforeMs" | "beforeQuality"> = {
    beforeMs: log.timeMs + skewMs,
    beforeQuality: log.timeQuality,
  };
  log.timeMs = Math.max(0, log.timeMs + byMs);
  return log.append({ kind: "clockStep", ...before, ...log.time() });
}

function appendOther(log: LogBuilder, which: number): unknown {
  const time = log.time();
  if (which === 0) return log.append({ kind: "tamper", ...time, input: "lid", state: 1 });
  if (which === 1) return log.append({ kind: "operatorAction", ...time, action: "node removed" });
  return log.append({ kind: "tombstone", ...time, firstSeq: 1, count: 1, reason: "thinned" });
}

/** An earlier leaf once more, now or as it was, a little different: what the builder would never write, if it is lawful. */
function appendOdd(log: LogBuilder, dice: Dice): unknown {
  const { leaf } = mutated(dice.pick(log.leaves).leaf, dice);
  return log.append({ ...leaf, ...(dice.chance(70) ? log.time() : {}) });
}

function valuesOf(log: LogBuilder, number: number, risesMwh: number): ReadingValues {
  const last = log.rules.channels.get(number)?.last;
  const importMwh = (last?.importMwh ?? 1_000_000) + risesMwh;
  const exportMwh = (last?.exportMwh ?? 5000) + (risesMwh % 7);
  return {
    ...counted(log, number, { importMwh, exportMwh }),
    ...(risesMwh % 3 === 0 ? {} : { activePowerMw: (risesMwh % 1000) - 300 }),
    ...(risesMwh % 11 === 0 ? { status: 1 + (risesMwh % 5) } : {}),
  };
}

/** Of these registers those that the channel has. */
function counted(
  log: LogBuilder,
  number: number,
  { importMwh, exportMwh }: { readonly importMwh: number; readonly exportMwh: number },
): ReadingValues {
  const registers = registersOf(log, number);
  return {
    ...((registers & REGISTER.import) === 0 ? {} : { importMwh }),
    ...((registers & REGISTER.export) === 0 ? {} : { exportMwh }),
  };
}

function resetTo(log: LogBuilder, number: number, registerMwh: number): ReadingValues {
  return counted(log, number, { importMwh: registerMwh, exportMwh: registerMwh });
}

/**
 * A chain that opens on a boundary and ends there: its close is at no boundary, for none lies behind its begin. The next
 * one counts a reading without registers, and a manifest lets it begin again.
 */
function chainOnBoundary(log: LogBuilder, number: number): unknown {
  breakCount(log, number, false);
  for (const risesMwh of [8, 9]) log.read(valuesOf(log, number, risesMwh), number);
  log.manifest(manifestOf(log, number, 0));
  log.read({ activePowerMw: 999 }, number);
  return log.manifest(manifestOf(log, number, 0));
}

/** A reading that was held back: other channels have gone on since, its own has not. */
function heldRead(log: LogBuilder, number: number, behindMs: number): unknown {
  const nowMs = log.timeMs;
  log.timeMs = Math.max(nowMs - behindMs, log.state(number).lastTimeMs);
  try {
    return log.read(valuesOf(log, number, behindMs % 100), number);
  } finally {
    log.timeMs = nowMs;
  }
}

function breakCount(log: LogBuilder, number: number, known: boolean): unknown {
  const values = known ? resetTo(log, number, 77) : {};
  log.discontinuity(values, { channel: number, classification: DISCONTINUITY.settingsChanged });
  return known ? log.read(values, number) : undefined;
}

/** Opens the channel, replaces its meter, or says something new of the same one. */
function manifestOf(log: LogBuilder, number: number, serial: number): Parameters<LogBuilder["manifest"]>[0] {
  const known = log.rules.channels.get(number)?.manifest.serial;
  const changes = log.leaves.length;
  return {
    ...{ channel: number, name: `${number}`, firmware: `${changes}` },
    registers: serial === 0 ? registersOf(log, number) : serial,
    ...{
      serial: serial === 0 ? (known ?? "4711") : `meter ${serial}`,
      samplingMs: changes % 2 === 0 ? 5000 : 25_000,
    },
  };
}

async function anchorLast(log: LogBuilder): Promise<unknown> {
  const receivedAtMs = EPOCH_MS + log.leaves.length;
  const receipt = await log.receive(node, receivedAtMs);
  return log.anchor(receipt, node, receivedAtMs);
}
