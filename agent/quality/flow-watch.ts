import type { MeterReading } from "../../attest/reading.ts";
import { durationText, energyText, powerText } from "../words.ts";
import { fullReserveMwh } from "./allowance.ts";
import type { Limits } from "./limits.ts";
import { type Reason, reason } from "./reason.ts";
import { EACH_REGISTER, type RegisterKind } from "./registers.ts";
import { coarsestStep } from "./steps.ts";

/** What follows from power and registers together. */
export interface FlowFinding {
  readonly kind: "frozen" | "direction";
  readonly reason: Reason;
}

/** One register for as long as it stands. */
interface Stand {
  readonly shownMwh: number;
  readonly sinceMs: number;
  /** The least that must have flowed its way meanwhile by the power shown, mW times ms. */
  readonly energyMwMs: number;
  /** When it last flowed its way. */
  readonly flowedMs: number;
  /** The most power that was shown its way; undefined when power was not watched all the time. */
  readonly mostMw: number | undefined;
  /** While every reading showed power its way: since when, and where the other register stood then. */
  readonly run?: { readonly sinceMs: number; readonly otherMwh: number; readonly energyMwMs: number };
}

interface Point {
  readonly atMs: number;
  readonly powerMw: number;
}

const MWMS_PER_MWH = 3_600_000;
/** Of a longer stretch between two readings nobody knows what flowed in it. */
const LONGEST_STRETCH_MS = 60_000;
/** Meters that push registers once an hour are no exception: what is later by half an hour more never comes. */
const LATEST_MS = 5_400_000;
/** The energy that power shows is not exact, and never ten times too much. */
const FROZEN_STEPS = 10;
/** Short enough for an installer to see it, long enough that no control loop that swings around zero looks like it. */
const DIRECTION_MS = 900_000;

/**
 * Holds each register against the power shown beside it. Two things cannot be: that power flows and the register which
 * counts it stands (it is frozen somewhere on the way), or that the register of the other direction counts instead
 * (a sign is wrong). Everything is reckoned in the meter's favour: between two readings the lesser power flowed, and
 * only where both show more than what a meter may leave uncounted; steps are taken for as coarse as the shown values
 * allow; a meter that shows 5 W on a 1 Wh register, an idle battery and a whole-kWh register are never found.
 */
export class FlowWatch {
  readonly #limits: Limits;
  readonly #resolutionMwh: number | undefined;
  readonly #stands = new Map<RegisterKind, Stand>();
  /** The least power at which a register was seen to count, for channels that nobody states a nameplate of. */
  readonly #seenCountingMw = new Map<RegisterKind, number>();
  readonly #misdirected = new Set<RegisterKind>();
  #last: Point | undefined;

  constructor(limits: Limits, resolutionMwh: number | undefined) {
    this.#limits = limits;
    this.#resolutionMwh = resolutionMwh;
  }

  /** Notes what must have flowed since the reading before, and finds what contradicts it. */
  judge(reading: MeterReading, nowMs: number): FlowFinding | undefined {
    const { activePowerMw: powerMw } = reading;
    const before = this.#last;
    this.#last = powerMw === undefined ? undefined : { atMs: nowMs, powerMw };
    if (powerMw === undefined) return undefined;
    for (const kind of EACH_REGISTER) this.#note(kind, reading, { atMs: nowMs, powerMw }, before);
    const found = EACH_REGISTER.map(
      (kind) => this.#direction(kind, reading, nowMs) ?? this.#frozen(kind, reading, nowMs),
    );
    return found.find((finding) => finding?.kind === "direction") ?? found.find(Boolean);
  }

  /** The reading's registers were accepted. `counted`: as the next ones, and not as a new beginning. */
  adopt(reading: MeterReading, nowMs: number, counted: boolean): void {
    for (const kind of EACH_REGISTER) {
      const shownMwh = reading[kind.name];
      const stand = this.#stands.get(kind);
      if (shownMwh === undefined || stand?.shownMwh === shownMwh) continue;
      if (counted && stand !== undefined) this.#counted(kind, stand);
      const mostMw = reading.activePowerMw === undefined ? undefined : wayOf(kind, reading.activePowerMw);
      this.#stands.set(kind, { shownMwh, sinceMs: nowMs, energyMwMs: 0, flowedMs: nowMs, mostMw });
    }
  }

