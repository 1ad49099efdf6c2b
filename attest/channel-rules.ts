import { toHex } from "./bytes.ts";
import {
  breakClose,
  bridgeAfter,
  bridgeOf,
  type ChannelState,
  closeReferences,
  dueClose,
  keepsCount,
  requireNoDueClose,
  requireNoOpenEnergy,
  withoutExtensions,
} from "./channel-state.ts";
import {
  type Chain,
  chainAfterClose,
  longestPauseMs,
  openChain,
  type RegisterPoint,
  withoutBridge,
} from "./intervals.ts";
import {
  type ChannelManifest,
  CLOSE_SHAPE,
  type ClockStep,
  type Discontinuity,
  type IntervalClose,
  KNOWN_TIME,
  REGISTER,
  type ReadingLeaf,
} from "./leaf.ts";
import { KIND_FIELDS } from "./leaf-fields.ts";
import type { FlexibilityLeaf } from "./leaf-flexibility.ts";
import { Problem } from "./problem.ts";
import { registersMs } from "./register-time.ts";

const CLOSE_PROPERTIES = Object.keys(KIND_FIELDS.intervalClose).filter((name) => name !== "channel");

/** A later manifest of the same channel. Same meter: the chain goes on from the last register. */
export function applyManifest(
  state: ChannelState,
  manifest: ChannelManifest,
  hash: Uint8Array,
): ChannelState {
  requireNoOpenEnergy(state);
  checkOrder(state, manifest.timeMs);
  const { chain, broken, ...rest } = state;
  const next = {
    ...rest,
    manifest: withoutExtensions(manifest),
    manifestHash: hash,
    lastTimeMs: manifest.timeMs,
  };
  if (!sameMeter(state.manifest, manifest)) return { ...next, replaced: state.last !== undefined };
  // While the clock is not known no close can be written, so the chain must keep what it has counted.
  if (chain !== undefined && (!chain.t0Known || keepsCount(state))) return { ...next, chain };
  const t0Ms = broken?.t0Ms ?? chain?.t0Ms;
  if (state.last === undefined || t0Ms === undefined) return next;
  return { ...next, chain: { ...openChain(state.last, t0Ms, true), ...bridgeOf(chain) } };
}

/** An accepted reading: order in time, pause, registers that never fall, no close left out before it. */
export function applyReading(state: ChannelState, leaf: ReadingLeaf, intervalMs: number): ChannelState {
  checkOrder(state, leaf.timeMs);
  checkPause(state, leaf.timeMs, intervalMs);
  requireNoDueClose(state, leaf.timeMs, intervalMs);
  const point = registerPoint(state, leaf);
  const times = { lastTimeMs: leaf.timeMs, lastReadingMs: leaf.timeMs };
  if (point === undefined) return { ...state, ...times, ...countedInto(state.chain, leaf) };
  if (state.broken !== undefined || state.replaced === true) {
    throw new Problem(
      "discontinuity-missing",
      "a reading follows an ended chain without the reason for the break",
    );
  }
  checkRegisters(state, point);
  const { announced: _, ...rest } = state;
  const chain =
    state.chain === undefined
      ? openChain(point, point.timeMs, leaf.timeQuality >= KNOWN_TIME)
      : counted(state.chain, leaf);
  return { ...rest, ...times, last: point, chain };
}

/** A close must say exactly what the readings before it give. */
export function applyClose(state: ChannelState, leaf: IntervalClose, intervalMs: number): ChannelState {
  checkOrder(state, leaf.timeMs);
  const before = asStatedBy(leaf, state);
  const due = dueClose(before, leaf.timeMs, intervalMs);
  const ends = ((leaf.shape ?? 0) & CLOSE_SHAPE.endsChain) !== 0;
  const body = due ?? (ends ? breakClose(before, intervalMs) : undefined);
  if (body === undefined || state.last === undefined)
    throw new Problem("close-unexpected", "no close is due here");
  requireSame(leaf, { ...body, ...closeReferences(state) }, CLOSE_PROPERTIES);
  const times = { lastTimeMs: leaf.timeMs, lastCloseSeq: leaf.seq };
  if (!ends) return { ...state, ...times, chain: chainAfterClose(state.last, leaf.t1Ms) };
  const { chain: _, ...rest } = state;
  return { ...rest, ...times, broken: { t0Ms: leaf.t1Ms } };
}

/** A close without the bit is of a device from before bridges: what it says follows from the leaves in its own way. */
function asStatedBy({ shape = 0 }: IntervalClose, state: ChannelState): ChannelState {
  if (state.chain === undefined || (shape & CLOSE_SHAPE.bridges) !== 0) return state;
  return { ...state, chain: withoutBridge(state.chain) };
}

