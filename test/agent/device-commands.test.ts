import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningPeer, startTcpPeer } from "../../drivers/simulated/modbus-peer.ts";
import { ExampleMeter, METER } from "../drivers/profile/kit.ts";
import { type Outcome, outcomeOf } from "../kit/run-command.ts";

/** The commands of a device maker, each as a process of its own, on a meter of a profile that nobody has. */

const KILOWITNESS = fileURLToPath(new URL("../../bin/kilowitness.js", import.meta.url));

let folder = "";
let profile = "";
let peer: RunningPeer | undefined;
let place: readonly string[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kilowitness-device-"));
  profile = join(folder, "example-meter.yaml");
  writeFileSync(profile, METER);
  peer = await startTcpPeer({ framing: "tcp", model: new ExampleMeter() });
  place = ["--host", "127.0.0.1", "--port", String(peer.port)];
});
afterAll(async () => {
  await peer?.close();
  rmSync(folder, { recursive: true, force: true });
});

function run(...args: readonly string[]): Promise<Outcome> {
  return outcomeOf([KILOWITNESS, ...args]);
}

async function firstReading(child: ChildProcess): Promise<string> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.split("600 W").length > 2) return text;
  }
  return text;
}

describe("kilowitness probe --profile", () => {
  it("shows in words what the profile makes of the device", async () => {
    const { code, out, err } = await run("probe", "--profile", profile, ...place);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("Example EX-3, serial 4711");
    expect(out).toContain("600 W");
    expect(out).toMatch(/123\.45\d* kWh/);
    expect(out).toContain("the meter's manual");
  });

  it("says what contradicts itself", async () => {
    const torn = new ExampleMeter();
    torn.set("input", 0, [100, 200, 250]);
    const server = await startTcpPeer({ framing: "tcp", model: torn });
    const { out } = await run(
      "probe",
      "--profile",
      profile,
      "--host",
      "127.0.0.1",
      "--port",
      String(server.port),
    );
    await server.close();
    expect(out).toContain("DOUBTFUL grid: powerL1 + powerL2 + powerL3 is 550 W, power is 600 W");
  });

  it("reads on until it is told to stop", async () => {
    const child = spawn(process.execPath, [
      KILOWITNESS,
      "probe",
      "--profile",
      profile,
      ...place,
      "--live",
      "0.2",
    ]);
    const text = await firstReading(child);
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    expect(text).toContain("600 W");
    expect(code).toBe(0);
  });

  it.each([
    [["--profile", "/nowhere/x.yaml", "--host", "a"], 1, "/nowhere/x.yaml"],
    [["--profile", "PROFILE"], 2, '"host" or "line" expected'],
    [["--profile", "PROFILE", "--host", "a", "--line", "tcp://b:1"], 2, '"host" or "line" expected'],
    [["--profile", "PROFILE", "--host", "a", "--unit", "999"], 2, "expected a whole number up to 255"],
    [[], 2, "expected --config FILE, or --profile FILE with --host or --line, got neither"],
  ])("says in one line what is wrong with %j", async (args, code, said) => {
    const outcome = await run("probe", ...args.map((arg) => (arg === "PROFILE" ? profile : arg)));
    expect(outcome.err).toContain(said);
    expect(outcome.code).toBe(code);
  });
});

describe("kilowitness capture", () => {
  it("prints the profile's registers without the serial number", async () => {
    const { code, out, err } = await run("capture", "--profile", profile, ...place, "--device", "EX-3");
    expect(code).toBe(0);
    expect(out).toContain("device: EX-3");
    expect(out).toContain("activePowerMw: 600000");
    expect(out).toContain("4558 2D33");
    expect(err).toContain("blanked holding 104-105: serial");
    expect(out).not.toContain("1267");
  });

  it("writes ranges to a new file, and never over one", async () => {
    const file = join(folder, "capture.yaml");
    const args = ["capture", "--range", "input:0-9", ...place, "--unit", "3", "--out", file];
    expect((await run(...args)).code).toBe(0);
    expect(readFileSync(file, "utf8")).toContain("0064 00C8 012C");
    const again = await run(...args);
    expect(again.code).toBe(1);
    expect(again.err).toContain("EEXIST");
    expect(existsSync(file)).toBe(true);
  });

  it("says what is missing", async () => {
    expect((await run("capture", ...place)).err).toContain(
      "expected --profile FILE, or --range TABLE:FROM-TO",
    );
    expect((await run("capture", "--range", "coils:0-9", ...place)).err).toContain("expected input:FROM-TO");
  });
});

describe("kilowitness drivers", () => {
  it("lists drivers by a word, or says that there is none", async () => {
    const { out } = await run("drivers", "SunSpec");
    expect(out).toMatch(/^sunspec +\S/m);
    const none = await run("drivers", "nobody-makes-this");
    expect(none).toMatchObject({ code: 1, out: "" });
    expect(none.err).toContain("no driver has this word");
    const { drivers } = JSON.parse((await run("drivers", "--json", "p1")).out);
    expect(drivers).toContainEqual({ name: "dsmr-p1", summary: expect.any(String) });
  });
});
