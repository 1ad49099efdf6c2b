import type { ControlPhase, ControlPort, Hold } from "../../../agent/control/types.ts";
import { FlexDesk } from "../../../agent/flexibility/desk.ts";
import type { FlexChannel, FlexHost, FlexSettings, OfferSettings } from "../../../agent/flexibility/host.ts";
import {
  type ChallengeOrder,
  type CommitmentOrder,
  type DispatchOrder,
  signChallenge,
  signCommitment,
  signDispatch,
} from "../../../attest/flexibility/orders.ts";
import { encodeTerms, type FlexTerms, SETTLEMENT_RULES } from "../../../attest/flexibility/terms.ts";
import { KNOWN_TIME, type Leaf, REGISTER, type Unplaced } from "../../../attest/leaf.ts";
import { ACKNOWLEDGEMENT, BOUNDARY, DIRECTION } from "../../../attest/leaf-flexibility.ts";
import type { OrderRefusedMessage } from "../../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../../attest/native.ts";
import { Problem } from "../../../attest/problem.ts";
import type { LocalSigner } from "../../../attest/signature.ts";
import type { ControlResult } from "../../../drivers/control.ts";
import { EPOCH_MS, LogBuilder, QUARTER_MS } from "../../kit/log-builder.ts";
import { type Line, recordingLogger } from "../kit.ts";

export const QUARTER: number = QUARTER_MS;
export const MINUTE = 60_000;
export const HOUR: number = 4 * QUARTER_MS;
/** Monday, 5 January 2026, 13:00 in Amsterdam. */
export const START: number = EPOCH_MS;
export const ZONE = "Europe/Amsterdam";
export const BATTERY = 1;
export const METER = 2;

/** A node that may order, another one, and one that may not. */
export const node: LocalSigner = signer(21);
export const otherNode: LocalSigner = signer(22);
export const stranger: LocalSigner = signer(23);

function signer(seed: number): LocalSigner {
  return nativeSigner(new Uint8Array(32).fill(seed));
}

export const OFFER: OfferSettings = {
  ...{ device: "battery", channel: "battery", boundary: BOUNDARY.device, direction: DIRECTION.reduce },
  ...{ powerMw: 4_000_000, fromClockMs: 17 * HOUR, toClockMs: 21 * HOUR, daysAhead: 0 },
  ...{ noticeMs: HOUR, baselineMethod: "h10/1" },
};

const SETTINGS: FlexSettings = {
  ...{ offers: [OFFER], holidays: [], excludedDays: [] },
  controlNodes: [node.publicKey, otherNode.publicKey],
  controlled: new Set(["battery"]),
};

/** What a device was told, one line each: "hold -2000000 until 3600", "release over". */
export class FakeControl implements ControlPort {
  readonly told: string[] = [];
  /** Codes with which the next holds are refused. */
  readonly refusals: string[] = [];
  readonly #monotonicMs: () => number;
  /** What a hold waits for. */
  gate: Promise<void> = Promise.resolve();
  current: Hold | undefined;
  /** Called for every hold that was taken. */
  taken: (hold: Hold) => void = () => undefined;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  async hold(hold: Hold): Promise<ControlResult> {
    await this.gate;
    const code = this.refusals.shift();
    if (code !== undefined) throw new Problem(code, "refused");
    const { value, untilMonotonicMs, authority } = hold;
    const number = "powerMw" in value ? value.powerMw : "limitMw" in value ? value.limitMw : value.kind;
    const seconds = Math.round((untilMonotonicMs - this.#monotonicMs()) / 1000);
    this.told.push(`${authority} ${value.kind} ${number} for ${seconds} s`);
    this.current = hold;
    this.taken(hold);
    return {
      ...{ kind: value.kind, written: value, readBack: "agrees", leaseMs: 60_000, reverts: "holder" },
      before: { kind: value.kind, channel: "battery", active: false },
    };
  }

  release(_device: string, authority: string, reason: string): Promise<void> {
    this.told.push(`${authority} released: ${reason}`);
    this.current = undefined;
    return Promise.resolve();
  }

  phase(): ControlPhase {
    return "unlimitedControlled";
  }
}

/** A desk over a lawful log, on clocks that move when they are told to. */
export class Bench {
  readonly log: LogBuilder;
  readonly control: FakeControl;
  readonly refused: OrderRefusedMessage[] = [];
  readonly lists: number[] = [];
  readonly lines: Line[];
  readonly host: FlexHost;
  readonly settings: FlexSettings;
  monotonic = 1_000_000;
  commits = 0;
  /** What seal() throws, while there is something. */
  sealProblem: Problem | undefined;
  desk: FlexDesk;

  constructor(settings: Partial<FlexSettings> = {}, log: LogBuilder = openedLog()) {
    this.settings = { ...SETTINGS, ...settings };
    this.log = log;
    this.control = new FakeControl(() => this.monotonic);
    const { logger, lines } = recordingLogger();
    this.lines = lines;
    this.host = this.#host(logger);
    this.desk = new FlexDesk(this.host, this.settings);
    this.desk.start();
  }

  /** A new process over the same log. */
  restart(): void {
    this.control.told.length = 0;
    this.desk = new FlexDesk(this.host, this.settings);
    this.desk.start();
  }

  /** Lets time pass, with a tick each second, or in steps of another length. */
  async pass(ms: number, stepMs = 1000): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.log.timeMs += stepMs;
      this.monotonic += stepMs;
      await this.desk.tick();
    }
  }

