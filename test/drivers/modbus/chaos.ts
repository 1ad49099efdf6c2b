import { Problem } from "../../../attest/problem.ts";
import type { ModbusBus } from "../../../drivers/modbus/bus.ts";
import type { PlainReply, WireFault } from "../../../drivers/simulated/modbus-faults.ts";
import type { PeerRequest } from "../../../drivers/simulated/modbus-peer.ts";
import type { SlaveRead } from "../../../drivers/simulated/modbus-slave.ts";
import type { Witness } from "./witness.ts";

export const UNITS: readonly number[] = [1, 2, 3];
const COUNTS = [1, 2, 4] as const;
const TABLES = ["holding", "input"] as const;
const LAST_START = 59;

export interface FaultMix {
  readonly random: () => number;
  /** How many of a hundred replies go wrong. */
  readonly percent: number;
  readonly timeoutMs: number;
  /** The latest reply, after its request. */
  readonly latestMs: number;
  /** The longest gap between the copies of a reply that comes twice. */
  readonly twiceWithinMs: number;
}

/** Faults at random, of every kind there is. */
export function randomFault(mix: FaultMix): WireFault | undefined {
  const { random } = mix;
  const upTo = (most: number): number => Math.floor(random() * most);
  if (random() * 100 >= mix.percent) return undefined;
  const xor = 1 + upTo(255);
  const kinds: readonly (() => WireFault)[] = [
    () => ({ kind: "late", ms: upTo(mix.latestMs) }),
    () => ({ kind: "late", ms: mix.timeoutMs + upTo(mix.latestMs - mix.timeoutMs) }),
    () => ({ kind: "lost" }),
    () => ({ kind: "truncated", bytes: 1 + upTo(12) }),
    // Only a checked byte: nothing on TCP can show a damaged register.
    () => ({ kind: "damaged", at: upTo(8), xor }),
    () => ({ kind: "wrong-header", field: upTo(3) === 0 ? 0 : upTo(2) === 0 ? 1 : 2, xor }),
    () => ({ kind: "wrong-size", words: random() < 0.5 ? 1 : -1 }),
    () => ({ kind: "twice", gapMs: upTo(mix.twiceWithinMs) }),
    () => ({ kind: "behind-previous" }),
    () => ({ kind: "before-foreign" }),
    () => ({
      ...{ kind: "then-unsolicited", afterMs: upTo(2 * mix.timeoutMs) },
      reply: unsolicited(1 + upTo(6), 3 + upTo(2)),
    }),
    () => ({ kind: "noise", bytes: Array.from({ length: 1 + upTo(5) }, () => upTo(256)) }),
    () => ({ kind: "exception", code: 1 + upTo(11) }),
  ];
  return kinds[upTo(kinds.length)]?.();
}

/**
 * Somebody else's reply, or one of a unit that is read, but then of a length that is never asked for: on a serial line
 * one with the unit, function and byte count of the outstanding request could not be told from its reply.
 */
function unsolicited(unit: number, functionCode: number): PlainReply {
  const words = UNITS.includes(unit) ? 3 : 2;
  return { unit, pdu: Uint8Array.of(functionCode, 2 * words, ...new Array<number>(2 * words).fill(unit)) };
}

/** A peer's `fault` that can be switched off, and counts what it did. */
export class FaultSource {
  readonly #mix: FaultMix;
  readonly injected: Map<string, number> = new Map();
  on: boolean = true;

  constructor(mix: FaultMix) {
    this.#mix = mix;
  }

  next(_request: PeerRequest): WireFault | undefined {
    const fault = this.on ? randomFault(this.#mix) : undefined;
    if (fault !== undefined) this.injected.set(fault.kind, (this.injected.get(fault.kind) ?? 0) + 1);
    return fault;
  }
}

export interface ChaosReport {
  /** Reads that were answered and could be traced to their own request. */
  good: number;
  /** Problems by code. */
  readonly errors: Map<string, number>;
  /** Answers that were made for another request, register or unit. */
  readonly wrong: string[];
}

export interface ChaosOptions {
  readonly bus: ModbusBus;
  readonly witness: Witness;
  readonly random: () => number;
  readonly requests: number;
}

/** Reads at random from all units at once, until so many requests have been made. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const report: ChaosReport = { good: 0, errors: new Map(), wrong: [] };
  let left = options.requests;
  const work = async (unit: number): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await readOnce(randomRead(unit, options.random), options, report);
    }
  };
  await Promise.all(UNITS.map(work));
  return report;
}

function randomRead(unit: number, random: () => number): SlaveRead {
  const table = TABLES[random() < 0.5 ? 0 : 1];
  const count = COUNTS[Math.floor(random() * COUNTS.length)] ?? 1;
  return { unit, table, start: Math.floor(random() * LAST_START), count };
}

async function readOnce(read: SlaveRead, { bus, witness }: ChaosOptions, report: ChaosReport): Promise<void> {
  const table = read.table === "input" ? "input" : "holding";
  try {
    const registers = await bus.readRegisters(table, read, { insist: true });
    const fault = witness.fault(read, registers);
    if (fault === undefined) report.good += 1;
    else report.wrong.push(fault);
  } catch (error) {
    const code = error instanceof Problem ? error.code : String(error);
    report.errors.set(code, (report.errors.get(code) ?? 0) + 1);
  }
}