/** A stated break: old registers as last read, new ones as the next reading shows them. */
export function applyDiscontinuity(
  state: ChannelState,
  leaf: Discontinuity,
  intervalMs: number,
): ChannelState {
  checkOrder(state, leaf.timeMs);
  requireNoDueClose(state, leaf.timeMs, intervalMs);
  requireNoOpenEnergy(state);
  if (state.lastReadingMs === undefined)
    throw new Problem("discontinuity-unexpected", "no reading comes before the discontinuity");
  requireSame(leaf, {
    oldImportMwh: state.last?.importMwh,
    oldExportMwh: state.last?.exportMwh,
    gapFromMs: state.lastReadingMs,
    previousDiscontinuitySeq: state.lastDiscontinuitySeq,
  });
  if (leaf.gapToMs < leaf.gapFromMs || leaf.gapToMs > leaf.timeMs) {
    throw new Problem("leaf-mismatch", "the gap does not end between its begin and the leaf's own time");
  }
  const { chain: _c, broken: _b, replaced: _r, last: _l, announced: _a, ...rest } = state;
  return {
    ...rest,
    lastTimeMs: leaf.timeMs,
    lastReadingMs: leaf.timeMs,
    lastDiscontinuitySeq: leaf.seq,
    ...announcedBy(state, leaf),
  };
}

/** A break that names no new registers leaves open where the next reading begins. */
function announcedBy(state: ChannelState, leaf: Discontinuity): Pick<ChannelState, "announced"> {
  const { newImportMwh: importMwh, newExportMwh: exportMwh } = leaf;
  const mask = registerMask(importMwh, exportMwh);
  if (mask === 0) return {};
  requireRegisters(state, mask, "discontinuity");
  return { announced: { ...values("importMwh", importMwh), ...values("exportMwh", exportMwh) } };
}

/** A flexibility reading names the manifest under which it is to be understood. */
export function applyFlexibility(state: ChannelState, leaf: FlexibilityLeaf): ChannelState {
  requireSame(leaf, { manifestSeq: state.manifest.seq, manifestHash: state.manifestHash });
  return applyOther(state, leaf.timeMs);
}

/** Any other leaf of the channel: only its order in time matters. */
export function applyOther(state: ChannelState, timeMs: number): ChannelState {
  checkOrder(state, timeMs);
  return { ...state, lastTimeMs: timeMs };
}

/**
 * The clock was set. Times that the channel remembers move with it, so that order and pauses are judged on one
 * clock. A chain on a known clock must have been closed; it goes on from its last register.
 */
export function applyClockStep(state: ChannelState, step: Omit<ClockStep, "salt">): ChannelState {
  requireNoOpenEnergy(state);
  const wasKnown = step.beforeQuality >= KNOWN_TIME;
  const isKnown = step.timeQuality >= KNOWN_TIME;
  // From a known clock to none nothing can be mapped: what was read counts as read just before the step.
  const move = (ms: number): number =>
    wasKnown && !isKnown ? step.timeMs : Math.max(step.timeMs + Math.min(ms - step.beforeMs, 0), 0);
  const { broken, ...rest } = state;
  const moved = { ...rest, lastTimeMs: move(state.lastTimeMs), lastClockStepSeq: step.seq };
  const reading = state.lastReadingMs === undefined ? {} : { lastReadingMs: move(state.lastReadingMs) };
  if (state.last === undefined) return { ...moved, ...reading };
  const last = { ...state.last, timeMs: move(state.last.timeMs) };
  const t0Ms = broken?.t0Ms ?? state.chain?.t0Ms;
  if (t0Ms === undefined) return { ...moved, ...reading, last };
  const begin = { t0Ms: move(t0Ms), t0Known: isKnown };
  const goesOn = !wasKnown || keepsCount(state);
  const chain = goesOn && state.chain !== undefined ? state.chain : openChain(last, t0Ms, false);
  const bridge = bridgeAfter(state.chain, step, { t0Ms, isLost: wasKnown && !isKnown });
  return { ...moved, ...reading, last, chain: { ...withoutBridge(chain), ...begin, ...bridge } };
}

/**
 * Whether `step` leaves the channel's chain without a begin in UTC that comes before all that it has counted: it began on
 * a clock that was not known and is followed by another one, or stood behind where the new clock finds it. A device states
 * a gap before such a step.
 */
export function losesBegin(state: ChannelState, step: Omit<ClockStep, "seq" | "salt">): boolean {
  if (state.chain === undefined) return false;
  const { chain } = applyClockStep(state, { ...step, seq: 0 });
  if (chain === undefined) return false;
  const { bridge, t0Known, t0Ms } = chain;
  return bridge === undefined ? !t0Known : t0Known && bridge.t0Ms > t0Ms;
}