  /** To a time of the clock, with a tick there. */
  async until(ms: number): Promise<void> {
    const passedMs = ms - this.log.timeMs;
    this.log.timeMs += passedMs;
    this.monotonic += passedMs;
    await this.desk.tick();
  }

  async send(by: LocalSigner, bytes: Uint8Array): Promise<string | undefined> {
    const before = this.refused.length;
    await this.desk.order(by.publicKey, bytes);
    return this.refused[before]?.code;
  }

  get leaves(): readonly Leaf[] {
    return this.log.leaves.map(({ leaf }) => leaf);
  }

  of<K extends Leaf["kind"]>(kind: K): Extract<Leaf, { kind: K }>[] {
    return this.leaves.filter((leaf): leaf is Extract<Leaf, { kind: K }> => leaf.kind === kind);
  }

  /** "accepted", "aborted: withdrawn" of the order in that leaf. */
  answers(orderSeq: number): string[] {
    const names = Object.fromEntries(Object.entries(ACKNOWLEDGEMENT).map(([name, number]) => [number, name]));
    return this.of("acknowledgement")
      .filter((leaf) => leaf.orderSeq === orderSeq)
      .map(({ state, reason }) => `${names[state]}${reason === undefined ? "" : `: ${reason}`}`);
  }

  /** Those to the newest dispatch or challenge. */
  get lastAnswers(): string[] {
    const last = this.leaves.findLast(({ kind }) => kind === "dispatch" || kind === "challenge");
    return last === undefined ? ["no order"] : this.answers(last.seq);
  }

  #host(logger: FlexHost["logger"]): FlexHost {
    return {
      nowMs: () => this.log.timeMs,
      clockKnown: () => this.log.timeQuality >= KNOWN_TIME,
      monotonicMs: () => this.monotonic,
      logId: () => this.log.rules.logId,
      intervalMs: () => this.log.rules.intervalMs,
      timeZone: ZONE,
      channels: () => CHANNELS,
      seal: (body) => {
        if (this.sealProblem !== undefined) throw this.sealProblem;
        // A body with a time is an unplaced leaf; spreading a union loses which one.
        const { leaf } = this.log.append({ ...body, ...this.log.time() } as Unplaced);
        return { seq: leaf.seq, timeMs: leaf.timeMs };
      },
      commit: () => {
        this.commits += 1;
      },
      lifecycle: (fromMs) => {
        const mine = this.leaves.filter(({ kind }) => LIFECYCLE.has(kind));
        const first = mine.findIndex(({ timeMs }) => timeMs >= fromMs);
        return first === -1 ? [] : mine.slice(first);
      },
      leaf: (seq) => this.leaves[seq],
      closes: (channel, fromMs, toMs) =>
        this.of("intervalClose").filter(
          (close) => close.channel === channel && close.t0Ms >= fromMs && close.t0Ms < toMs,
        ),
      control: this.control,
      commands: () => [
        { kind: "powerSetpoint", channel: "battery" },
        { kind: "exportLimit", channel: "battery" },
      ],
      refuse: (_key, message) => this.refused.push(message),
      keepList: (seq) => this.lists.push(seq),
      logger,
    };
  }
}

