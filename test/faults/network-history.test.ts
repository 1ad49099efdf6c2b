import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lyingNode } from "./lying-node.ts";
import { restore } from "./restore.ts";
import { twoAgents } from "./two-agents.ts";

const WITHIN_MS = 300_000;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kw-faults-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a few cycles of npm run faults: who holds which history", () => {
  it.each([
    [lyingNode, 1],
    [restore, 1],
    [twoAgents, 1],
  ])(
    "meets every bar: $name",
    async (fault, cycles) => {
      const outcome = await fault.run({ cycles, seed: 7, folder, said: () => undefined });
      expect(outcome).toMatchObject({ cycles, lost: 0, forks: 0, unsound: 0, problems: [] });
      expect(outcome.acknowledged).toBeGreaterThan(50);
    },
    WITHIN_MS,
  );
});
