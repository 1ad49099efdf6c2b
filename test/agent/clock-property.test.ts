import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLOSE_SHAPE, KNOWN_TIME, type Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { ClockBench, FakeMachine } from "./clock-kit.ts";
import { INTERVAL_MS, START_MS, temporaryFolder } from "./kit.ts";

const RUNS = Number(process.env["CLOCK_RUNS"] ?? 60);

/** What may happen to a gateway; `ms` says how much of it. */
interface Move {
  readonly what: "read" | "set" | "sleep" | "crash" | "powerCut" | "timeServer" | "noTimeServer" | "battery";
  readonly ms: number;
  readonly flag: boolean;
}

const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.record({
    what: fc.constantFrom<Move["what"][]>(
      ...(["read", "read", "read", "set", "sleep", "sleep", "crash", "powerCut"] as const),
      ...(["timeServer", "timeServer", "noTimeServer", "noTimeServer", "battery"] as const),
    ),
    ms: fc.oneof(
      fc.integer({ min: 0, max: 5000 }),
      fc.integer({ min: 0, max: 400_000 }),
      fc.constantFrom(1_209_600_000, 31_536_000_000, 3_600_000),
    ),
    flag: fc.boolean(),
  }),
  { minLength: 5, maxLength: 25 },
);

/** Starts with and without a clock, most of all. */
const starts: fc.Arbitrary<Move[]> = fc.array(
  fc.record({
    what: fc.constantFrom<Move["what"][]>(
      ...(["read", "read", "read", "sleep", "crash", "powerCut", "powerCut"] as const),
      ...(["timeServer", "timeServer", "noTimeServer", "set"] as const),
    ),
    ms: fc.oneof(
      fc.integer({ min: 0, max: 20_000 }),
      fc.integer({ min: 0, max: 400_000 }),
      fc.constantFrom(3_600_000, 86_400_000),
    ),
    flag: fc.boolean(),
  }),
  { minLength: 3, maxLength: 16 },
);

/** The meter counts 1 mWh each ms: a register tells when it was shown. */
function registerAt(trueMs: number): number {
  return 1_000_000 + trueMs - START_MS;
}

/** Most gateways know the time once before they lose it. */
const KNOWN_FIRST: Move = { what: "timeServer", ms: 0, flag: true };

function shownAt(register = 0): number {
  return register - 1_000_000 + START_MS;
}

/** A gateway that lives through moves, and what the time really was at each leaf of its log. */
class Life {
  readonly #path: string;
  readonly #machine = new FakeMachine();
  /** Time servers and battery clocks show what the time is. */
  readonly #honest: boolean;
  #bench: ClockBench;
  #trueMs = START_MS;
  readonly #trueMsOf: number[] = [];

