import { Problem } from "../../attest/problem.ts";
import type {
  ControlPlan,
  ControlSurface,
  PlanContext,
  RegisterWrite,
} from "../../drivers/control/surface.ts";
import type {
  ControlCapability,
  ControlCommand,
  ControlKind,
  ControlMode,
  ControlRatings,
  ControlState,
  ControlValue,
} from "../../drivers/control.ts";
import { present } from "../../drivers/present.ts";
import { LONGEST_LEASE_MS, type PositionTimes } from "./output-rules.ts";
import type { Position, Relay, RelayShown } from "./relay.ts";

/** Shorter than this a command could not be renewed in time by an agent that is busy. */
const SHORTEST_LEASE_MS = 10_000;

/** What a contact can say of power: all of it, or none. */
export interface PowerMeaning {
  readonly kind: "importLimit" | "powerSetpoint";
  /** The position that stands for no power. */
  readonly none: Position;
  /** The position that stands for all of it; of a limit the one that limits nothing. */
  readonly all: Position;
}

/** A position that says what the load is to do, and no power. */
export interface ModeMeaning {
  readonly kind: "mode";
  readonly mode: ControlMode;
  readonly position: Position;
}

export type RelayMeaning = PowerMeaning | ModeMeaning;

export interface RelaySurfaceOptions {
  readonly relay: Relay;
  readonly where: string;
  /** The channel whose boundary the load is in. */
  readonly channel: string;
  /** What the load takes at the most, as the installer says: mW. */
  readonly powerMw: number;
  readonly meanings: readonly RelayMeaning[];
  readonly times: readonly PositionTimes[];
}

/**
 * An output as a device that takes commands: its step is the whole power of the load, so that a value is cut off to
 * nothing or to all. The process that holds the lines ends a command by itself, as a device's own timer does.
 *
 * A {@link RegisterWrite} is here what is said to that process: its values are a position and a lease in ms, or none for
 * the end of the lease. There is no register; `start` and `functionCode` say nothing.
 */
export class RelaySurface implements ControlSurface {
  readonly #options: RelaySurfaceOptions;
  /** The kind that was written last by this object; positions alone do not tell one from another. */
  #written: ControlKind | undefined;

  constructor(options: RelaySurfaceOptions) {
    this.#options = options;
  }

  get where(): string {
    return this.#options.where;
  }

  capabilities(): readonly ControlCapability[] {
    const { channel, powerMw, meanings } = this.#options;
    const kinds = meanings.map(({ kind }) => kind);
    return meanings.map((meaning) => ({
      ...{ kind: meaning.kind, channel, reverts: "device", revertsTo: "automatic", ramp: false },
      ...(meaning.kind === "mode" ? { step: 1, modes: [meaning.mode] } : { step: powerMw }),
      ...this.#timesOf(meaning),
      excludes: kinds.filter((other) => other !== meaning.kind),
    }));
  }

