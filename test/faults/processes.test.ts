import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clockSteps } from "./clock-steps.ts";
import { diskFull } from "./disk-full.ts";
import { killAgent } from "./kill-agent.ts";
import { killNode } from "./kill-node.ts";
import type { Fault, FaultOutcome } from "./kit/report.ts";
import { downFor } from "./node-down.ts";

const WITHIN_MS = 300_000;
const SEED = 7;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kw-faults-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The bars of every fault, whatever else came of it. */
function expectMet(outcome: FaultOutcome): void {
  expect(outcome).toMatchObject({ lost: 0, forks: 0, unsound: 0, problems: [] });
}

function runOf(cycles: number): Parameters<Fault["run"]>[0] {
  return { cycles, seed: SEED, folder, said: () => undefined };
}

describe("a few cycles of npm run faults", () => {
  it.each([
    [killAgent, 12],
    [killNode, 12],
  ])(
    "meets every bar: $name",
    async (fault, cycles) => {
      const outcome = await fault.run(runOf(cycles));
      expectMet(outcome);
      expect(outcome).toMatchObject({ cycles, gaps: 0 });
      expect(outcome.acknowledged).toBeGreaterThan(100);
      expect(outcome.figures?.["provenWh"]).toBe(outcome.figures?.["shownWh"]);
    },
    WITHIN_MS,
  );

  it.each([
    [diskFull, 1],
    [clockSteps, 2],
  ])(
    "meets every bar where the machine can run it: $name",
    async (fault, cycles) => {
      const outcome = await fault.run(runOf(cycles));
      expectMet(outcome);
      // A part that was not run is told, and counted, by its reason.
      if (outcome.notRun !== undefined)
        process.stderr.write(`${fault.name}: not run: ${outcome.notRun.join("; ")}\n`);
      expect(outcome.cycles + (outcome.notRun?.length ?? 0) * cycles).toBe(cycles);
    },
    WITHIN_MS,
  );

  it(
    "delivers what was sealed while the node was down",
    async () => {
      const outcome = await downFor(runOf(1), 0.1);
      expectMet(outcome);
      expect(outcome.acknowledged).toBeGreaterThan(3 * 360);
    },
    WITHIN_MS,
  );
});
