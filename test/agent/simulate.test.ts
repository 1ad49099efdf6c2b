import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { probeDevice } from "../../agent/cli/probe-device.ts";
import { loadAgentConfig } from "../../agent/config/config.ts";
import { SIMULATED_FAULTS } from "../../drivers/simulated/profile-faults.ts";
import { unusedPort } from "../drivers/line/kit.ts";
import { freePort } from "../drivers/modbus/kit.ts";
import { commandAlone, type Outcome, outcomeOf } from "../kit/run-command.ts";

const COMMAND = new URL("../../agent/cli/simulate.ts", import.meta.url).href;
const PROFILE = fileURLToPath(new URL("../../drivers/profiles/eastron-sdm630.yaml", import.meta.url));
/** The command alone, as the launcher runs it. */
const RUN = commandAlone(COMMAND, "simulateCommand");

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kilowitness-simulate-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

function ended(...args: readonly string[]): Promise<Outcome> {
  return outcomeOf([...RUN, ...args]);
}

interface Simulator {
  readonly child: ChildProcess;
  /** Everything up to the end of the configuration block. */
  readonly out: string;
}

async function started(...args: readonly string[]): Promise<Simulator> {
  const child = spawn(process.execPath, [...RUN, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  running.push(child);
  let out = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (chunk: Uint8Array) => {
      out += String(chunk);
      if (/unit: \d+\n\n/.test(out)) resolve();
    });
    child.once("exit", () => reject(new Error(`ended: ${out}`)));
  });
  return { child, out };
}

/** Reads the device with the block as it was printed. */
async function probed(out: string): ReturnType<typeof probeDevice> {
  const path = join(folder, "agent.yaml");
  writeFileSync(path, `network: test\nkey: k\njournal: j\n${out.slice(out.indexOf("devices:"))}`);
  const [device] = loadAgentConfig(path).devices;
  if (device === undefined) throw new Error("no device");
  return await probeDevice(device, 25_000);
}

async function expectCleanEnd(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const gone = once(child, "exit");
  child.kill(signal);
  expect(await gone).toEqual([0, null]);
}

describe("kilowitness simulate", () => {
  it("is read with the block that it prints, and ends at SIGTERM", async () => {
    const port = await freePort();
    const { child, out } = await started("eastron-sdm630", "--port", String(port), "--unit", "7", "--quiet");
    expect(out.split("\n")[0]).toMatch(/^a simulated Eastron SDM630.* on 127\.0\.0\.1:\d+, unit 7$/);
    expect(out).toContain(`:${port}`);
    const { problem, identity, snapshot } = await probed(out);
    expect(problem).toBeUndefined();
    expect(identity).toMatchObject({ make: "Eastron" });
    expect(snapshot?.readings).toMatchObject([{ channel: "grid", activePowerMw: expect.any(Number) }]);
    await expectCleanEnd(child, "SIGTERM");
  });

  it("takes a profile's file, RTU over TCP and faults", async () => {
    const file = join(folder, "mine.yaml");
    writeFileSync(file, readFileSync(PROFILE));
    const port = await unusedPort();
    const { child, out } = await started(
      file,
      "--rtu-over-tcp",
      String(port),
      "--fault",
      "counter-reset",
      "--speed",
      "1",
    );
    expect(out.split("\n")[0]).toMatch(/RTU over TCP on 127\.0\.0\.1:\d+, unit 1, with counter-reset$/);
    expect(out).toContain(`profile: ${JSON.stringify(file)}`);
    const { problem, snapshot } = await probed(out);
    expect(problem).toBeUndefined();
    expect(snapshot?.readings[0]?.exportMwh).toBeLessThan(1_000_000);
    await expectCleanEnd(child, "SIGINT");
  });

  it("lists what can go wrong", async () => {
    const { code, out } = await ended("--list-faults");
    expect(code).toBe(0);
    const lines = out.trim().split("\n");
    expect(lines.map((line) => line.split(" ")[0])).toEqual(Object.keys(SIMULATED_FAULTS));
    expect(out).toContain("counter-reset");
  });

  const WRONG: readonly (readonly [args: readonly string[], code: number, said: string])[] = [
    [[], 2, "config-profile"],
    [["no-such-meter"], 2, "eastron-sdm630"],
    [["eastron-sdm630", "--fault", "rollover"], 1, "simulate-fault"],
    [["eastron-sdm630", "--line", "serial:///dev/no-such-line"], 1, "line-not-found"],
    [["eastron-sdm630", "--line", "tcp://127.0.0.1:1"], 1, "expected serial:///dev/"],
  ];

  it("says in one line what is wrong", async () => {
    const outcomes = await Promise.all(WRONG.map(([args]) => ended(...args)));
    for (const [at, [args, code, said]] of WRONG.entries()) {
      const outcome = outcomes[at];
      expect({ args, ...outcome }).toMatchObject({ code, out: "" });
      expect(outcome?.err).toContain(said);
      expect(outcome?.err.trim().split("\n")).toHaveLength(1);
    }
  });
});
