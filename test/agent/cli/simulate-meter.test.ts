import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { probeDevice } from "../../../agent/cli/probe-device.ts";
import {
  type MeterWords,
  meterConfigurationText,
  meterReadyText,
  meterShownText,
} from "../../../agent/cli/simulate-meter-text.ts";
import { loadAgentConfig } from "../../../agent/config/config.ts";
import { TELEGRAM_FAULTS } from "../../../drivers/simulated/telegram-faults.ts";
import { METER_KINDS, type MeterKind } from "../../../drivers/simulated/telegram-kinds.ts";
import type { TelegramPlace } from "../../../drivers/simulated/telegram-place.ts";
import { METER_DRIVERS, METER_LAYOUTS } from "../../drivers/simulated/meter-kinds.ts";

const MAIN = fileURLToPath(new URL("./simulate-main.ts", import.meta.url));
const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "simulate-meter-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

function kindOf(name: string): MeterKind {
  return METER_KINDS[name] ?? expect.fail(name);
}

const TCP: TelegramPlace = { kind: "tcp", host: "127.0.0.1", port: 0 };
const GROUP: TelegramPlace = { kind: "datagrams", group: "239.12.255.254", port: 9522 };

describe("what is printed of a simulated meter", () => {
  it.each(METER_LAYOUTS)("of %s, %s is a configuration that its driver takes", (name, layout) => {
    const kind = kindOf(name);
    const place = kind.medium === "line" ? TCP : GROUP;
    const said: unknown = parse(meterConfigurationText({ kind, layout, place, faults: [] }, 4711));
    const [{ id, driver, ...options }] = Object(said).devices;
    expect({ id, driver }).toEqual({ id: "simulated", driver: kind.driver });
    const definition = METER_DRIVERS.find((one) => one.name === driver);
    const taken = definition?.schema.parse(options);
    if (kind.medium === "line") expect(taken).toMatchObject({ line: { kind: "tcp", port: 4711 } });
  });

  const words: MeterWords = { kind: kindOf("dlms"), layout: "aidon", place: TCP, faults: [] };

  it.each([
    [TCP, 'line: "?tcp://127.0.0.1:99"?$', "is on tcp://127.0.0.1:99"],
    [{ kind: "tcp", host: "::1", port: 0 }, 'line: "tcp://\\[::1\\]:99"$', "is on tcp://[::1]:99"],
    [{ kind: "pty", link: "/tmp/x" }, "line: serial:///tmp/x$", "is on the pseudo terminal /tmp/x"],
    [
      { kind: "serial", path: "/dev/ttyUSB0" },
      "line: serial:///dev/serial/by-id/NAME #",
      "is on the serial line /dev/ttyUSB0",
    ],
    [
      { kind: "datagrams", group: "239.255.1.1", port: 9522, interfaceAddress: "127.0.0.1" },
      'interface: "127.0.0.1"\n {4}group: "239.255.1.1"$',
      "sends to udp://239.255.1.1:9522",
    ],
  ] as const)("says the place %j", (place, line, ready) => {
    expect(meterConfigurationText({ ...words, place }, 99)).toMatch(new RegExp(line, "m"));
    expect(meterReadyText({ ...words, place }, 99)).toBe(
      `a simulated meter that pushes DLMS lists (aidon) ${ready}`,
    );
  });

  it("says keys by their files, and faults", () => {
    const keyed = { ...words, keyFile: "/k", authenticationKeyFile: "/a", faults: ["noise", "meter-swap"] };
    expect(meterReadyText(keyed, 99)).toMatch(/:99, encrypted, with noise, meter-swap$/);
    expect(Object(parse(meterConfigurationText(keyed, 99))).devices[0]).toMatchObject({
      ...{ keyFile: "/k", authenticationKeyFile: "/a" },
      clock: "CET",
    });
  });

  it("shows in one line what the meter shows", () => {
    const shown = {
      ...{ serial: "30471106", importT1Mwh: 1_000_000, importT2Mwh: 2_500_000 },
      ...{ exportT1Mwh: 1_000, exportT2Mwh: 0, activePowerMw: -1_500_000 },
      ...{ timeMs: Date.UTC(2026, 0, 1), voltageMv: [], currentMa: [], frequencyMhz: 50_000 },
    };
    const meter = { shown: () => shown, said: () => 12, spoilt: () => 1 };
    expect(meterShownText(meter, "grid").slice(9)).toBe(
      "12 telegrams, 1 of them spoilt | grid: exporting 1.5 kW, import 3.500 kWh, export 0.001 kWh, meter 30471106, its clock 2026-01-01T00:00:00Z",
    );
    expect(meterShownText(meter, "solar")).toContain("solar: generating 1.5 kW");
  });
});

