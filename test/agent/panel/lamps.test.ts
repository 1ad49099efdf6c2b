import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Guard } from "../../../agent/guard.ts";
import type { JudgedReport } from "../../../agent/outlet/report.ts";
import { Lamps } from "../../../agent/panel/lamps.ts";
import { type Line, recordingLogger, temporaryFolder } from "../kit.ts";
import { channelReport, deviceReport, report } from "../outlet/kit.ts";

let folder = "";
let remove: () => void;
let lines: Line[];
let lamps: Lamps | undefined;
let now: JudgedReport;

beforeEach(() => {
  ({ folder, remove } = temporaryFolder());
  for (const name of ["reading", "sealed", "acknowledged"]) makeLed(name);
  now = report();
});
afterEach(async () => {
  await lamps?.stop();
  remove();
});

/** What the kernel shows of a lamp. */
function makeLed(name: string): void {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, "trigger"), "mmc0");
  writeFileSync(join(folder, name, "max_brightness"), "255\n");
  writeFileSync(join(folder, name, "brightness"), "255");
}

function brightness(name: string): string {
  return readFileSync(join(folder, name, "brightness"), "utf8");
}

function light(...names: readonly [string] | readonly [string, string, string]): Lamps {
  const recording = recordingLogger();
  lines = recording.lines;
  const pace = { commitMs: 10_000, checkpointMs: 60_000 };
  lamps = new Lamps(
    { lamps: names },
    { guard: new Guard(recording.logger), pace, report: () => now, ledRoot: folder },
  );
  lamps.start();
  return lamps;
}

describe("the lamps of a gateway", () => {
  it("are taken, say what is so, and are dark after stop", async () => {
    const shown = new Set<string>();
    const one = light("reading");
    await expect.poll(() => readFileSync(join(folder, "reading", "trigger"), "utf8")).toBe("none");
    await expect
      .poll(() => {
        shown.add(brightness("reading"));
        return shown.has("0") && shown.has("255");
      })
      .toBe(true);
    expect(one.shown).toEqual({ stage: "reading" });
    now = report({ log: { ...now.log, durableLeaves: now.log.durableLeaves + 1 } });
    await expect.poll(() => one.shown, { timeout: 3000 }).toEqual({ stage: "acknowledged" });
    await one.stop();
    expect(brightness("reading")).toBe("0");
    expect(lines).toEqual([]);
  });

  it("go on where one of them is not there, which is said once, and is asked seldom", async () => {
    rmSync(join(folder, "sealed"), { recursive: true });
    light("reading", "sealed", "acknowledged");
    now = report({ devices: [deviceReport({ channels: [channelReport({ ageMs: 100_000 })] })] });
    await expect.poll(() => lines.length).toBe(1);
    await expect.poll(() => existsSync(join(folder, "sealed"))).toBe(false);
    const shown = new Set<string>();
    await expect
      .poll(() => {
        shown.add(brightness("acknowledged"));
        return shown.has("0") && shown.has("255");
      })
      .toBe(true);
    expect(lines).toEqual([
      expect.objectContaining({ event: "indicator-failed", code: "indicator-led", lamp: "sealed" }),
    ]);
    expect(lines[0]?.["message"]).toContain("one of acknowledged, reading;");
  });

  it("say it where nothing can be said of the agent", async () => {
    const recording = recordingLogger();
    lines = recording.lines;
    const failing = (): JudgedReport => {
      throw new Error("no report");
    };
    const pace = { commitMs: 1, checkpointMs: 1 };
    lamps = new Lamps(
      { lamps: ["reading"] },
      { guard: new Guard(recording.logger), pace, report: failing, ledRoot: folder },
    );
    lamps.start();
    await expect.poll(() => lines.map(({ event }) => event)).toEqual(["indicator-failed"]);
  });
});
