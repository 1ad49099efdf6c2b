import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KNOWN_TIME, type Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { ClockBench, FakeMachine } from "./clock-kit.ts";
import { START_MS, temporaryFolder } from "./kit.ts";

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

/** A gateway that lives through moves, and what the time really was at each leaf of its log. */
class Life {
  readonly #path: string;
  readonly #machine = new FakeMachine();
  /** Time servers and battery clocks show what the time is. */
  readonly #honest: boolean;
  #bench: ClockBench;
  #trueMs = START_MS;
  #register = 1_000_000;
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
        this.#restart(false);
        break;
      case "powerCut":
        this.#trueMs += ms;
        machine.reboot(flag ? Math.max(0, machine.wall - (ms % 60_000)) : 60_000);
        Object.assign(machine, { ntp: false, battery: false });
        this.#restart(true);
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
      this.#register += 1000;
      this.#bench.seal(this.#register);
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

  #restart(rebooted: boolean): void {
    this.#bench.log.journal.close();
    this.#bench = new ClockBench(this.#path, this.#machine, { rebooted });
    // What was not committed is lost.
    this.#trueMsOf.length = Math.min(this.#trueMsOf.length, this.#bench.log.journal.size(1));
  }

  #noteTruth(): void {
    while (this.#trueMsOf.length < this.#bench.sealer.rules.size) this.#trueMsOf.push(this.#trueMs);
  }
}

function live(list: readonly Move[], honest: boolean): ReturnType<Life["leaves"]> {
  const { folder, remove } = temporaryFolder();
  try {
    const life = new Life(join(folder, "journal.sqlite"), honest);
    for (const move of list) life.go(move);
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

describe("a log whatever happens to the clock", () => {
  it("is lawful, in order, and claims nothing twice", () => {
    let steps = 0;
    let closes = 0;
    fc.assert(
      fc.property(moves, (list) => {
        const leaves = live(list, false).map(({ leaf }) => leaf);
        requireOrder(leaves);
        requireApart(leaves, false);
        steps += leaves.filter(({ kind }) => kind === "clockStep").length;
        closes += leaves.filter(({ kind }) => kind === "intervalClose").length;
      }),
      { numRuns: 60 },
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
      { numRuns: 60 },
    );
    expect(known).toBeGreaterThan(0);
  });
});