interface Started {
  readonly child: ChildProcess;
  out: string;
  err: string;
  ended(): Promise<number | null>;
}

function started(...args: readonly string[]): Started {
  const child = spawn(process.execPath, [MAIN, "meter", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  const exit = once(child, "close");
  const seen: Started = { child, out: "", err: "", ended: async () => (await exit)[0] };
  child.stdout?.on("data", (bytes: Uint8Array) => {
    seen.out += String(bytes);
  });
  child.stderr?.on("data", (bytes: Uint8Array) => {
    seen.err += String(bytes);
  });
  return seen;
}

async function ready(...args: readonly string[]): Promise<Started> {
  const one = started(...args);
  while (!one.out.endsWith("\n\n")) {
    if (one.child.exitCode !== null) throw new Error(one.err);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return one;
}

async function probed(out: string): ReturnType<typeof probeDevice> {
  const path = join(folder, "agent.yaml");
  writeFileSync(path, `network: test\nkey: k\njournal: j\n${out.slice(out.indexOf("devices:"))}`);
  const [device] = loadAgentConfig(path).devices;
  return await probeDevice(device ?? expect.fail(), 25_000);
}

describe("kilowitness simulate meter", () => {
  it("is read with the block that it prints, and ends at SIGTERM", async () => {
    const one = await ready("dsmr", "--tcp", "127.0.0.1:0", "--period-ms", "100", "--serial", "4711");
    expect(one.out).toMatch(
      /^a simulated smart meter with a P1 port \(dsmr-5\) is on tcp:\/\/127\.0\.0\.1:\d+\n/,
    );
    const { problem, identity, snapshot } = await probed(one.out);
    expect(problem).toBeUndefined();
    expect(identity).toMatchObject({ serial: "4711" });
    expect(snapshot?.readings).toMatchObject([{ channel: "grid", importMwh: expect.any(Number) }]);
    one.child.kill("SIGTERM");
    expect(await one.ended()).toBe(0);
    expect(one.err).toBe("");
  });

  it.skipIf(!HAS_SOCAT)("is on a pseudo terminal that is gone with it", async () => {
    const link = join(folder, "port");
    const one = await ready("dsmr", "--pty", link, "--period-ms", "100");
    const { problem, identity } = await probed(one.out);
    expect(problem).toBeUndefined();
    expect(identity).toMatchObject({ serial: "30471106" });
    one.child.kill("SIGINT");
    expect(await one.ended()).toBe(0);
    expect(existsSync(link)).toBe(false);
  });

  it("says that its port is taken", async () => {
    const one = await ready("sml", "--tcp", "127.0.0.1:0", "--quiet");
    const place = /tcp:\/\/(\S+)/.exec(one.out)?.[1] ?? expect.fail();
    const other = started("sml", "--tcp", place);
    expect(await other.ended()).toBe(1);
    expect(other.err).toContain(`${place}: the port is taken; take another one with --tcp (simulate-place)`);
  });

  it("lists what can go wrong", async () => {
    const one = started("--list-faults");
    expect(await one.ended()).toBe(0);
    const names = one.out
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]);
    expect(names).toEqual(Object.keys(TELEGRAM_FAULTS));
  });

  const WRONG: readonly (readonly [args: readonly string[], code: number, said: string])[] = [
    [[], 2, "config-missing"],
    [["sml", "--layout", "nothing"], 1, "one of open, locked"],
    [["sml", "--fault", "rollover"], 1, "simulate-fault"],
    [["sml", "--fault", "key-change"], 1, "simulate-fault"],
    [["iec62056", "--layout", "mode-d", "--fault", "wrong-checksum"], 1, "simulate-fault"],
    [["sml", "--key", "/no/such/key"], 1, "key-file"],
    [["sml", "--multicast", "239.1.1.1:9"], 2, "config-place"],
    [["speedwire", "--pty", "/tmp/x"], 2, "config-place"],
    [["sml", "--path", "/dev/no-such-line"], 1, "line-not-found"],
  ];

  it("says in one line what is wrong", async () => {
    const outcomes = WRONG.map(([args]) => started(...args));
    const codes = await Promise.all(outcomes.map((one) => one.ended()));
    for (const [at, [args, code, said]] of WRONG.entries()) {
      const { out = "", err = "" } = outcomes[at] ?? {};
      expect({ args, code: codes[at], out }).toEqual({ args, code, out: "" });
      expect(err).toContain(said);
      expect(err.trim().split("\n")).toHaveLength(1);
    }
  });
});