function checkOrder(state: ChannelState, timeMs: number): void {
  if (timeMs >= state.lastTimeMs) return;
  throw new Problem("time-backwards", "time went back without a clock step", {
    expected: `${state.lastTimeMs} or later`,
    got: String(timeMs),
  });
}

function checkPause(state: ChannelState, timeMs: number, intervalMs: number): void {
  if (state.lastReadingMs === undefined || timeMs - state.lastReadingMs <= longestPauseMs(intervalMs)) return;
  throw new Problem("gap-missing", "a pause was not stated as a gap", {
    expected: `at most ${longestPauseMs(intervalMs)} ms between readings`,
    got: `${timeMs - state.lastReadingMs} ms`,
  });
}

function registerPoint(state: ChannelState, leaf: ReadingLeaf): RegisterPoint | undefined {
  const { importMwh, exportMwh } = leaf;
  const mask = registerMask(importMwh, exportMwh);
  if (mask === 0) return undefined;
  requireRegisters(state, mask, "reading");
  return {
    seq: leaf.seq,
    timeMs: registersMs(leaf, state.chain?.t0Ms),
    ...values("importMwh", importMwh),
    ...values("exportMwh", exportMwh),
  };
}

function registerMask(importMwh: number | undefined, exportMwh: number | undefined): number {
  return (importMwh === undefined ? 0 : REGISTER.import) | (exportMwh === undefined ? 0 : REGISTER.export);
}

function requireRegisters(state: ChannelState, mask: number, what: string): void {
  if (mask === state.manifest.registers) return;
  throw new Problem("registers-mismatch", `${what} carries other registers than its channel manifest says`, {
    expected: String(state.manifest.registers),
    got: String(mask),
  });
}

function checkRegisters(state: ChannelState, point: RegisterPoint): void {
  if (state.announced !== undefined) {
    requireSame(point, { importMwh: state.announced.importMwh, exportMwh: state.announced.exportMwh });
    return;
  }
  if (state.last === undefined) return;
  for (const name of ["importMwh", "exportMwh"] as const) {
    const before = state.last[name];
    const now = point[name];
    if (before === undefined || now === undefined || now >= before) continue;
    throw new Problem("register-drop", `${name} went down without a discontinuity`, {
      expected: `${before} or more`,
      got: String(now),
    });
  }
}

function counted(chain: Chain, leaf: ReadingLeaf): Chain {
  const power = leaf.activePowerMw;
  return {
    ...chain,
    count: chain.count + 1,
    // Bits 0 to 31; without the shift bit 31 would make the union negative and the close impossible.
    statusUnion: (chain.statusUnion | (leaf.status ?? 0)) >>> 0,
    ...values(
      "minPowerMw",
      power === undefined ? chain.minPowerMw : Math.min(power, chain.minPowerMw ?? power),
    ),
    ...values(
      "maxPowerMw",
      power === undefined ? chain.maxPowerMw : Math.max(power, chain.maxPowerMw ?? power),
    ),
  };
}

/** A reading without registers still counts towards the close that comes next. */
function countedInto(chain: Chain | undefined, leaf: ReadingLeaf): { readonly chain?: Chain } {
  return chain === undefined ? {} : { chain: counted(chain, leaf) };
}

/** Whether what one manifest's readings count goes on with the other's. */
export function sameMeter(a: ChannelManifest, b: ChannelManifest): boolean {
  const ratio = (list?: readonly number[]): string => (list ?? []).join("/");
  return (
    a.make === b.make &&
    a.model === b.model &&
    a.serial === b.serial &&
    a.registers === b.registers &&
    ratio(a.ctRatio) === ratio(b.ctRatio) &&
    ratio(a.vtRatio) === ratio(b.vtRatio)
  );
}

/** Byte strings compare by content, an absent property equals undefined. Throws `leaf-mismatch`. */
function requireSame(leaf: object, expected: object, names: readonly string[] = Object.keys(expected)): void {
  const actual = new Map<string, unknown>(Object.entries(leaf));
  const wanted = new Map<string, unknown>(Object.entries(expected));
  for (const name of names) {
    const want = shown(wanted.get(name));
    const got = shown(actual.get(name));
    if (want === got) continue;
    throw new Problem("leaf-mismatch", `"${name}" is not what the leaves before it give`, {
      expected: want,
      got,
    });
  }
}

/** Bytes as hexadecimal, whichever kind of array holds them: Node's Buffer has words of its own. */
function shown(value: unknown): string {
  return value instanceof Uint8Array ? toHex(value) : String(value);
}

function values<N extends string>(name: N, value: number | undefined): Partial<Record<N, number>> {
  // An absent value must leave no property behind, or it would stand on the wire.
  return (value === undefined ? {} : { [name]: value }) as Partial<Record<N, number>>;
}
