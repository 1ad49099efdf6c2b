import type { IntervalClose, Leaf, ReadingLeaf } from "../../../attest/leaf.ts";
import type { Served } from "./meter.ts";

/** What was counted along one channel, in mWh. */
export interface EnergyCount {
  readonly closes: number;
  /** Sum of all segments. */
  readonly provenMwh: { readonly import: number; readonly export: number };
  /** Stated gaps, and what the registers moved by in them. */
  readonly gaps: number;
  readonly gapMwh: { readonly import: number; readonly export: number };
  /** The register at the end less the register at the begin, as the meter itself showed them. */
  readonly shownMwh: { readonly import: number; readonly export: number };
  readonly readings: number;
  readonly problems: readonly string[];
}

export interface CountOptions {
  readonly channel: string;
  readonly served: readonly Served[];
  /** How much later than the meter showed it a reading may be stamped, ms. */
  readonly lateMs?: number;
  /** The agent's clock was set by the harness: times are not held against the meter's. */
  readonly clockIsFaked?: boolean;
}

interface Register {
  readonly importMwh: number;
  readonly exportMwh: number;
}

/** The agent's clock runs by itself between looks at the machine's, which may be drawn to the right time meanwhile. */
const EARLY_MS = 1000;
const LATE_MS = 5000;

/**
 * The independent count: every register that was sealed was shown by the meter at that time, once and in this order; the
 * closes of the channel follow each other without overlap or hole; segments and stated gaps add up to what the
 * meter showed at the end less what it showed at the begin.
 */
export function countEnergy(epochs: readonly (readonly Leaf[])[], options: CountOptions): EnergyCount {
  const count = new Counter(options);
  for (const leaves of epochs) count.epoch(leaves);
  return count.result();
}

class Counter {
  readonly #options: CountOptions;
  readonly #problems: string[] = [];
  readonly #proven = { import: 0, export: 0 };
  readonly #gapped = { import: 0, export: 0 };
  #shownAt = 0;
  #opensEpoch = false;
  #closes = 0;
  #gaps = 0;
  #readings = 0;
  #first: Register | undefined;
  #previous: (Register & { readonly t1Ms: number; readonly seq: number }) | undefined;

  constructor(options: CountOptions) {
    this.#options = options;
  }

