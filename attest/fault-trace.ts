import { channelOf, type ShownLeaves } from "./fault-leaves.ts";
import {
  type ClockStep,
  type Discontinuity,
  KNOWN_TIME,
  type Leaf,
  REGISTER,
  type ReadingLeaf,
} from "./leaf.ts";

/** An instant that a channel remembers, by the clock as it is now, and the leaf it comes from. */
export interface Instant {
  readonly seq: number;
  readonly ms: number;
}

/** Registers as a leaf gives them; an absent one is not known to that leaf. */
export interface Registers {
  readonly seq: number;
  readonly importMwh: number | undefined;
  readonly exportMwh: number | undefined;
}

/**
 * What the unbroken run of shown leaves before a leaf says of its channel. Undefined is what the run does not reach
 * back to, never "there was none".
 */
export interface Before {
  /** The channel's last leaf. */
  readonly last?: Instant;
  /** Its last reading or discontinuity, from which a pause counts. */
  readonly heard?: Instant;
  /** Its last reading with registers, with no discontinuity since. */
  readonly registers?: Registers;
  /** Its last discontinuity, with no reading with registers since. */
  readonly broken?: Discontinuity;
  /** Which registers it counts: by its last manifest, or by a reading since. */
  readonly counts?: { readonly seq: number; readonly mask: number };
}

/** A leaf of a channel, and what comes before it. */
export interface Trace {
  readonly leaf: Leaf;
  readonly before: Before;
}

/** Every leaf of a channel among those shown, with what its run tells. A leaf that is not shown ends the run. */
export function traces(shown: ShownLeaves): Trace[] {
  const found: Trace[] = [];
  let channels = new Map<number, Before>();
  let next = 0;
  for (const { leaf } of shown.all) {
    if (leaf.seq !== next) channels = new Map();
    next = leaf.seq + 1;
    if (leaf.kind === "clockStep") channels = moved(channels, leaf);
    const channel = channelOf(leaf);
    if (channel === undefined) continue;
    const before = channels.get(channel) ?? {};
    found.push({ leaf, before });
    channels.set(channel, after(before, leaf));
  }
  return found;
}

function after(before: Before, leaf: Leaf): Before {
  const last: Instant = { seq: leaf.seq, ms: leaf.timeMs };
  if (leaf.kind === "reading") return afterReading(before, leaf, last);
  const { registers, ...rest } = before;
  if (leaf.kind === "discontinuity") return { ...rest, last, heard: last, broken: leaf };
  if (leaf.kind !== "channelManifest") return { ...before, last };
  return { ...before, last, counts: { seq: leaf.seq, mask: leaf.registers } };
}

function afterReading(before: Before, leaf: ReadingLeaf, last: Instant): Before {
  const { importMwh, exportMwh, seq } = leaf;
  const mask = registerMask(importMwh, exportMwh);
  if (mask === 0) return { ...before, last, heard: last };
  return { last, heard: last, registers: { seq, importMwh, exportMwh }, counts: { seq, mask } };
}

/** OR of {@link REGISTER} for the registers that are there. */
export function registerMask(importMwh: number | undefined, exportMwh: number | undefined): number {
  return (importMwh === undefined ? 0 : REGISTER.import) | (exportMwh === undefined ? 0 : REGISTER.export);
}

export function hasRegisters(leaf: ReadingLeaf): boolean {
  return registerMask(leaf.importMwh, leaf.exportMwh) !== 0;
}

function moved(channels: ReadonlyMap<number, Before>, step: ClockStep): Map<number, Before> {
  const move = ({ seq, ms }: Instant): Instant => ({ seq, ms: movedByStep(ms, step) });
  return new Map(
    [...channels].map(([channel, before]) => [
      channel,
      {
        ...before,
        ...(before.last && { last: move(before.last) }),
        ...(before.heard && { heard: move(before.heard) }),
      },
    ]),
  );
}

/**
 * Where the clock that a step sets has an instant that the clock before showed as `ms`: `applyClockStep` moves all
 * that a channel remembers in this way.
 */
function movedByStep(ms: number, step: ClockStep): number {
  if (step.beforeQuality >= KNOWN_TIME && step.timeQuality < KNOWN_TIME) return step.timeMs;
  return Math.max(step.timeMs + Math.min(ms - step.beforeMs, 0), 0);
}

/**
 * An instant that leaf `from` tells, as leaf `to` has it: moved by every clock step between. Undefined unless all
 * leaves between are shown.
 */
export function movedTo(
  shown: ShownLeaves,
  ms: number,
  span: { readonly from: number; readonly to: number },
): number | undefined {
  if (!shown.covers(span.from, span.to)) return undefined;
  let now = ms;
  for (let seq = span.from + 1; seq < span.to; seq++) {
    const leaf = shown.at(seq)?.leaf;
    if (leaf?.kind === "clockStep") now = movedByStep(now, leaf);
  }
  return now;
}

/**
 * Where a chain that began at `ms`, which leaf `from` tells, stood on the last known clock before one that was not, by the
 * clock steps between `from` and `to`; undefined where there is none. All leaves between have to be shown.
 */
export function stoodAt(
  shown: ShownLeaves,
  ms: number,
  span: { readonly from: number; readonly to: number },
): number | undefined {
  let now = ms;
  let stood: number | undefined;
  for (let seq = span.from + 1; seq < span.to; seq++) {
    const leaf = shown.at(seq)?.leaf;
    if (leaf?.kind !== "clockStep") continue;
    if (leaf.beforeQuality >= KNOWN_TIME && leaf.timeQuality < KNOWN_TIME)
      stood = Math.min(stood ?? now, now);
    now = movedByStep(now, leaf);
  }
  return stood;
}
