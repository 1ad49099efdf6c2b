import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flapping } from "./flapping.ts";
import { hostile } from "./hostile.ts";
import { messages } from "./messages.ts";

const WITHIN_MS = 300_000;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kw-faults-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a few cycles of npm run faults: the line", () => {
  it.each([
    [flapping, 5],
    [messages, 3],
    [hostile, 1],
  ])(
    "meets every bar: $name",
    async (fault, cycles) => {
      const outcome = await fault.run({ cycles, seed: 7, folder, said: () => undefined });
      expect(outcome).toMatchObject({ cycles, lost: 0, forks: 0, unsound: 0, problems: [] });
      expect(outcome.acknowledged).toBeGreaterThan(100);
      expect(outcome.figures?.["provenWh"]).toBe(outcome.figures?.["shownWh"]);
    },
    WITHIN_MS,
  );
});