  epoch(leaves: readonly Leaf[]): void {
    const manifests = leaves.filter((leaf) => leaf.kind === "channelManifest");
    const channel = manifests.find(({ name }) => name === this.#options.channel)?.channel;
    const readings = new Map<number, ReadingLeaf>();
    this.#opensEpoch = true;
    this.#shownAt = 0;
    for (const leaf of leaves) {
      if (leaf.kind === "reading" && leaf.channel === channel) {
        readings.set(leaf.seq, leaf);
        this.#reading(leaf);
      } else if (leaf.kind === "intervalClose" && leaf.channel === channel)
        this.#close(leaf, readings, leaves);
    }
  }

  result(): EnergyCount {
    const [from, to] = [this.#first, this.#previous];
    const shown = {
      import: (to?.importMwh ?? 0) - (from?.importMwh ?? 0),
      export: (to?.exportMwh ?? 0) - (from?.exportMwh ?? 0),
    };
    for (const way of ["import", "export"] as const) {
      const counted = this.#proven[way] + this.#gapped[way];
      if (counted !== shown[way])
        this.#say(`${way}: segments and gaps are ${counted} mWh, the meter showed ${shown[way]} mWh`);
    }
    return {
      ...{ closes: this.#closes, provenMwh: this.#proven, gaps: this.#gaps, gapMwh: this.#gapped },
      ...{ shownMwh: shown, readings: this.#readings, problems: this.#problems },
    };
  }

  /** Readings are sealed in the order in which the meter showed them, each of them at most once. */
  #reading({ seq, timeMs, importMwh, exportMwh }: ReadingLeaf): void {
    this.#readings += 1;
    const { served, lateMs = LATE_MS, clockIsFaked = false } = this.#options;
    for (; this.#shownAt < served.length; this.#shownAt++) {
      const shown = served[this.#shownAt];
      if (shown === undefined || shown.importMwh !== importMwh || shown.exportMwh !== exportMwh) continue;
      const lateBy = timeMs - shown.atMs;
      if (!clockIsFaked && (lateBy < -EARLY_MS || lateBy > lateMs)) continue;
      this.#shownAt += 1;
      return;
    }
    const same = served.filter((shown) => shown.importMwh === importMwh && shown.exportMwh === exportMwh);
    const when = same.map(({ atMs }) => Math.floor(atMs)).join(", ");
    this.#say(
      `reading ${seq} (${importMwh}, ${exportMwh} at ${timeMs}) was shown by the meter at: ${when || "no time"}`,
    );
    // The search begins anew, so that one wrong reading is one problem.
    this.#shownAt = 0;
  }

  #close(close: IntervalClose, readings: ReadonlyMap<number, ReadingLeaf>, leaves: readonly Leaf[]): void {
    this.#closes += 1;
    const [opening, closing] = [openingOf(close), closingOf(close)];
    this.#requireRead(close.seq, opening, readings.get(close.openingSeq));
    this.#requireRead(close.seq, closing, readings.get(close.closingSeq));
    if (close.t1Ms < close.t0Ms) this.#say(`close ${close.seq} ends before it begins`);
    this.#first ??= opening;
    this.#joint(close, opening, leaves);
    this.#proven.import += closing.importMwh - opening.importMwh;
    this.#proven.export += closing.exportMwh - opening.exportMwh;
    this.#previous = { ...closing, t1Ms: close.t1Ms, seq: close.seq };
  }

  #requireRead(seq: number, said: Register, reading: ReadingLeaf | undefined): void {
    if (reading?.importMwh === said.importMwh && reading.exportMwh === said.exportMwh) return;
    this.#say(`close ${seq} names a reading that does not show its register`);
  }

  /** From one close to the next: the same register at the same time, or a stated gap, or a stated step of the clock. */
  #joint(close: IntervalClose, opening: Register, leaves: readonly Leaf[]): void {
    const before = this.#previous;
    if (before === undefined) return;
    const isSame = before.importMwh === opening.importMwh && before.exportMwh === opening.exportMwh;
    const since = this.#opensEpoch ? -1 : before.seq;
    this.#opensEpoch = false;
    if (isSame && before.t1Ms === close.t0Ms) return;
    const between = leaves.filter(({ seq }) => seq > since && seq < close.seq);
    if (isSame && between.some(({ kind }) => kind === "clockStep")) return;
    const risen = opening.importMwh >= before.importMwh && opening.exportMwh >= before.exportMwh;
    if (!risen || !between.some((leaf) => isBreak(leaf, close.channel))) {
      const said = `${before.importMwh} at ${before.t1Ms} and ${opening.importMwh} at ${close.t0Ms}`;
      this.#say(`close ${close.seq} does not follow the one before: ${said}`);
      return;
    }
    this.#gaps += 1;
    this.#gapped.import += opening.importMwh - before.importMwh;
    this.#gapped.export += opening.exportMwh - before.exportMwh;
  }

  #say(problem: string): void {
    if (this.#problems.length < 10) this.#problems.push(problem);
  }
}

/** What says that the energy between two closes is not claimed. */
function isBreak(leaf: Leaf, channel: number): boolean {
  return leaf.kind === "epochOpen" || (leaf.kind === "discontinuity" && leaf.channel === channel);
}

function openingOf(close: IntervalClose): Register {
  return { importMwh: close.openingImportMwh ?? Number.NaN, exportMwh: close.openingExportMwh ?? Number.NaN };
}

function closingOf(close: IntervalClose): Register {
  return { importMwh: close.closingImportMwh ?? Number.NaN, exportMwh: close.closingExportMwh ?? Number.NaN };
}
