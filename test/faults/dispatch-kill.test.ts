import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dispatchKill, lose } from "./dispatch-kill.ts";

const WITHIN_MS = 120_000;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kw-faults-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a few cycles of npm run faults -- dispatch-kill", () => {
  it(
    "leaves no device under a command when the agent is killed",
    async () => {
      const outcome = await dispatchKill.run({ cycles: 3, seed: 3, folder, said: () => undefined });
      expect(outcome).toMatchObject({ cycles: 3, problems: [] });
      expect(outcome.figures?.["inForce"]).toBeGreaterThan(0);
    },
    WITHIN_MS,
  );

  it(
    "leaves none when it stops, and reverts by itself",
    async () => {
      const { problems, text } = await lose("stop", { folder, how: "agent", afterMs: 100 });
      expect(problems).toEqual([]);
      expect(text).not.toContain("leases-revert");
    },
    WITHIN_MS,
  );
});
