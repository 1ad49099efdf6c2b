import type { MeterReading } from "../../attest/reading.ts";
import type { Doubt } from "../../drivers/driver.ts";
import { type Reason, reason } from "./reason.ts";
import { Streak } from "./streak.ts";

/** What is to be done with a reading that its driver doubts. */
export interface DoubtFinding {
  readonly kind: "hold" | "strip";
  readonly reason: Reason;
}

/**
 * Follows what drivers doubt in the readings of one channel. Values of different instants, as a torn read leaves them,
 * agree when they are read again, so the reading is held. A contradiction that stays is the meter's or the driver's
 * own: then what is doubted is left out, and the rest is used.
 */
export class DoubtWatch {
  readonly #streak: Streak;

  constructor(unconfirmed: (held: number) => void) {
    this.#streak = new Streak(unconfirmed);
  }

  judge(doubts: readonly Doubt[], repeated: boolean): DoubtFinding | undefined {
    if (doubts.length === 0) {
      this.#streak.end();
      return undefined;
    }
    const kind = this.#streak.again(repeated) ? "strip" : "hold";
    return { kind, reason: reason("contradiction", doubts.map(({ message }) => message).join("; ")) };
  }
}

/** The reading without what is doubted. A channel has all of its registers or none. */
export function withoutDoubted(reading: MeterReading, doubts: readonly Doubt[]): MeterReading {
  const doubted = new Set(doubts.flatMap(({ quantities }) => quantities));
  const { importMwh, exportMwh, activePowerMw, ...rest } = reading;
  const power = activePowerMw === undefined || doubted.has("power") ? {} : { activePowerMw };
  if (doubted.has("import") || doubted.has("export")) return { ...rest, ...power };
  return {
    ...rest,
    ...power,
    ...(importMwh === undefined ? {} : { importMwh }),
    ...(exportMwh === undefined ? {} : { exportMwh }),
  };
}
