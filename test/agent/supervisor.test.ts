import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { supervise } from "../../agent/supervisor.ts";
import { eventually } from "../kit/programs.ts";
import { recordingLogger, temporaryFolder } from "./kit.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

describe("supervisor", () => {
  let runs = "";
  let remove = (): void => undefined;
  let parent: ChildProcess | undefined;

  beforeEach(() => {
    const made = temporaryFolder();
    runs = join(made.folder, "runs");
    remove = made.remove;
  });
  afterEach(() => {
    parent?.kill("SIGKILL");
    parent = undefined;
    remove();
  });

  /** A program that does `first`, writes its pid into the file of runs and does `then`; `run` counts from 1. */
  function program(then: string, first = ""): { command: string; args: string[] } {
    const script = `${first}
      const fs = require("node:fs");
      fs.appendFileSync(${JSON.stringify(runs)}, process.pid + "\\n");
      const run = fs.readFileSync(${JSON.stringify(runs)}, "utf8").split("\\n").length - 1;
      ${then}`;
    return { command: process.execPath, args: ["-e", script] };
  }

  function pids(): number[] {
    try {
      return readFileSync(runs, "utf8").trim().split("\n").map(Number);
    } catch {
      return [];
    }
  }

  it.each([
    [0, "a clean stop"],
    [2, "a wrong configuration, which starting again cannot mend"],
  ])("ends with exit status %i at once: %s", async (code) => {
    const { logger, lines } = recordingLogger();
    expect(await supervise({ ...program(`process.exit(${code})`), logger })).toBe(code);
    expect(pids()).toHaveLength(1);
    expect(lines).toEqual([]);
  });

  it("starts again what failed and what was killed, and says so", async () => {
    const { logger, lines } = recordingLogger();
    const then = `if (run === 1) process.exit(1); if (run === 2) process.kill(process.pid, "SIGKILL"); else process.exit(0);`;
    expect(await supervise({ ...program(then), logger })).toBe(0);
    expect(pids()).toHaveLength(3);
    expect(lines.map(({ event }) => event)).toEqual(["agent-restarts", "agent-killed", "agent-restarts"]);
    expect(lines[0]).toMatchObject({ code: 1 });
    expect(Number(lines[0]?.["waitMs"])).toBeGreaterThanOrEqual(1000);
    expect(lines[1]).toMatchObject({ signal: "SIGKILL" });
  });

  it("leaves no handler behind", async () => {
    const before = process.listenerCount("SIGTERM");
    await supervise({ ...program("process.exit(0)"), logger: recordingLogger().logger });
    expect(process.listenerCount("SIGTERM")).toBe(before);
  });

  function isRunning(pid: number): boolean {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }

  function startParent(then: string, first?: string): ChildProcess {
    const { command, args } = program(then, first);
    const script = `import { supervise } from "./agent/supervisor.ts";
      import { openLogger } from "./runtime/log.ts";
      process.exitCode = await supervise({ command: ${JSON.stringify(command)}, args: ${JSON.stringify(args)},
        logger: openLogger("test", "silent") });`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      ...{ cwd: ROOT, stdio: "ignore" },
    });
    parent = child;
    return child;
  }

  it.each(["SIGTERM", "SIGINT"] as const)(
    "passes %s on and ends with the child's own status",
    async (signal) => {
      const child = startParent(
        "setInterval(() => {}, 1000);",
        `process.on("SIGTERM", () => process.exit(7));`,
      );
      const [pid = 0] = await eventually("a run", 20_000, () => (pids().length > 0 ? pids() : undefined));
      child.kill(signal);
      expect((await once(child, "exit"))[0]).toBe(7);
      expect(() => process.kill(pid, 0)).toThrow("ESRCH");
      expect(pids()).toHaveLength(1);
    },
  );

  it("stops in the middle of a wait", async () => {
    const child = startParent("process.exit(9)");
    await eventually("the end of a run", 20_000, () => {
      const pid = pids().at(-1);
      return pid !== undefined && !isRunning(pid) ? true : undefined;
    });
    // A slow look may have missed the first wait, and found a later one.
    const before = pids();
    child.kill("SIGTERM");
    expect((await once(child, "exit"))[0]).toBe(9);
    expect(pids()).toEqual(before);
  });

  it("counts a program that cannot be started as failed", async () => {
    const { lines, logger } = recordingLogger();
    let starts = 0;
    const what = {
      ...{ args: ["-e", "process.exit(0)"], logger },
      get command(): string {
        starts += 1;
        return starts === 1 ? join(runs, "no", "such", "program") : process.execPath;
      },
    };
    expect(await supervise(what)).toBe(0);
    expect(lines.map(({ event }) => event)).toEqual(["agent-start-failed", "agent-restarts"]);
  });
});
