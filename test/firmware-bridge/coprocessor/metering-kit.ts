import { nativeSuite } from "../../../attest/native.ts";
import type { CheckResult } from "../../../drivers/kit/checklist.ts";
import { lineSchema } from "../../../drivers/line/address.ts";
import {
  type CoprocessorCheckOptions,
  checkCoprocessor,
} from "../../../firmware-bridge/coprocessor/conformance/conformance.ts";
import type { HostTime } from "../../../firmware-bridge/coprocessor/conformance/seen.ts";
import type { GroupError } from "../../../firmware-bridge/simulated/smp-server.ts";
import { encodeSmpMap, type SmpMap, type SmpValue, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { type Bench, bench, GRID, PLACE } from "./kit.ts";

/** The time of host and microcontroller, which passes only where somebody waits or bytes are on their way. */
export class TestTime implements HostTime {
  #ms = 0;
  readonly nowMs = (): number => this.#ms;
  readonly pause = (ms: number): Promise<void> => {
    this.pass(ms);
    return Promise.resolve();
  };

  pass(ms: number): void {
    this.#ms += ms;
  }
}

/** What a {@link FrontEnd} shows of its one channel, before it is written down. */
export interface Shown {
  ms: number;
  seq: number;
  age: number;
  p: number;
  i: number;
  e: number;
  u: readonly number[];
  a: readonly number[];
}

export interface FrontEndOptions {
  readonly time: TestTime;
  /** A multiple of 50 ms. */
  readonly latchMs?: number;
  /** How long it has been up when it is asked first. */
  readonly upMs?: number;
  /** What a restart leaves as it was. */
  readonly keeps?: "ms" | "seq" | "boot";
  /** What flows at a time since the start, mW. */
  readonly powerMw?: (ms: number) => number;
  /** The counter of the microcontroller, by the ms that really passed since the start. */
  readonly counter?: (ms: number) => number;
  /** From when on nothing is latched any more. */
  readonly deadMs?: number;
  /** How long question and answer take, the n-th time. */
  readonly wireMs?: (count: number) => readonly [there: number, back: number];
  /** What is exchanged before a snapshot is written down, or answered. */
  readonly exchanged?: (shown: Shown, count: number) => void;
}

const NOT_SUPPORTED = 8;
const NOT_READY: GroupError = { rc: 2, commonRc: 6 };
const STEP_MWH = 1000;
const MWMS_PER_MWH = 3_600_000;
const MA_PER_A = 1_000;
/** Of its counting. */
const COUNTED_MS = 50;

const USUAL: Required<Omit<FrontEndOptions, "time" | "keeps" | "exchanged">> = {
  ...{ latchMs: 250, upMs: 1_500, deadMs: Infinity, counter: (ms) => ms },
  ...{ wireMs: () => [2, 3], powerMw: () => 2_300_000 },
};

/** A front end that latches by a clock of its own, and counts what flows from one time to the next. */
export class FrontEnd {
  readonly #options: FrontEndOptions & typeof USUAL;
  #startedMs: number;
  #boot = 1;
  #seq = 0;
  #latchedMs = 0;
  #reads = 0;
  #inMwms = 1_234_567_000 * MWMS_PER_MWH;
  #outMwms = 89_000 * MWMS_PER_MWH;

  constructor(options: FrontEndOptions) {
    this.#options = { ...USUAL, ...options };
    const { time, upMs } = this.#options;
    this.#startedMs = time.nowMs();
    time.pass(upMs);
  }

  restart(): void {
    const { time, keeps } = this.#options;
    if (keeps !== "boot") this.#boot += 1;
    if (keeps !== "seq") this.#seq = 0;
    if (keeps === "ms") return;
    this.#startedMs = time.nowMs();
    this.#latchedMs = 0;
  }

  /** The answer to `read`, on its way as long as the line takes. */
  read(): SmpMap | GroupError {
    const { time, wireMs, counter, exchanged } = this.#options;
    const [there, back] = wireMs(this.#reads);
    this.#reads += 1;
    time.pass(there);
    const realMs = time.nowMs() - this.#startedMs;
    this.#latch(realMs);
    if (this.#seq === 0) return NOT_READY;
    const ms = Math.floor(counter(this.#latchedMs));
    const shown = this.#shown(ms, Math.floor(counter(realMs)) - ms);
    exchanged?.(shown, this.#reads);
    time.pass(back);
    return this.#answer(shown);
  }

  #latch(realMs: number): void {
    const { latchMs, powerMw, deadMs } = this.#options;
    while (this.#latchedMs + latchMs <= Math.min(realMs, deadMs)) {
      for (const endMs = this.#latchedMs + latchMs; this.#latchedMs < endMs; this.#latchedMs += COUNTED_MS) {
        const flowed = powerMw(this.#latchedMs) * COUNTED_MS;
        if (flowed > 0) this.#inMwms += flowed;
        else this.#outMwms -= flowed;
      }
      this.#seq += 1;
    }
  }

  #shown(ms: number, age: number): Shown {
    const p = this.#options.powerMw(this.#latchedMs);
    const u = 230_000;
    return {
      ...{ ms, age, seq: this.#seq, p, i: wholeSteps(this.#inMwms), e: wholeSteps(this.#outMwms) },
      ...{ u: [u], a: [Math.round((Math.abs(p) * MA_PER_A) / u)] },
    };
  }

  #answer({ ms, seq, age, ...values }: Shown): SmpMap {
    const { u, a, ...numbers } = values;
    const lists: Record<string, SmpValue> = { u: [...u], a: [...a] };
    const channel = smpMap({ n: "grid", r: 1, ...numbers, ...lists });
    const map = smpMap({ kw: 1, sn: "4711", boot: this.#boot, ms, seq, ch: [channel] });
    return smpMap({ s: encodeSmpMap(map), age });
  }
}

function wholeSteps(mwms: number): number {
  const mwh = Math.floor(mwms / MWMS_PER_MWH);
  return mwh - (mwh % STEP_MWH);
}

/** A coprocessor that meters with `frontEnd`, and signs nothing; where it is not polite, a restart is not answered. */
export function meterBench(frontEnd: FrontEnd, isPolite = true): Bench {
  const made = bench({
    ...{ shown: () => [GRID], monotonicMs: () => 0 },
    exchanged: (command, answer) => {
      if (command > 1) return smpMap({ rc: NOT_SUPPORTED });
      return command === 1 ? frontEnd.read() : answer;
    },
  });
  const { mcu } = made;
  const receive = mcu.receive.bind(mcu);
  mcu.receive = (bytes) => {
    const { boots } = mcu;
    const said = receive(bytes);
    if (mcu.boots === boots) return said;
    frontEnd.restart();
    return isPolite ? said : new Uint8Array(0);
  };
  return made;
}

/** Firmware held against the protocol, in the time of `time`. */
export async function held(
  { lines }: Bench,
  options: Partial<CoprocessorCheckOptions> & { readonly time: HostTime },
): Promise<readonly CheckResult[]> {
  const line = lines.lease(lineSchema.parse(PLACE));
  try {
    return await line.talk((connection) =>
      checkCoprocessor(connection, { suite: nativeSuite, signTimeoutMs: 100, ...options }),
    );
  } finally {
    await line.release();
  }
}

export function failed(results: readonly CheckResult[]): string[] {
  return results.flatMap(({ name, outcome }) => (outcome === "failed" ? [name] : []));
}
