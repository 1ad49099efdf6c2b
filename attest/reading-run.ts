import type { ChannelState } from "./channel-state.ts";
import { boundaryAtOrAfter, type Chain, longestPauseMs, type RegisterPoint } from "./intervals.ts";
import { REGISTER } from "./leaf.ts";
import type { ReadingFacts } from "./reading-scan.ts";
import { statesMeterTime } from "./register-time.ts";

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
  #lastSeq: number;
  /** Registers last read; below any where the last reading did not show them. */
  #importMwh: number;
  #exportMwh: number;
  #taken = 0;
  #hasPower: boolean;
  #minPowerMw: number;
  #maxPowerMw: number;
  #statusUnion: number;

  private constructor({ state, chain, last, lastReadingMs }: OpenState, intervalMs: number) {
    this.#before = state;
    this.#chain = chain;
    this.#registers = state.manifest.registers;
    this.#longestPauseMs = longestPauseMs(intervalMs);
    this.#boundaryMs = chain.t0Known ? boundaryAtOrAfter(last.timeMs, intervalMs) : Number.POSITIVE_INFINITY;
    this.#lastTimeMs = state.lastTimeMs;
    this.#lastReadingMs = lastReadingMs;
    this.#lastSeq = last.seq;
    this.#importMwh = last.importMwh ?? -1;
    this.#exportMwh = last.exportMwh ?? -1;
    this.#hasPower = chain.minPowerMw !== undefined;
    this.#minPowerMw = chain.minPowerMw ?? Number.POSITIVE_INFINITY;
    this.#maxPowerMw = chain.maxPowerMw ?? Number.NEGATIVE_INFINITY;
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
  take(reading: ReadingFacts): boolean {
    const { timeMs } = reading;
    if (timeMs < this.#lastTimeMs || timeMs > this.#boundaryMs || statesMeterTime(reading.status))
      return false;
    if (timeMs - this.#lastReadingMs > this.#longestPauseMs || !this.#takeRegisters(reading)) return false;
    this.#lastTimeMs = timeMs;
    this.#lastReadingMs = timeMs;
    this.#lastSeq = reading.seq;
    this.#taken += 1;
    if (reading.status !== 0) this.#statusUnion = (this.#statusUnion | reading.status) >>> 0;
    if (reading.hasPower) this.#takePower(reading.activePowerMw);
    return true;
  }

  /** The channel's state behind the last reading taken. */
  state(): ChannelState {
    if (this.#taken === 0) return this.#before;
    const power = this.#hasPower ? { minPowerMw: this.#minPowerMw, maxPowerMw: this.#maxPowerMw } : {};
    return {
      ...this.#before,
      lastTimeMs: this.#lastTimeMs,
      lastReadingMs: this.#lastReadingMs,
      last: this.#point(),
      chain: {
        ...this.#chain,
        count: this.#chain.count + this.#taken,
        statusUnion: this.#statusUnion,
        ...power,
      },
    };
  }

  /** Just the registers that the manifest names, none of them lower than before. */
  #takeRegisters({ registers, importMwh, exportMwh }: ReadingFacts): boolean {
    if (registers === 0 || registers !== this.#registers) return false;
    const hasImport = (registers & REGISTER.import) !== 0;
    const hasExport = (registers & REGISTER.export) !== 0;
    if (hasImport && importMwh < this.#importMwh) return false;
    if (hasExport && exportMwh < this.#exportMwh) return false;
    if (hasImport) this.#importMwh = importMwh;
    if (hasExport) this.#exportMwh = exportMwh;
    return true;
  }

  #takePower(powerMw: number): void {
    this.#hasPower = true;
    if (powerMw < this.#minPowerMw) this.#minPowerMw = powerMw;
    if (powerMw > this.#maxPowerMw) this.#maxPowerMw = powerMw;
  }

  /** What the full rules remember of the registers of the last reading. */
  #point(): RegisterPoint {
    return {
      seq: this.#lastSeq,
      timeMs: this.#lastReadingMs,
      ...((this.#registers & REGISTER.import) === 0 ? {} : { importMwh: this.#importMwh }),
      ...((this.#registers & REGISTER.export) === 0 ? {} : { exportMwh: this.#exportMwh }),
    };
  }
}

interface OpenState {
  readonly state: ChannelState;
  readonly chain: Chain;
  readonly last: RegisterPoint;
  readonly lastReadingMs: number;
}
