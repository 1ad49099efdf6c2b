import { type GateChannel, QualityGate, type Verdict } from "../../../agent/quality/gate.ts";
import type { MeterReading } from "../../../attest/reading.ts";
import type { Doubt } from "../../../drivers/driver.ts";

export const EVIDENCE: Uint8Array = new Uint8Array(32).fill(7);

/** A grid connection of 3 x 25 A with 1 Wh steps. */
export const GRID: GateChannel = {
  name: "grid",
  role: "grid",
  quantities: ["import", "export", "power"],
  resolutionMwh: 1000,
  maxImportMw: 17_250_000,
  maxExportMw: 17_250_000,
};

export function reading(values: Partial<MeterReading>): MeterReading {
  return { channel: "grid", evidence: EVIDENCE, ...values };
}

/** A gate that is asked at a fixed pace, with a clock of its own. */
export class Bench {
  readonly gate: QualityGate;
  nowMs = 1000;

  constructor(channel: GateChannel = GRID, restored?: ConstructorParameters<typeof QualityGate>[1]) {
    this.gate = new QualityGate(channel, restored);
  }

  /** Judges after `afterMs`. */
  judge(values: Partial<MeterReading>, afterMs = 5000, doubts: readonly Doubt[] = []): Verdict {
    this.nowMs += afterMs;
    return this.gate.judge(reading(values), this.nowMs, doubts);
  }

  /** The same in {@link inShort}. */
  say(values: Partial<MeterReading>, afterMs?: number, doubts?: readonly Doubt[]): string {
    return inShort(this.judge(values, afterMs, doubts));
  }
}

/** "accept", "accept without register-zero", "accept as stale", "hold register-down", "discontinuity 2 register-down". */
export function inShort(verdict: Verdict): string {
  switch (verdict.kind) {
    case "accept":
      if (verdict.stripped !== undefined) return `accept without ${verdict.stripped.code}`;
      return verdict.marked === undefined ? "accept" : `accept as ${verdict.marked.code}`;
    case "discontinuity":
      return `discontinuity ${verdict.classification} ${verdict.reason.code}`;
    default:
      return `${verdict.kind} ${verdict.reason.code}`;
  }
}

/** Accepted registers with their times, cut into runs without a discontinuity. */
export function acceptedRuns(
  steps: readonly { readonly atMs: number; readonly verdict: Verdict }[],
): { readonly atMs: number; readonly reading: MeterReading }[][] {
  const found: { atMs: number; reading: MeterReading }[][] = [[]];
  for (const { atMs, verdict } of steps) {
    if (verdict.kind === "discontinuity") found.push([]);
    if (verdict.kind !== "accept" && verdict.kind !== "discontinuity") continue;
    found.at(-1)?.push({ atMs, reading: verdict.reading });
  }
  return found;
}