  #counted(kind: RegisterKind, { mostMw }: Stand): void {
    if (mostMw === undefined) return;
    const known = this.#seenCountingMw.get(kind) ?? Number.POSITIVE_INFINITY;
    this.#seenCountingMw.set(kind, Math.min(known, mostMw));
  }

  #note(kind: RegisterKind, reading: MeterReading, now: Point, before: Point | undefined): void {
    const stand = this.#stands.get(kind);
    const shownMwh = reading[kind.name];
    if (stand === undefined || (shownMwh !== undefined && shownMwh !== stand.shownMwh)) return;
    const wayMw = wayOf(kind, now.powerMw);
    const stretchMs = before === undefined ? Number.POSITIVE_INFINITY : now.atMs - before.atMs;
    const watched = stretchMs <= LONGEST_STRETCH_MS;
    const lesserMw = Math.min(wayMw, before === undefined ? 0 : wayOf(kind, before.powerMw));
    const counts = lesserMw >= this.#countedFromMw(kind);
    const energy = counts ? lesserMw * Math.min(stretchMs, LONGEST_STRETCH_MS) : 0;
    const flowedMs = counts ? now.atMs : stand.flowedMs;
    // What flowed before was no energy after all, or the register would have shown it by now.
    const earlier = now.atMs - flowedMs > LATEST_MS ? 0 : stand.energyMwMs;
    const { run: _, ...rest } = stand;
    const run = watched && counts ? this.#run(kind, reading, { stand, energy, atMs: now.atMs }) : undefined;
    this.#stands.set(kind, {
      ...rest,
      energyMwMs: earlier + energy,
      flowedMs,
      mostMw: watched && stand.mostMw !== undefined ? Math.max(stand.mostMw, wayMw) : undefined,
      ...(run === undefined ? {} : { run }),
    });
  }

  #run(
    kind: RegisterKind,
    reading: MeterReading,
    { stand, energy, atMs }: { readonly stand: Stand; readonly energy: number; readonly atMs: number },
  ): Stand["run"] {
    const otherMwh = reading[otherOf(kind).name];
    if (otherMwh === undefined) return undefined;
    if (stand.run === undefined) return { sinceMs: atMs, otherMwh, energyMwMs: 0 };
    return { ...stand.run, energyMwMs: stand.run.energyMwMs + energy };
  }

  /**
   * It stands although so much must have flowed that it could not be caught up any more in one reading; or for longer
   * than registers are ever served late, and by many steps.
   */
  #frozen(kind: RegisterKind, reading: MeterReading, nowMs: number): FlowFinding | undefined {
    const stand = this.#stands.get(kind);
    if (stand === undefined || reading[kind.name] !== stand.shownMwh) return undefined;
    const energyMwh = stand.energyMwMs / MWMS_PER_MWH;
    const stepMwh = this.#stepMwh(reading, stand.shownMwh);
    const late = energyMwh > fullReserveMwh({ limitMw: this.#limitMw(kind), stepMwh }) + stepMwh;
    const long = nowMs - stand.sinceMs >= LATEST_MS && energyMwh >= FROZEN_STEPS * stepMwh;
    if (!late && !long) return undefined;
    const stood = `has shown ${energyText(stand.shownMwh)} for ${durationText(nowMs - stand.sinceMs)}`;
    const flowed = `${energyText(Math.floor(energyMwh))} must have flowed by the power shown`;
    return {
      kind: "frozen",
      reason: reason("register-frozen", `the ${kind.word} register ${stood}, and ${flowed}`),
    };
  }

  #direction(kind: RegisterKind, reading: MeterReading, nowMs: number): FlowFinding | undefined {
    const { activePowerMw = 0 } = reading;
    if (wayOf(kind, activePowerMw) <= 0) return undefined;
    const shownMwh = reading[kind.name];
    if (shownMwh !== undefined && shownMwh !== this.#stands.get(kind)?.shownMwh)
      this.#misdirected.delete(kind);
    if (this.#runsAgainst(kind, reading, nowMs)) this.#misdirected.add(kind);
    if (!this.#misdirected.has(kind)) return undefined;
    const other = otherOf(kind).word;
    const shown = `power is ${powerText(activePowerMw)}, which is ${kind.word}`;
    return {
      kind: "direction",
      reason: reason("power-direction", `${shown}, but it is the ${other} register that counts`),
    };
  }

  #runsAgainst(kind: RegisterKind, reading: MeterReading, nowMs: number): boolean {
    const stand = this.#stands.get(kind);
    const other = otherOf(kind);
    const otherMwh = reading[other.name];
    if (stand?.run === undefined || otherMwh === undefined || reading[kind.name] !== stand.shownMwh)
      return false;
    const { sinceMs, energyMwMs } = stand.run;
    const stepMwh = this.#stepMwh(reading, stand.shownMwh);
    return (
      nowMs - sinceMs >= DIRECTION_MS &&
      energyMwMs / MWMS_PER_MWH >= FROZEN_STEPS * stepMwh &&
      otherMwh - stand.run.otherMwh >= FROZEN_STEPS * this.#stepMwh(reading, otherMwh)
    );
  }

  #stepMwh({ resolutionMwh }: MeterReading, shownMwh: number): number {
    return coarsestStep(resolutionMwh ?? this.#resolutionMwh, [shownMwh]);
  }

  #limitMw({ word }: RegisterKind): number {
    return word === "import" ? this.#limits.importMw : this.#limits.exportMw;
  }

  #countedFromMw(kind: RegisterKind): number {
    const { flowMw, countedImportMw, countedExportMw } = this.#limits;
    const stated = kind.word === "import" ? countedImportMw : countedExportMw;
    return Math.max(flowMw, stated ?? this.#seenCountingMw.get(kind) ?? Number.POSITIVE_INFINITY);
  }
}

/** Power into the direction that the register counts; negative for the other one. */
function wayOf({ word }: RegisterKind, powerMw: number): number {
  return word === "import" ? powerMw : -powerMw;
}

function otherOf(kind: RegisterKind): RegisterKind {
  return EACH_REGISTER.find((other) => other !== kind) ?? kind;
}
