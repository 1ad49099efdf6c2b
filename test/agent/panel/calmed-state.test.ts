import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CalmedState, FIRST_CALM_MS, MOST_CALM_MS } from "../../../agent/panel/calmed-state.ts";
import type { SealedTamperState } from "../../../firmware-bridge/tamper/tamper.ts";

const DAY_MS = 86_400_000;

/** What is said of states that come at those times, with when it is said; somebody looks each second in between. */
function said(
  pushes: readonly (readonly [atMs: number, state: SealedTamperState])[],
  endMs: number,
): (readonly [atMs: number, state: SealedTamperState])[] {
  const state = new CalmedState();
  const out: (readonly [number, SealedTamperState])[] = [];
  const note = (atMs: number, one: SealedTamperState | undefined): void => {
    if (one !== undefined) out.push([atMs, one]);
  };
  const until = (toMs: number): void => {
    for (let due = state.dueMs; due !== undefined && due <= toMs; due = state.dueMs)
      note(due, state.settle(due));
  };
  for (const [atMs, one] of pushes) {
    until(atMs);
    note(atMs, state.push(one, atMs));
  }
  until(endMs);
  return out;
}

describe("what is sealed of an enclosure", () => {
  it("is each change, where they are seldom", () => {
    const pushes = [
      [0, "closed"],
      [5000, "opened"],
      [60_000, "closed"],
      [60_000 + MOST_CALM_MS, "opened"],
      [70_000 + MOST_CALM_MS, "closed"],
      [80_000 + 3 * MOST_CALM_MS, "unwatched"],
      [90_000 + 3 * MOST_CALM_MS, "closed"],
    ] as const;
    expect(said(pushes, DAY_MS)).toEqual(pushes);
  });

  it("is one opening for each wait, twice as long each time, of a contact that rattles", () => {
    const rattling = Array.from(
      { length: 86_400 },
      (_, second) =>
        // Closed for so long that the filter below believes it, then open for a moment.
        [second * 1000, second % 15 === 0 ? "opened" : "closed"] as const,
    );
    const states = said(rattling, DAY_MS);
    expect(states.map(([, state]) => state)).toEqual(["opened", "closed", "opened"]);
    const slow = Array.from(
      { length: 1440 },
      (_, minute) => [minute * 60_000, minute % 2 === 0 ? "opened" : "closed"] as const,
    );
    const closings = said(slow, DAY_MS).filter(([, state]) => state === "closed");
    // The next one would have to last for 80 s.
    expect(closings.map(([atMs]) => atMs)).toEqual([
      ...[60_000, 180_000 + FIRST_CALM_MS, 300_000 + 2 * FIRST_CALM_MS],
    ]);
  });

  it("begins anew after an hour of calm", () => {
    const at = 10_000 + 2 * MOST_CALM_MS;
    const pushes = [
      [0, "opened"],
      [1000, "closed"],
      [2000, "opened"],
      [3000, "closed"],
      [at, "opened"],
      [at + 1000, "closed"],
    ] as const;
    expect(said(pushes, DAY_MS).slice(-3)).toEqual([
      [3000 + FIRST_CALM_MS, "closed"],
      [at, "opened"],
      [at + 1000, "closed"],
    ]);
  });

  it("is at once that nobody watches, and then that it was found open", () => {
    const pushes = [
      [0, "closed"],
      [1000, "unwatched"],
      [11_000, "closed"],
      [12_000, "unwatched"],
      [22_000, "opened"],
      [23_000, "unwatched"],
    ] as const;
    expect(said(pushes, 30_000)).toEqual(pushes);
  });

  it("is once that nobody watches of a line that is lost again and again", () => {
    for (const state of ["opened", "closed"] as const) {
      const flapping = Array.from(
        { length: 8640 },
        (_, at) => [at * 10_000, at % 2 === 0 ? state : "unwatched"] as const,
      );
      expect(said(flapping, DAY_MS).map(([, one]) => one)).toEqual([state, "unwatched", state, "unwatched"]);
    }
  });

  it("is never better than what it is, is what it is in the end, and is not much", () => {
    const rank = { closed: 0, opened: 1, unwatched: 2 };
    const steps = fc.array(
      fc.tuple(
        fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 8000 })),
        fc.constantFrom("closed", "opened", "unwatched"),
      ),
      { minLength: 1, maxLength: 400 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        let atMs = 0;
        const pushes = list.map(([seconds, state]) => {
          atMs += seconds * 1000;
          return [atMs, state] as const;
        });
        const states = said(pushes, atMs + DAY_MS);
        expect(states.at(-1)?.[1]).toBe(pushes.at(-1)?.[1]);
        for (const [pushedMs, state] of pushes) {
          const known = states.filter(([saidMs]) => saidMs <= pushedMs).at(-1)?.[1] ?? "closed";
          expect(rank[known]).toBeGreaterThanOrEqual(state === "opened" ? 1 : rank[state]);
        }
        // Each time that it got better is followed by four leaves at most, and an hour's calm forgives.
        expect(states.length).toBeLessThanOrEqual(40 + (atMs / DAY_MS) * 500);
      }),
    );
  });
});
