import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { unsafeSends } from "./kit/order.ts";
import { sentBatches } from "./kit/sent.ts";
import { FaultSite } from "./kit/site.ts";
import type { TraceOp } from "./kit/trace.ts";
import { agentFolder, type TracedRun, tracedRun, tracingProblem } from "./kit/traced-run.ts";
import { cutsIn } from "./power-cut.ts";

const WITHIN_MS = 300_000;
const CUTS = 20;

let folder = "";
let site: FaultSite | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** The same run of a program that lies about what it made durable. */
function doctored(traced: TracedRun, change: (ops: readonly TraceOp[]) => TraceOp[]): TracedRun {
  const ops = change(traced.ops);
  return { ...traced, ops, batches: sentBatches(ops) };
}

const isWalSync = (op: TraceOp): boolean => op.kind === "sync" && op.name.endsWith("-wal");

/** Each sync of the write-ahead log comes behind what was sent next. */
function syncedLate(ops: readonly TraceOp[]): TraceOp[] {
  const late: TraceOp[] = [];
  const result: TraceOp[] = [];
  for (const op of ops) {
    if (isWalSync(op)) late.push(op);
    else result.push(op, ...(op.kind === "send" ? late.splice(0) : []));
  }
  return [...result, ...late];
}

describe("power cuts in a traced run of the agent", () => {
  it(
    "lose nothing that was sent, and would be noticed if they did",
    async (context) => {
      const problem = tracingProblem();
      if (problem !== undefined) return context.skip(`not run: ${problem}`);
      folder = mkdtempSync(join(tmpdir(), "kw-cut-"));
      site = await FaultSite.start(folder, { journalFolder: agentFolder(folder) });
      const traced = await tracedRun(site, 150);
      const run = { cycles: CUTS, seed: 3, folder, said: () => undefined };
      const outcome = await cutsIn(site, traced, run);
      expect(outcome).toMatchObject({ lost: 0, forks: 0, unsound: 0, problems: [] });
      expect(outcome.cycles).toBe(CUTS + traced.batches.length);
      expect(outcome.acknowledged).toBeGreaterThan(150);
      expect(outcome.figures?.["agentStarts"]).toBe(1);

      const never = doctored(traced, (ops) => ops.filter((op) => !isWalSync(op)));
      expect(unsafeSends(never.ops)).toHaveLength(traced.batches.length);
      expect(unsafeSends(doctored(traced, syncedLate).ops).length).toBeGreaterThan(0);
      const lost = await cutsIn(site, never, { ...run, cycles: 1 });
      expect(lost.problems.length).toBeGreaterThan(traced.batches.length);
    },
    WITHIN_MS,
  );
});
