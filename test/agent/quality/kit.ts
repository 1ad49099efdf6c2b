import { type GateChannel, QualityGate, type Verdict } from "../../../agent/quality/gate.ts";
import type { MeterReading } from "../../../attest/reading.ts";

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
  judge(values: Partial<MeterReading>, afterMs = 5000): Verdict {
    this.nowMs += afterMs;
    return this.gate.judge(reading(values), this.nowMs);
  }

  /** In short: "accept", "accept without register-zero", "hold register-down", "discontinuity 2 register-down". */
  say(values: Partial<MeterReading>, afterMs?: number): string {
    const verdict = this.judge(values, afterMs);
    switch (verdict.kind) {
      case "accept":
        return verdict.stripped === undefined ? "accept" : `accept without ${verdict.stripped.code}`;
      case "discontinuity":
        return `discontinuity ${verdict.classification} ${verdict.reason.code}`;
      default:
        return `${verdict.kind} ${verdict.reason.code}`;
    }
  }
}
