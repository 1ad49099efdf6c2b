import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readBootId } from "../../agent/control/lease-file.ts";
import { LeaseGuard, LOOK_MS } from "../../agent/supervisor/lease-guard.ts";
import { type GuardedLease, LeaseView } from "../../agent/supervisor/lease-view.ts";
import { recordingLogger, temporaryFolder } from "./kit.ts";

const BATTERY = { device: "battery", kind: "powerSetpoint" } as const;
const LEASE_MS = 60_000;

/** One life of an agent, looked at once a second of a time that is in hand. */
class Life {
  monotonicMs = 1_000_000;
  wallMs = 1_700_000_000_000;
  leases: readonly GuardedLease[] = [];
  /** Whether the agent gives signs of life. */
  beats = true;
  #guard: LeaseGuard | undefined;

  /** The agent begins. */
  begin(): void {
    const clock = { monotonicMs: () => this.monotonicMs, wallMs: () => this.wallMs };
    this.#guard = new LeaseGuard(() => this.leases, clock);
  }

  lease(untilMs = this.monotonicMs + LEASE_MS, sameBoot = true): void {
    this.leases = [{ ...BATTERY, untilMonotonicMs: untilMs, sameBoot }];
  }

  /** Looks until that is over: what was found, and after how many seconds. */
  seconds(count: number): readonly [reason: string, afterSeconds: number] | undefined {
    for (let second = 1; second <= count; second++) {
      this.monotonicMs += LOOK_MS;
      this.wallMs += LOOK_MS;
      if (this.beats) this.#guard?.heard();
      const found = this.#guard?.look();
      if (found !== undefined) return [found.reason, second];
    }
    return undefined;
  }
}

function begun(): Life {
  const life = new Life();
  life.begin();
  return life;
}

describe("guard of leases", () => {
  it("does nothing where nothing is leased, not even to an agent that is silent", () => {
    const life = begun();
    life.beats = false;
    life.wallMs += 3_600_000;
    expect(life.seconds(100)).toBeUndefined();
  });

  it("leaves an agent alone that renews at half the lease", () => {
    const life = begun();
    for (let renewal = 0; renewal < 20; renewal++) {
      life.lease();
      expect(life.seconds(LEASE_MS / 2000)).toBeUndefined();
    }
  });

  it("ends it when a lease is not over 5 s after its time, and not before", () => {
    const life = begun();
    life.lease();
    expect(life.seconds(200)).toEqual(["expired", 66]);
  });

  it("ends it when it is silent for 10 s", () => {
    const life = begun();
    life.lease();
    life.seconds(20);
    life.beats = false;
    expect(life.seconds(100)).toEqual(["agent-hung", 10]);
  });

  it("counts looks and not time: a pause of the whole machine is no silence", () => {
    const life = begun();
    life.lease(life.monotonicMs + 3_600_000);
    life.beats = false;
    life.seconds(5);
    life.monotonicMs += 600_000;
    life.wallMs += 600_000;
    expect(life.seconds(1)).toBeUndefined();
    life.beats = true;
    expect(life.seconds(60)).toBeUndefined();
  });

  it.each([2001, -2001, 3_600_000, -86_400_000])(
    "ends it 5 s after a step of the clock by %i ms, where its lease is still there",
    (stepMs) => {
      const life = begun();
      life.lease();
      life.seconds(3);
      life.wallMs += stepMs;
      expect(life.seconds(50)).toEqual(["clock-step", 6]);
    },
  );

  it("leaves one alone that ends its lease within 5 s of a step, and takes a new one", () => {
    const life = begun();
    life.lease();
    life.seconds(3);
    life.wallMs += 10_000;
    life.seconds(3);
    life.leases = [];
    life.seconds(3);
    life.lease();
    expect(life.seconds(50)).toBeUndefined();
  });

  it("does not take a clock that is led for one that was set", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1990, max: 1990 }), { maxLength: 50 }), (drifts) => {
        const life = begun();
        for (const driftMs of drifts) {
          life.lease();
          life.wallMs += driftMs;
          if (life.seconds(1) !== undefined) return false;
        }
        return true;
      }),
    );
  });

  describe("leases of an earlier life, which could not be ended", () => {
    it.each([
      ["run out", -1],
      ["not run out", 30_000],
    ])("are no reason to end an agent: %s", (_, leftMs) => {
      const life = new Life();
      life.lease(life.monotonicMs + leftMs);
      life.begin();
      life.beats = false;
      expect(life.seconds(100)).toBeUndefined();
    });

    it("are not when the agent says so in this start of the machine, either", () => {
      const life = new Life();
      life.lease(life.monotonicMs + 30_000, false);
      life.begin();
      life.seconds(3);
      life.lease(life.monotonicMs + 27_000);
      expect(life.seconds(100)).toBeUndefined();
    });

    it("are, once it has said that it is alive and goes silent", () => {
      const life = new Life();
      life.lease(life.monotonicMs - 1);
      life.begin();
      life.seconds(30);
      life.beats = false;
      expect(life.seconds(100)).toEqual(["agent-hung", 10]);
    });

    it("are its own when it renews them", () => {
      const life = new Life();
      life.lease(life.monotonicMs - 1);
      life.begin();
      life.seconds(5);
      life.lease();
      expect(life.seconds(100)).toEqual(["expired", 66]);
    });
  });
});

describe("view of the file of leases", () => {
  let path = "";
  let remove = (): void => undefined;

  beforeEach(() => {
    const made = temporaryFolder();
    path = join(made.folder, "leases");
    remove = made.remove;
  });
  afterEach(() => remove());

  function write(text: string): void {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }

  function leased(bootId: string, untilMonotonicMs: number): string {
    const lease = { ...BATTERY, channel: "battery", reverts: "holder", untilMonotonicMs };
    return JSON.stringify({ version: 1, bootId, leases: [lease], phases: {}, reverted: [] });
  }

  it("sees each new file, and that it is gone", () => {
    const view = new LeaseView(path, recordingLogger().logger);
    const seen: (number | undefined)[] = [];
    for (const until of [5, 6, undefined, 7, 7]) {
      if (until === undefined) rmSync(path);
      else write(leased(readBootId(), until));
      seen.push(view.leases()[0]?.untilMonotonicMs);
    }
    expect(seen).toEqual([5, 6, undefined, 7, 7]);
  });

  it("knows leases of an earlier start of the machine", () => {
    write(leased("00000000-0000-4000-8000-000000000000", 5));
    expect(new LeaseView(path, recordingLogger().logger).leases()).toMatchObject([{ sameBoot: false }]);
  });

  it.each([
    "",
    "{",
    "null",
    "[]",
    '{"version":2,"bootId":"b","leases":[]}',
    '{"version":1,"bootId":"b","leases":[{}]}',
  ])("says once that it cannot read %j, and keeps what it knew", (text) => {
    const { logger, lines } = recordingLogger();
    const view = new LeaseView(path, logger);
    write(leased(readBootId(), 5));
    view.leases();
    write(text);
    for (let look = 0; look < 3; look++) expect(view.leases()).toHaveLength(1);
    expect(view.readable).toBe(false);
    expect(lines.map(({ event }) => event)).toEqual(["leases-unreadable"]);
    write(leased(readBootId(), 6));
    expect(view.leases()[0]?.untilMonotonicMs).toBe(6);
    expect(view.readable).toBe(true);
  });
});
