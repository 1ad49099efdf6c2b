import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Guard } from "../../../agent/guard.ts";
import { MOST_CALM_MS } from "../../../agent/panel/calmed-state.ts";
import { EnclosureWatch } from "../../../agent/panel/enclosure-watch.ts";
import { Problem } from "../../../attest/problem.ts";
import type { TamperEvent } from "../../../firmware-bridge/tamper/tamper.ts";
import { fsck, MEBIBYTE, type Station, useStations } from "../journal/ledger-kit.ts";
import { SmallDisk } from "../journal/small-disk.ts";
import { type Line, recordingLogger } from "../kit.ts";

const station = useStations();
let one: Station;
let lines: Line[];
let watch: EnclosureWatch;
let urgent: number;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  one = station();
  const recording = recordingLogger();
  lines = recording.lines;
  urgent = 0;
  watch = new EnclosureWatch("lid", {
    ...{ logger: recording.logger, guard: new Guard(recording.logger) },
    sealer: () => one.ledger.sealer,
    urgent: () => {
      urgent += 1;
      one.ledger.commit();
    },
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function seen(state: TamperEvent["state"], how: TamperEvent["how"] = "edge"): void {
  watch.seen({ input: "lid", state, how });
}

function unwatched(code = "tamper-unwatched"): void {
  watch.unwatched(new Problem(code, "nobody watches the enclosure", { where: "gpiochip0:17" }));
}

/** So much time passes, and somebody looks each second. */
function pass(ms: number): void {
  for (let at = 0; at < ms; at += 1000) {
    vi.advanceTimersByTime(1000);
    watch.tick();
  }
}

function tamperStates(): number[] {
  one.ledger.commit();
  return one.leaves().flatMap((leaf) => (leaf.kind === "tamper" && leaf.input === "lid" ? [leaf.state] : []));
}

function events(): string[] {
  return lines.map(({ event }) => event);
}

describe("an enclosure in the log", () => {
  it("has a leaf and a line for each change, and what is bad is durable at once", () => {
    seen("closed", "watching");
    expect(urgent).toBe(0);
    seen("opened");
    const { durableSize, rules } = one.ledger.sealer;
    expect([urgent, durableSize]).toEqual([1, rules.size]);
    seen("closed");
    expect(urgent).toBe(1);
    expect(tamperStates()).toEqual([2, 1, 2]);
    expect(events()).toEqual(["enclosure-closed", "enclosure-opened", "enclosure-closed"]);
    expect(watch.status()).toMatchObject({
      name: "lid",
      state: "closed",
      openings: 1,
      leaves: 3,
      waiting: 0,
    });
  });

  it("is unwatched once, and each cause is said once, however often it is tried", () => {
    seen("closed", "watching");
    for (let attempt = 0; attempt < 20; attempt++) {
      unwatched(attempt === 0 ? "tamper-unwatched" : "tamper-line");
      pass(10_000);
    }
    expect(tamperStates()).toEqual([2, 3]);
    expect(lines.map(({ event, code }) => [event, code])).toEqual([
      ["enclosure-closed", undefined],
      ["enclosure-unwatched", "tamper-unwatched"],
      ["enclosure-unwatched", "tamper-line"],
    ]);
    expect(watch.status().problem).toContain("gpiochip0:17");
    seen("closed", "watching");
    expect(tamperStates()).toEqual([2, 3, 2]);
    expect(watch.status().problem).toBeUndefined();
  });

  it("that could not be watched from the start says so", () => {
    unwatched("tamper-gpiomon-missing");
    expect(tamperStates()).toEqual([3]);
    expect(watch.status()).toMatchObject({ state: "unwatched", openings: 0 });
  });

  it("that rattles for a day is open, with few leaves, and with every opening counted", () => {
    seen("closed", "watching");
    for (let pair = 0; pair < 4320; pair++) {
      seen("opened");
      pass(10_000);
      seen("closed");
      pass(10_000);
    }
    expect(tamperStates().length).toBeLessThan(8);
    expect(watch.status()).toMatchObject({ state: "opened", openings: 4320 });
    expect(watch.status().believedInMs).toBeGreaterThan(0);
    pass(MOST_CALM_MS);
    expect(watch.status()).toMatchObject({ state: "closed" });
    expect(tamperStates().at(-1)).toBe(2);
    expect(events().length).toBe(tamperStates().length);
  });

  it("waits where the journal takes nothing, says so once, and is written in its order when it does", () => {
    seen("closed", "watching");
    const refused = vi.spyOn(one.ledger.sealer, "append").mockImplementation(() => {
      throw new Problem("journal-stuck", "too many leaves wait for the disk");
    });
    seen("opened");
    pass(5000);
    seen("closed");
    expect(watch.status()).toMatchObject({ state: "closed", waiting: 2 });
    expect(events().filter((event) => event === "tamper-unsealed")).toHaveLength(1);
    refused.mockRestore();
    pass(1000);
    expect(tamperStates()).toEqual([2, 1, 2]);
    expect(events().at(-1)).toBe("tamper-unsealed-over");
    expect([urgent, watch.status().waiting]).toEqual([1, 0]);
  });

  it("waits in memory while the disk is full, and is written when there is room", (context) => {
    const disk = SmallDisk.mount(8 * MEBIBYTE);
    if (disk === undefined) return context.skip("only root can make a file system that is soon full");
    try {
      one = station({ path: join(disk.folder, "journal.sqlite"), reserveBytes: MEBIBYTE });
      one.ledger.tick();
      seen("closed", "watching");
      one.ledger.tick();
      disk.fill();
      for (let tick = 0; one.events().at(-1) !== "commit-failed" && tick < 50; tick++)
        one.read(400).ledger.tick();
      seen("opened");
      const { durableSize, rules } = one.ledger.sealer;
      expect(durableSize).toBeLessThan(rules.size);
      disk.free();
      one.ledger.tick();
      expect(tamperStates()).toEqual([2, 1]);
      expect(fsck(one.path)).toEqual([]);
    } finally {
      one.close();
      disk.close();
    }
  });

  it("waits without a word while leaves of the epoch before are appended", () => {
    seen("closed", "watching");
    one.ledger.sealer.clock.takesOver = true;
    seen("opened");
    pass(2000);
    expect([tamperStates(), urgent]).toEqual([[2], 0]);
    one.ledger.sealer.clock.takesOver = false;
    pass(1000);
    expect(tamperStates()).toEqual([2, 1]);
    expect(events()).toEqual(["enclosure-closed", "enclosure-opened"]);
  });

  it("is said once more in an epoch that does not know it", async () => {
    seen("opened", "watching");
    one.ledger.nextEpoch({ epoch: 2, reason: "test" });
    await one.settle();
    expect(one.epoch).toBe(2);
    const before = tamperStates().length;
    pass(3000);
    expect(tamperStates().slice(before)).toEqual([1]);
  });

  it("is not watched any more after stop", () => {
    seen("opened", "watching");
    watch.stop();
    watch.stop();
    expect(tamperStates()).toEqual([1, 3]);
    expect(events()).toEqual(["enclosure-opened"]);
  });
});
