import { describe, expect, it } from "vitest";
import { announcement } from "../../agent/cli/scan.ts";
import { freshId, lineAddress } from "../../agent/cli/scan-entry.ts";
import { fitOf, rivalsOf } from "../../agent/cli/scan-look.ts";
import { ScanProgress } from "../../agent/cli/scan-progress.ts";
import { chooseTargets, type Surroundings, type TargetOptions } from "../../agent/cli/scan-targets.ts";
import type { MeterReading } from "../../attest/reading.ts";
import { planDiscovery } from "../../drivers/discovery/discovery.ts";
import type { Candidate, Certainty } from "../../drivers/discovery/recognise.ts";
import { formatFrom } from "../../drivers/discovery/serial-format.ts";
import { parseSubnet } from "../../drivers/discovery/subnets.ts";
import { parseLineAddress } from "../../drivers/line/address.ts";
import { quickTerms } from "../drivers/discovery/kit.ts";
import { codeOf } from "../drivers/modbus/kit.ts";

const NOTHING: TargetOptions = { line: [], net: [], host: [], port: [] };

function around(ports: readonly string[], cidrs: readonly string[] = []): Surroundings {
  return {
    ports: () => Promise.resolve(ports.map((path) => ({ path, device: path, maker: "FTDI" }))),
    subnets: () => ({
      subnets: cidrs.map(parseSubnet),
      leftOut: [{ subnet: "172.17.0.0/16", why: "larger than /22" }],
      own: ["192.168.1.2"],
    }),
  };
}

describe("what is scanned", () => {
  it("is everything near when nothing is named, and not this machine itself", async () => {
    const { targets, leftOut } = await chooseTargets(NOTHING, around(["/dev/a"], ["192.168.1.0/29"]));
    expect(targets.lines).toEqual(["/dev/a"]);
    expect(targets.groups).toEqual([
      {
        name: "192.168.1.0/29",
        hosts: [1, 3, 4, 5, 6].map((last) => `192.168.1.${last}`),
        named: false,
      },
    ]);
    expect(targets.ports).toBeUndefined();
    expect(leftOut).toEqual(["172.17.0.0/16: larger than /22"]);
  });

  it("is what is named and nothing else", async () => {
    const options = { ...NOTHING, line: ["/dev/b", "/dev/b"], host: ["meter.local"], port: [5020] };
    const { targets, leftOut } = await chooseTargets(options, around(["/dev/a"], ["192.168.1.0/24"]));
    expect(targets).toEqual({
      lines: ["/dev/b"],
      groups: [{ name: "meter.local", hosts: ["meter.local"], named: true }],
      ports: [5020],
    });
    expect(leftOut).toEqual([]);
  });

  it.each([
    ["too many serial ports", NOTHING, ["a", "b", "c", "d", "e"], "scan-too-many-ports"],
    ["nothing near", NOTHING, [], "scan-nothing"],
    ["a large network", { ...NOTHING, net: [parseSubnet("10.0.0.0/8")] }, [], "scan-too-large"],
    ["a public network", { ...NOTHING, net: [parseSubnet("8.8.8.0/24")] }, [], "scan-public"],
  ])("is refused with %s", async (_, options, ports, code) => {
    expect(await codeOf(chooseTargets(options, around(ports)))).toBe(code);
  });

  it("is announced with the time that it takes", () => {
    const hosts = Array.from({ length: 80 }, (_, at) => `10.0.0.${at}`);
    const groups = [{ name: "10.0.0.0/25", hosts, named: false }];
    const plan = planDiscovery({ lines: ["/dev/a"], groups }, quickTerms());
    expect(announcement(plan, { targets: plan, leftOut: ["10.1.0.0/16: larger than /22"] })).toMatch(
      /^scanning \/dev\/a: 1\d settings, at most [\d.]+ s and the time of what answers\nscanning 10\.0\.0\.0\/25: 80 hosts, ports 502, 1502, 15503, about 30 s .*\nnot scanned: 10\.1\.0\.0\/16: larger than \/22\n$/,
    );
  });
});