  constructor(path: string, honest: boolean) {
    this.#path = path;
    this.#honest = honest;
    Object.assign(this.#machine, { ntp: false, battery: false, wall: honest ? 60_000 : START_MS });
    this.#bench = new ClockBench(path, this.#machine);
    this.#noteTruth();
  }

  go({ what, ms, flag }: Move): void {
    const machine = this.#machine;
    switch (what) {
      case "read":
        this.#read(ms, flag);
        break;
      case "set":
        this.#set(flag ? ms : -ms);
        break;
      case "sleep":
        machine.sleep(ms);
        this.#trueMs += ms;
        break;
      case "crash":
        this.#pass(ms % 20_000);
        this.#restart(false, flag);
        break;
      case "powerCut":
        this.#trueMs += ms;
        machine.reboot(flag ? Math.max(0, machine.wall - (ms % 60_000)) : 60_000);
        Object.assign(machine, { ntp: false, battery: false });
        this.#restart(true, flag);
        break;
      case "timeServer":
        if (this.#honest || flag) machine.wall = this.#trueMs;
        machine.ntp = true;
        break;
      case "noTimeServer":
        machine.ntp = false;
        machine.battery = machine.battery && flag;
        break;
      case "battery":
        if (this.#honest) machine.wall = this.#trueMs;
        machine.battery = flag;
        break;
    }
    this.#bench.keeper.check();
    this.#noteTruth();
  }

  /** Every leaf with the time that it was. */
  leaves(): { readonly leaf: Leaf; readonly trueMs: number }[] {
    const leaves = this.#bench.leaves().map((leaf, seq) => ({ leaf, trueMs: this.#trueMsOf[seq] ?? 0 }));
    this.requireLawful();
    this.#bench.end();
    return leaves;
  }

  /** Time servers are there again, and readings go on over two boundaries: all that can be claimed is. */
  settle(): void {
    this.go({ what: "timeServer", ms: 0, flag: true });
    // A clock that was set too often has to run evenly for ten minutes first.
    for (let i = 0, known = 0; i < 90 && known < 4; i += 1) {
      this.go({ what: "read", ms: 0, flag: true });
      if (this.#bench.keeper.clock.now().timeQuality >= KNOWN_TIME) known += 1;
    }
  }

  /** By rules that have seen nothing but the bytes. */
  requireLawful(): void {
    const { journal, identity } = this.#bench.log;
    const rules = new LogRules(nativeSuite, identity);
    for (const bytes of journal.leaves(1, 0, journal.size(1))) rules.apply(decodeLeaf(bytes), bytes);
  }

  #read(ms: number, flag: boolean): void {
    this.#bench.sealer.commit();
    for (let i = 0; i < 8; i += 1) {
      this.#pass(flag ? 5000 : ms % 70_000);
      this.#bench.seal(registerAt(this.#trueMs));
      this.#bench.sealer.closeOverdue();
      this.#noteTruth();
    }
  }

  /** By hand; an honest world has nobody who does that while somebody stands behind the clock. */
  #set(ms: number): void {
    if (this.#honest && (this.#machine.ntp || this.#machine.battery)) return;
    this.#machine.wall = Math.max(0, this.#machine.wall + ms);
  }

  #pass(ms: number): void {
    this.#machine.advance(ms);
    this.#trueMs += ms;
  }

  #restart(rebooted: boolean, manifest: boolean): void {
    const { journal } = this.#bench.log;
    // What was not committed is lost.
    this.#trueMsOf.length = Math.min(this.#trueMsOf.length, journal.size(1));
    journal.close();
    this.#bench = new ClockBench(this.#path, this.#machine, { rebooted });
    if (manifest) this.#bench.declare(`${this.#trueMs}`);
  }

  #noteTruth(): void {
    while (this.#trueMsOf.length < this.#bench.sealer.rules.size) this.#trueMsOf.push(this.#trueMs);
  }
}

function live(list: readonly Move[], honest: boolean, settles = false): ReturnType<Life["leaves"]> {
  const { folder, remove } = temporaryFolder();
  try {
    const life = new Life(join(folder, "journal.sqlite"), honest);
    for (const move of list) life.go(move);
    if (settles) life.settle();
    return life.leaves();
  } finally {
    remove();
  }
}

/** Time only goes back in a clock step, which begins where the log is; so does what is known. */
function requireOrder(leaves: readonly Leaf[]): void {
  leaves.forEach((leaf, index) => {
    const before = leaves[index - 1];
    if (before === undefined) return;
    const from = leaf.kind === "clockStep" ? leaf.beforeMs : leaf.timeMs;
    expect(from).toBeGreaterThanOrEqual(before.timeMs);
    if (leaf.kind === "clockStep") expect(leaf.beforeQuality).toBe(before.timeQuality);
    else expect(leaf.timeQuality >= KNOWN_TIME).toBe(before.timeQuality >= KNOWN_TIME);
  });
}

type Close = Extract<Leaf, { kind: "intervalClose" }>;

function isBridge({ shape = 0 }: Close): boolean {
  return (shape & CLOSE_SHAPE.bridges) !== 0;
}

/** No Wh twice, no close without a known clock, and no time twice on one clock; `everywhere`: on none. */
function requireApart(leaves: readonly Leaf[], everywhere: boolean): void {
  let before: Close | undefined;
  for (const leaf of leaves) {
    if (leaf.kind !== "intervalClose") continue;
    expect(leaf.timeQuality).toBeGreaterThanOrEqual(KNOWN_TIME);
    expect(leaf.t1Ms).toBeLessThanOrEqual(leaf.timeMs);
    if (before !== undefined) {
      expect(leaf.openingImportMwh).toBeGreaterThanOrEqual(before.closingImportMwh ?? 0);
      if (everywhere || leaf.lastClockStepSeq === before.lastClockStepSeq)
        expect(leaf.t0Ms).toBeGreaterThanOrEqual(before.t1Ms);
    }
    before = leaf;
  }
}

/** What a close or a gap says of energy, and when the meter showed its two registers. */
interface Stretch {
  readonly kind: "close" | "gap";
  readonly fromMs: number;
  readonly toMs: number;
  readonly opening: number;
  readonly closing: number;
}

/** All energy from the first close on, as a verifier of closes and discontinuities accounts for it. */
function accountOf(leaves: readonly Leaf[]): Stretch[] {
  const found: Stretch[] = [];
  let broken = false;
  for (const leaf of leaves) {
    if (leaf.kind === "discontinuity") broken = true;
    if (leaf.kind !== "intervalClose") continue;
    const { openingImportMwh: opening = 0, closingImportMwh: closing = 0, t0Ms, t1Ms } = leaf;
    const before = found.at(-1);
    if (before !== undefined && broken)
      found.push({
        ...{ kind: "gap", fromMs: before.toMs, toMs: t0Ms },
        ...{ opening: before.closing, closing: opening },
      });
    found.push({ kind: "close", fromMs: t0Ms, toMs: t1Ms, opening, closing });
    broken = false;
  }
  return found;
}

/** Each stretch begins where the one before ended, in register and, on one clock, in time. */
function requireWhole(account: readonly Stretch[], oneClock: boolean): void {
  account.forEach((stretch, at) => {
    const before = account[at - 1];
    if (before === undefined) return;
    expect(stretch.opening).toBe(before.closing);
    if (oneClock) expect(stretch.fromMs).toBe(before.toMs);
  });
}

/** A boundary reading may lie half an interval before its boundary; a clock may be off by 2 s before it is set. */
const BOUNDARY_MS = INTERVAL_MS / 2;
const CLOCK_MS = 2000;

/** The ends of a stretch are when the meter showed its registers. */
function requireTrue({ fromMs, toMs, opening, closing }: Stretch): void {
  for (const [ms, shownMs] of [
    [fromMs, shownAt(opening)],
    [toMs, shownAt(closing)],
  ] as const) {
    expect(ms).toBeGreaterThanOrEqual(shownMs - CLOCK_MS);
    expect(ms).toBeLessThanOrEqual(shownMs + BOUNDARY_MS + CLOCK_MS);
  }
}

describe("a log whatever happens to the clock", () => {
  it("claims all energy or states it as a gap, each when the meter counted it", () => {
    const seen = { close: 0, gap: 0, bridged: 0, runs: 0 };
    fc.assert(
      fc.property(fc.oneof(starts, starts, starts, moves), (list) => {
        const leaves = live([KNOWN_FIRST, ...list], true, true).map(({ leaf }) => leaf);
        const account = accountOf(leaves);
        requireWhole(account, true);
        for (const stretch of account) requireTrue(stretch);
        // What is not accounted for yet is the open chain's.
        const last = leaves.findLast(({ kind }) => kind === "reading");
        const lastMs = account.at(-1)?.toMs ?? 0;
        expect((last?.timeMs ?? 0) - lastMs).toBeLessThanOrEqual(2 * INTERVAL_MS);
        for (const { kind } of account) seen[kind] += 1;
        seen.bridged += leaves.filter((leaf) => leaf.kind === "intervalClose" && isBridge(leaf)).length;
        seen.runs += 1;
      }),
      { numRuns: RUNS },
    );
    console.log(`energy under clocks: ${JSON.stringify(seen)}`);
    expect(Math.min(seen.close, seen.gap, seen.bridged)).toBeGreaterThan(0);
  });

  it("is lawful, in order, and claims nothing twice", () => {
    let steps = 0;
    let closes = 0;
    fc.assert(
      fc.property(moves, (list) => {
        const leaves = live(list, false).map(({ leaf }) => leaf);
        requireOrder(leaves);
        requireApart(leaves, false);
        requireWhole(accountOf(leaves), false);
        steps += leaves.filter(({ kind }) => kind === "clockStep").length;
        closes += leaves.filter(({ kind }) => kind === "intervalClose").length;
      }),
      { numRuns: RUNS },
    );
    expect(Math.min(steps, closes)).toBeGreaterThan(0);
  });

  it("never calls a time UTC that is not, while those who stand behind the system clock are right", () => {
    let known = 0;
    fc.assert(
      fc.property(moves, (list) => {
        const leaves = live(list, true);
        requireOrder(leaves.map(({ leaf }) => leaf));
        requireApart(
          leaves.map(({ leaf }) => leaf),
          true,
        );
        for (const { leaf, trueMs } of leaves) {
          // A close may be written after a power cut, on the clock of before: its own time is not when it was written.
          if (leaf.timeQuality < KNOWN_TIME || leaf.kind === "intervalClose") continue;
          known += 1;
          expect(Math.abs(leaf.timeMs - trueMs)).toBeLessThanOrEqual(2000);
        }
      }),
      { numRuns: RUNS },
    );
    expect(known).toBeGreaterThan(0);
  });
});