  #timesOf(
    meaning: RelayMeaning,
  ): Pick<ControlCapability, "shortestLeaseMs" | "longestLeaseMs" | "leastMs" | "mostMs"> {
    const { times, relay } = this.#options;
    const own = positionsOf(meaning);
    const leastMs = Math.max(
      ...[relay.states.onStart, ...own].map((position) => times[position]?.leastMs ?? 0),
    );
    const longest = own.map((position) => times[position]?.mostMs ?? Number.POSITIVE_INFINITY);
    const mostMs = Math.min(...longest);
    return {
      // Shorter than the least time it could not end in time.
      shortestLeaseMs: Math.max(SHORTEST_LEASE_MS, ...own.map((position) => times[position]?.leastMs ?? 0)),
      longestLeaseMs: Math.min(LONGEST_LEASE_MS, mostMs),
      leastMs,
      ...(Number.isFinite(mostMs) ? { mostMs } : {}),
    };
  }

  async ratings(): Promise<ControlRatings> {
    const { powerMw, meanings } = this.#options;
    const takesSetpoint = meanings.some(({ kind }) => kind === "powerSetpoint");
    return { maxImportMw: powerMw, ...(takesSetpoint ? { maxExportMw: 0 } : {}) };
  }

  async state(kind: ControlKind): Promise<ControlState> {
    return this.#stateOf(kind, await this.#options.relay.shown());
  }

  /** @throws Problem `relay-dwell` before anything is changed */
  async plan(command: ControlCommand, _context: PlanContext): Promise<ControlPlan> {
    const meaning = this.#meaningOf(command.kind);
    const isAll = powerOf(command) >= this.#options.powerMw;
    const position = meaning.kind === "mode" ? meaning.position : isAll ? meaning.all : meaning.none;
    await this.#requireDwelt(position);
    this.#written = command.kind;
    const written = this.#valueAt(meaning, position);
    const write: RegisterWrite = { start: 0, values: [position, command.leaseMs], functionCode: 16 };
    return { written, leaseMs: command.leaseMs, writes: [write] };
  }

  async planRevert(_kind: ControlKind, _before: ControlState | undefined): Promise<readonly RegisterWrite[]> {
    return [{ start: 0, values: [], functionCode: 16 }];
  }

  async write({ values }: RegisterWrite): Promise<void> {
    const [position, leaseMs] = values;
    if (position === undefined || leaseMs === undefined) await this.#options.relay.release();
    else await this.#options.relay.set(position, leaseMs);
  }

  /** While a dwell time holds it back, nobody commands what it does, and it is not over either: `active` is undefined. */
  #stateOf(kind: ControlKind, { position, why, leaseMs, dwellMs }: RelayShown): ControlState {
    const { channel } = this.#options;
    const meaning = this.#meaningOf(kind);
    const shown = { kind, channel, ...(dwellMs === undefined ? {} : { mayChangeInMs: dwellMs }) };
    if (why !== "lease" && why !== "ending") return { ...shown, active: false };
    if (this.#written !== undefined && this.#written !== kind) return { ...shown, active: false };
    const isKnown = this.#written === kind && positionsOf(meaning).includes(position);
    if (why === "ending" || !isKnown) return { ...shown, active: undefined };
    const value = this.#valueAt(meaning, position);
    return present<ControlState>({ ...shown, active: true, value, remainingMs: leaseMs });
  }

  #valueAt(meaning: RelayMeaning, position: Position): ControlValue {
    if (meaning.kind === "mode") return { kind: meaning.kind, mode: meaning.mode };
    return powerValue(meaning.kind, position === meaning.all ? this.#options.powerMw : 0);
  }

  #meaningOf(kind: ControlKind): RelayMeaning {
    const found = this.#options.meanings.find((meaning) => meaning.kind === kind);
    if (found !== undefined) return found;
    throw new Problem("control-not-supported", "the output does not stand for this kind of command", {
      ...{ where: this.where, got: kind },
    });
  }

  async #requireDwelt(position: Position): Promise<void> {
    const shown = await this.#options.relay.shown();
    if (shown.position === position || shown.dwellMs === undefined) return;
    throw new Problem("relay-dwell", "the output has not been in its position for its least time", {
      ...{ where: this.where, got: `${shown.dwellMs} ms to go`, hint: "command it later" },
    });
  }
}

function positionsOf(meaning: RelayMeaning): readonly Position[] {
  return meaning.kind === "mode" ? [meaning.position] : [meaning.none, meaning.all];
}

function powerOf(command: ControlCommand): number {
  if (command.kind === "powerSetpoint") return command.powerMw;
  return command.kind === "importLimit" ? command.limitMw : 0;
}

function powerValue(kind: PowerMeaning["kind"], powerMw: number): ControlValue {
  return kind === "powerSetpoint" ? { kind, powerMw } : { kind, limitMw: powerMw };
}