describe("progress", () => {
  function shown(isTTY: boolean, gapMs: number): string {
    let [text, now] = ["", 0];
    const output = { isTTY, write: (more: string) => (text += more) };
    const progress = new ScanProgress(output, () => now);
    for (const fraction of [0.1, 0.256, 1]) {
      now += gapMs;
      progress.show({ fraction, remainingMs: 100_000 * (1 - fraction) });
    }
    progress.end();
    return text;
  }

  it("is one line that changes on a terminal", () => {
    expect(shown(true, 250)).toBe(
      "\r\u001b[K10 %, at most 90 s left\r\u001b[K25 %, at most 74.4 s left\r\u001b[K100 %, at most 0 ms left\r\u001b[K",
    );
  });

  it("says that it goes on where nothing is counted for long", () => {
    let [text, now] = ["", 0];
    const progress = new ScanProgress({ write: (more) => (text += more) }, () => now);
    for (; now < 40_000; now += 1000) progress.idle();
    expect(text).toBe("what answers is being asked and read\n".repeat(2));
    progress.show({ fraction: 0.5, remainingMs: 1000 });
    for (; now < 54_000; now += 1000) progress.idle();
    expect(text).toMatch(/read\n50 %, at most 1 s left\n$/);
  });

  it("is a line now and then elsewhere", () => {
    expect(shown(false, 6000)).toBe("25 %, at most 74.4 s left\n");
    expect(shown(false, 250)).toBe("");
  });
});

function candidate(driver: string, certainty: Certainty): Candidate {
  return { driver, certainty, title: "", weight: 0, because: [], profile: undefined };
}

function reading(values: Partial<MeterReading>): MeterReading {
  return { channel: "grid", evidence: new Uint8Array(32), ...values };
}

describe("which drivers are tried", () => {
  it.each([
    ["sure likely possible", "sure"],
    ["likely likely possible", "likely likely"],
    ["possible possible hint", "possible possible hint"],
    ["hint hint hint hint hint", "hint hint hint hint"],
    ["", ""],
  ])("of %s: %s", (given, tried) => {
    const all = given.split(" ").flatMap((word) => (isCertainty(word) ? candidate("a", word) : []));
    expect(
      rivalsOf(all)
        .map(({ certainty }) => certainty)
        .join(" "),
    ).toBe(tried);
  });

  it("is held against what mains can be", () => {
    const good = reading({ voltageMv: [230_000, 229_000], frequencyMhz: 50_000 });
    const bad = reading({ voltageMv: [230_000, 0], frequencyMhz: 400_000 });
    const doubts = [{ channel: "grid", quantities: ["power"] as const, message: "" }];
    const of = (readings: readonly MeterReading[], more = {}) =>
      fitOf({ readings, flexibility: [], absent: [], ...more });
    expect(of([good])).toEqual({ good: 3, bad: 0 });
    expect(of([bad])).toEqual({ good: 1, bad: 2 });
    expect(of([good], { doubts })).toEqual({ good: 3, bad: 1 });
    expect(fitOf(undefined)).toEqual({ good: 0, bad: 0 });
  });
});

function isCertainty(word: string): word is Certainty {
  return ["sure", "likely", "possible", "hint"].includes(word);
}

describe("an entry of the configuration", () => {
  it("has a name that nobody has", () => {
    const identity = { make: "Frönius International", model: "Symo GEN24 10.0", serial: "1", firmware: "" };
    expect(freshId("sunspec", identity, new Set())).toBe("fr-nius-international-symo-gen24-10-0");
    expect(freshId("sunspec", { ...identity, make: "", model: "" }, new Set())).toBe("sunspec");
    expect(freshId("abb-b21", identity, new Set(["abb-b21", "abb-b21-2"]))).toBe("abb-b21-3");
    expect(freshId("sunspec", { ...identity, model: "X".repeat(100) }, new Set()).length).toBeLessThanOrEqual(
      60,
    );
  });

  it("has a line that is read as it was meant, with the settings where they are not the device's own", () => {
    const format = formatFrom("19200 8E1");
    const path = "/dev/serial/by-id/usb-A#1?%20_B:C-if00";
    expect(parseLineAddress(lineAddress(path, format))).toEqual({ kind: "serial", path, ...format });
    expect(parseLineAddress(lineAddress(path, format, format))).toEqual({ kind: "serial", path });
    expect(lineAddress("/dev/ttyUSB0", format, formatFrom("9600 8N1"))).toBe(
      "serial:///dev/ttyUSB0?baud=19200&format=8E1",
    );
  });
});
