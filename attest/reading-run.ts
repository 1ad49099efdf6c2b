import type { ChannelState } from "./channel-state.ts";
import { boundaryAtOrAfter, type Chain, longestPauseMs, type RegisterPoint } from "./intervals.ts";
import { REGISTER, type ReadingLeaf } from "./leaf.ts";

/**
 * Readings of one channel that follow each other within one interval, counted in place: the same verdict and
 * the same state as `applyReading` for each of them, without a new state for each. It takes only a reading that
 * breaks no rule and moves nothing but counters; for any other one the caller goes back to the state and lets
 * the full rules decide.
 */
export class ReadingRun {
  readonly #before: ChannelState;
  readonly #chain: Chain;
  readonly #registers: number;
  readonly #longestPauseMs: number;
  /** No close can be due for a reading up to here. */
  readonly #boundaryMs: number;
  #lastTimeMs: number;
  #lastReadingMs: number;
  #last: RegisterPoint;
  #taken = 0;
  #minPowerMw: number | undefined;
  #maxPowerMw: number | undefined;
  #statusUnion: number;

  private constructor(open: OpenState, intervalMs: number) {
    const { state, chain, last, lastReadingMs } = open;
    this.#before = state;
    this.#chain = chain;
    this.#registers = state.manifest.registers;
    this.#longestPauseMs = longestPauseMs(intervalMs);
    this.#boundaryMs = chain.t0Known ? boundaryAtOrAfter(last.timeMs, intervalMs) : Number.POSITIVE_INFINITY;
    this.#lastTimeMs = state.lastTimeMs;
    this.#lastReadingMs = lastReadingMs;
    this.#last = last;
    this.#minPowerMw = chain.minPowerMw;
    this.#maxPowerMw = chain.maxPowerMw;
    this.#statusUnion = chain.statusUnion;
  }

  /** A run that goes on from `state`, or undefined while the next reading there needs the full rules. */
  static after(state: ChannelState, intervalMs: number): ReadingRun | undefined {
    const { chain, last, lastReadingMs } = state;
    if (chain === undefined || last === undefined || lastReadingMs === undefined) return undefined;
    if (state.broken !== undefined || state.replaced === true || state.announced !== undefined)
      return undefined;
    // The boundary is that of the last register; a later reading must not come before it.
    if (last.timeMs > state.lastTimeMs) return undefined;
    return new ReadingRun({ state, chain, last, lastReadingMs }, intervalMs);
  }

  /** Takes the next reading of the channel, or changes nothing and says false. */
  take(leaf: ReadingLeaf): boolean {
    const { timeMs, activePowerMw: power } = leaf;
    if (timeMs < this.#lastTimeMs || timeMs > this.#boundaryMs) return false;
    if (timeMs - this.#lastReadingMs > this.#longestPauseMs || !this.#registersFit(leaf)) return false;
    this.#lastTimeMs = timeMs;
    this.#lastReadingMs = timeMs;
    this.#last = leaf;
    this.#taken += 1;
    if (leaf.status !== undefined) this.#statusUnion = (this.#statusUnion | leaf.status) >>> 0;
    if (power === undefined) return true;
    if (this.#minPowerMw === undefined || power < this.#minPowerMw) this.#minPowerMw = power;
    if (this.#maxPowerMw === undefined || power > this.#maxPowerMw) this.#maxPowerMw = power;
    return true;
  }

  /** The channel's state behind the last reading taken. */
  state(): ChannelState {
    if (this.#taken === 0) return this.#before;
    return {
      ...this.#before,
      lastTimeMs: this.#lastTimeMs,
      lastReadingMs: this.#lastReadingMs,
      last: pointOf(this.#last),
      chain: {
        ...this.#chain,
        count: this.#chain.count + this.#taken,
        statusUnion: this.#statusUnion,
        ...(this.#minPowerMw === undefined ? {} : { minPowerMw: this.#minPowerMw }),
        ...(this.#maxPowerMw === undefined ? {} : { maxPowerMw: this.#maxPowerMw }),
      },
    };
  }

  /** Just the registers that the manifest names, none of them lower than before. */
  #registersFit(leaf: ReadingLeaf): boolean {
    const { importMwh, exportMwh } = leaf;
    const mask =
      (importMwh === undefined ? 0 : REGISTER.import) | (exportMwh === undefined ? 0 : REGISTER.export);
    if (mask === 0 || mask !== this.#registers) return false;
    const { importMwh: importBefore, exportMwh: exportBefore } = this.#last;
    if (importMwh !== undefined && importBefore !== undefined && importMwh < importBefore) return false;
    return !(exportMwh !== undefined && exportBefore !== undefined && exportMwh < exportBefore);
  }
}

interface OpenState {
  readonly state: ChannelState;
  readonly chain: Chain;
  readonly last: RegisterPoint;
  readonly lastReadingMs: number;
}

/** What the full rules remember of a reading's registers, from a point or from a whole leaf. */
function pointOf({ seq, timeMs, importMwh, exportMwh }: RegisterPoint): RegisterPoint {
  return {
    seq,
    timeMs,
    ...(importMwh === undefined ? {} : { importMwh }),
    ...(exportMwh === undefined ? {} : { exportMwh }),
  };
}