const CHANNELS: readonly FlexChannel[] = [
  { number: BATTERY, device: "battery", channel: "battery" },
  { number: METER, device: "meter", channel: "grid" },
];
const LIFECYCLE = new Set([
  ...["offer", "commitment", "dispatch", "challenge", "acknowledgement", "actuation", "settlement"],
]);

export function openedLog(startMs: number = START): LogBuilder {
  const log = new LogBuilder({ suite: nativeSuite, startMs });
  const registers = REGISTER.import | REGISTER.export;
  log.manifest({ channel: BATTERY, role: 3, name: "battery/battery", registers });
  log.manifest({ channel: METER, role: 1, name: "meter/grid", registers });
  return log;
}

let ids = 0;

/** 16 bytes that no other order has. */
export function newId(): Uint8Array {
  ids += 1;
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(12, ids);
  return id;
}

export const TERMS: FlexTerms = {
  ...{ direction: DIRECTION.reduce, baselineMethod: "h10/1", timeZone: ZONE },
  ...{ noticeMs: HOUR, settlementRules: SETTLEMENT_RULES },
};

/** An hour from 17:00 in Amsterdam on, 2 kW. */
export function commitment(bench: Bench, changes: Partial<CommitmentOrder> = {}): CommitmentOrder {
  const fromMs = changes.fromMs ?? START + 4 * HOUR;
  return {
    ...common(bench, BATTERY),
    ...{ boundary: BOUNDARY.device, fromMs, intervalMs: QUARTER, terms: encodeTerms(TERMS) },
    deltaMwh: [-500_000, -500_000, -500_000, -500_000],
    expiresMs: fromMs - HOUR,
    ...changes,
  };
}

/** A minute ahead, for ten minutes: 2 kW out of the battery. */
export function dispatch(bench: Bench, changes: Partial<DispatchOrder> = {}): DispatchOrder {
  const fromMs = changes.fromMs ?? bench.log.timeMs + 60_000;
  const toMs = changes.toMs ?? fromMs + 600_000;
  return {
    ...common(bench, BATTERY),
    ...{ fromMs, toMs, expiresMs: toMs, command: 1, value: -2_000_000 },
    ...changes,
  };
}

/** Fourteen steps of ten seconds. */
export function challenge(bench: Bench, changes: Partial<ChallengeOrder> = {}): ChallengeOrder {
  const startByMs = bench.log.timeMs + 30_000;
  return {
    ...common(bench, BATTERY),
    ...{ siteChannel: METER, nonce: new Uint8Array(32).fill(5), startByMs, expiresMs: startByMs },
    ...{ stepMs: 10_000, steps: 14, midMw: 0, halfSwingMw: 1_000_000 },
    ...changes,
  };
}

function common(
  bench: Bench,
  channel: number,
): Pick<DispatchOrder, "logId" | "objectId" | "channel" | "issuedAtMs"> {
  return { logId: bench.log.rules.logId, objectId: newId(), channel, issuedAtMs: bench.log.timeMs - 1000 };
}

export async function sendCommitment(
  bench: Bench,
  order: CommitmentOrder,
  by: LocalSigner = node,
): Promise<string | undefined> {
  return await bench.send(by, await signCommitment(by, order));
}

export async function sendDispatch(
  bench: Bench,
  order: DispatchOrder,
  by: LocalSigner = node,
): Promise<string | undefined> {
  return await bench.send(by, await signDispatch(by, order));
}

export async function sendChallenge(
  bench: Bench,
  order: ChallengeOrder,
  by: LocalSigner = node,
): Promise<string | undefined> {
  return await bench.send(by, await signChallenge(by, order));
}

/** A bench on which a dispatch of ten minutes has begun. */
export async function startedBench(): Promise<{ bench: Bench; seq: number; objectId: Uint8Array }> {
  const bench = new Bench();
  const order = dispatch(bench);
  await sendDispatch(bench, order);
  await bench.pass(MINUTE);
  const seq = bench.of("dispatch")[0]?.seq ?? -1;
  if (bench.answers(seq).join() !== "accepted,started") throw new Error("the dispatch has not begun");
  return { bench, seq, objectId: order.objectId };
}
