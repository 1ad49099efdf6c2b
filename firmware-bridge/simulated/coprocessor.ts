import { CHANNEL_ROLES, type ChannelRole, type MeterReading } from "../../attest/reading.ts";
import { encodeSmpMap, type SmpMap, type SmpValue, smpMap } from "../smp/cbor.ts";
import { REFUSAL, type SigningMisbehaviour, SimulatedKey } from "./coprocessor-signing.ts";
import type { GroupError, GroupHandler } from "./smp-server.ts";

/** What one channel of a simulated front end shows; units as in readings. */
export interface ShownByChannel
  extends Pick<
    MeterReading,
    | "importMwh"
    | "exportMwh"
    | "activePowerMw"
    | "stateOfChargePpm"
    | "voltageMv"
    | "currentMa"
    | "frequencyMhz"
    | "status"
  > {
  readonly name: string;
  readonly role: ChannelRole;
}

/** What a simulated coprocessor does wrong, by name. */
export type CoprocessorMisbehaviour =
  | SigningMisbehaviour
  /** Is restarted before every fourth reading. */
  | "resets"
  /** Its own counter falls by a minute at every fourth reading, and the start is the same. */
  | "counter-back"
  /** The values of a snapshot are exchanged, and its number is not. */
  | "changed-snapshot"
  /** Power is of another instant than current. */
  | "torn-values"
  /** The front end stands still, and the microcontroller answers on. */
  | "stands-still"
  /** The front end does not answer the microcontroller. */
  | "front-end-fault"
  /** Texts of 3,000 bytes. */
  | "long-answers"
  /** A number beyond 2^53. */
  | "large-numbers"
  /** Reads of every second time stay without an answer. */
  | "silence"
  /** Another serial number from the third reading on. */
  | "other-serial"
  /** Another number of channels after a restart. */
  | "other-channels"
  /** Group 64 of other firmware. */
  | "other-firmware";

export interface SimulatedCoprocessorOptions {
  readonly serial?: string;
  /** What the front end shows; asked for each snapshot. */
  readonly shown: () => readonly ShownByChannel[];
  /** A clock that is never set, ms; the microcontroller's own counts from its start. */
  readonly monotonicMs: () => number;
  /** How often the microcontroller that it is in has been restarted; where that is given it is restarted with it. */
  readonly starts?: () => number;
  readonly seed?: Uint8Array;
  readonly maxMessageBytes?: number;
  readonly misbehaviours?: readonly CoprocessorMisbehaviour[];
}

const STEP_MWH = 1000;
const MINUTE_MS = 60_000;
const TORN_MW = 5_000_000;

/** Group 64 of a simulated microcontroller: a front end that meters, and a key that signs. */
export class SimulatedCoprocessor {
  /** How often it started; counted in what survives a reset. */
  boot = 1;
  /** Answers to `groups` of the microcontroller. */
  readonly handle: GroupHandler;
  readonly #options: SimulatedCoprocessorOptions;
  readonly #misbehaves: Set<CoprocessorMisbehaviour>;
  readonly #key: SimulatedKey;
  #startedMs: number;
  #starts = 0;
  #reads = 0;
  #number = 0;

  constructor(options: SimulatedCoprocessorOptions) {
    this.#options = options;
    this.#misbehaves = new Set(options.misbehaviours);
    this.#startedMs = options.monotonicMs();
    const { seed, maxMessageBytes = 1024 } = options;
    this.#key = new SimulatedKey({
      seed,
      maxMessageBytes,
      boot: () => this.boot,
      misbehaves: this.#misbehaves,
    });
    this.handle = ({ operation, command, fields }) => {
      this.#follow();
      if (operation === "read" && command === 0) return this.#describe();
      if (operation === "read" && command === 1) return this.#read();
      if (operation === "read" && command === 2) return this.#key.key();
      if (operation === "write" && command === 3) return this.#key.sign(fields);
      return smpMap({ rc: 8 });
    };
  }

  /** As if the power had gone and come back. */
  restart(): void {
    this.boot += 1;
    this.#startedMs = this.#options.monotonicMs();
    this.#number = 0;
    this.#key.forget();
  }

  #follow(): void {
    const starts = this.#options.starts?.() ?? 0;
    if (starts !== this.#starts) this.restart();
    this.#starts = starts;
  }

  misbehave(misbehaviour: CoprocessorMisbehaviour): void {
    this.#misbehaves.add(misbehaviour);
  }

  #describe(): SmpMap {
    if (this.#misbehaves.has("other-firmware")) return smpMap({ version: 7, hw: "six relays" });
    const shown = this.#options.shown();
    const channels = this.#misbehaves.has("other-channels") && this.boot > 1 ? shown.slice(1) : shown;
    return smpMap({
      kw: 1,
      make: "Simulated",
      model: this.#misbehaves.has("long-answers") ? "x".repeat(3_000) : "SC-1",
      sn: this.#serial(),
      fw: "1.4.0",
      ch: channels.map(describedChannel),
    });
  }

  #serial(): string {
    const { serial = "4711" } = this.#options;
    return this.#misbehaves.has("other-serial") && this.#reads > 2 ? `${serial}0` : serial;
  }

  #read(): SmpMap | GroupError | undefined {
    this.#reads += 1;
    const fourth = this.#reads % 4 === 0;
    if (fourth && this.#misbehaves.has("resets")) this.restart();
    if (fourth && this.#misbehaves.has("counter-back")) this.#startedMs += MINUTE_MS;
    if (this.#misbehaves.has("front-end-fault")) return REFUSAL.frontEnd;
    if (!this.#misbehaves.has("changed-snapshot") || this.#number === 0) this.#number += 1;
    if (this.#misbehaves.has("silence") && this.#reads % 2 === 1) return undefined;
    const age = this.#misbehaves.has("stands-still") ? MINUTE_MS : 40;
    return smpMap({ s: encodeSmpMap(this.#snapshot()), age });
  }

  #snapshot(): SmpMap {
    const ms = Math.max(0, Math.floor(this.#options.monotonicMs() - this.#startedMs));
    const ch = this.#options.shown().map((one) => this.#shownChannel(one));
    return smpMap({ kw: 1, sn: this.#serial(), boot: this.boot, ms, seq: this.#number, ch });
  }

  #shownChannel(shown: ShownByChannel): SmpMap {
    const torn = this.#misbehaves.has("torn-values") ? TORN_MW : 0;
    const large = this.#misbehaves.has("large-numbers") ? 2n ** 53n : undefined;
    const { importMwh: i, exportMwh: e, stateOfChargePpm: soc, frequencyMhz: f, status: st } = shown;
    const p = shown.activePowerMw === undefined ? undefined : shown.activePowerMw + torn;
    const lists: Record<string, SmpValue | undefined> = { u: shown.voltageMv, a: shown.currentMa };
    const { name: n, role } = shown;
    return smpMap({ n, r: CHANNEL_ROLES[role], i: large ?? i, e, p, soc, ...lists, f, st });
  }
}

function describedChannel(shown: ShownByChannel): SmpMap {
  const { name: n, role, importMwh, exportMwh, activePowerMw, stateOfChargePpm } = shown;
  const there = [importMwh, exportMwh, activePowerMw, stateOfChargePpm].map((value) => value !== undefined);
  const q = there.reduce((bits, is, at) => bits + (is ? 2 ** at : 0), 0);
  const res = there[0] === true || there[1] === true ? STEP_MWH : undefined;
  return smpMap({ n, r: CHANNEL_ROLES[role], q, res });
}
