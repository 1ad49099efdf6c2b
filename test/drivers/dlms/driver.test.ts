import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Problem } from "../../../attest/problem.ts";
import { dlmsDecoder } from "../../../drivers/dlms/decoder.ts";
import { dlmsPushDriver } from "../../../drivers/dlms/driver.ts";
import { dlmsListening } from "../../../drivers/dlms/listening.ts";
import { dlmsProtocol } from "../../../drivers/dlms/protocol.ts";
import { decodeDlms } from "../../../drivers/dlms/telegram.ts";
import type { MeterDriver } from "../../../drivers/driver.ts";
import { conformance } from "../../../drivers/kit/conformance.ts";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { type DlmsSpeakerSettings, dlmsSpeaker } from "../../../drivers/simulated/dlms-telegram.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import { listen, Recorder, until, unusedPort } from "../line/kit.ts";
import { listenedTo } from "../telegram/push-log.ts";
import { AUTHENTICATION_KEY, join as joinBytes, KEY, LIST, telegram } from "./kit.ts";

const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;
const START_MS = Date.UTC(2026, 6, 1, 12, 20, 30);

let folder = "";
const open: { close(): Promise<unknown> }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dlms-"));
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  rmSync(folder, { recursive: true });
});

/** What a meter shows at its n-th telegram: registers go up, time passes. */
function shownAt(round: number, serial = "30471106"): ShownByMeter {
  return {
    serial,
    ...{ importT1Mwh: 12_345_000 + 20_000 * round, importT2Mwh: 0, exportT1Mwh: 0, exportT2Mwh: 0 },
    ...{ activePowerMw: 812_000, timeMs: START_MS + 10_000 * round, frequencyMhz: 50_000 },
    ...{ voltageMv: [230_000, 231_000, 229_000], currentMa: [1_200, 1_200, 1_200] },
  };
}

/** Telegrams of a meter, without end. */
function telegramsOf(settings: DlmsSpeakerSettings, serial?: string): () => Uint8Array {
  const speaker = dlmsSpeaker(settings);
  let round = 0;
  return () => {
    round += 1;
    return joinBytes(...speaker.telegrams(shownAt(round, serial)));
  };
}

/** A gateway that sends `next()` every 10 ms to whoever is there. */
async function gateway(next: () => Uint8Array): Promise<string> {
  const server = await listen((socket) => {
    const timer = setInterval(() => socket.write(next()), 10);
    socket.on("close", () => clearInterval(timer));
  });
  open.push(server);
  return `tcp://127.0.0.1:${server.port}`;
}

function driverWith(options: Readonly<Record<string, unknown>>): MeterDriver {
  const driver = dlmsPushDriver.open(dlmsPushDriver.schema.parse(options));
  open.push(driver);
  return driver;
}

function keyFile(name: string, key: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.from(key).toString("hex"));
  chmodSync(path, 0o600);
  return path;
}

describe("dlms-push over TCP", () => {
  it("identifies the meter and delivers its readings with their evidence", async () => {
    const line = await gateway(telegramsOf({ layout: "kaifa", framing: "mbus" }));
    const driver = driverWith({ line });
    const log = listenedTo(driver);
    expect(await driver.identify()).toEqual({ make: "", model: "", serial: "000030471106", firmware: "" });
    expect(driver.channels()).toEqual([
      expect.objectContaining({ name: "grid", role: "grid", resolutionMwh: 1_000, signVerified: true }),
    ]);
    await until("three readings", () => log.snapshots.length >= 3);
    for (const { readings, frames } of log.snapshots) {
      const [reading] = readings;
      const [frame] = frames ?? [];
      expect(reading).toMatchObject({ channel: "grid", activePowerMw: 812_000 });
      expect(reading).not.toHaveProperty("resolutionMwh");
      const digest = createHash("sha256")
        .update(frame?.bytes ?? "")
        .digest();
      expect(reading?.evidence).toEqual(new Uint8Array(digest));
      const shown = decodeDlms(frame?.bytes ?? new Uint8Array(0)).values;
      expect(shown.find(({ code }) => code === "1-0:1.8.0*255")?.text).toBe(
        String((reading?.importMwh ?? 0) / 1_000),
      );
    }
    expect(log.problems).toEqual([]);
  });

  it("reads an encrypted meter with its keys from files, and gives the deciphered list as evidence", async () => {
    const keys = { key: KEY, authenticationKey: AUTHENTICATION_KEY };
    const line = await gateway(telegramsOf({ layout: "landis-gyr", framing: "hdlc", ...keys }));
    const driver = driverWith({
      ...{ line, registerStepWh: 1, clock: "CET" },
      keyFile: keyFile("guek", KEY),
      authenticationKeyFile: keyFile("gak", AUTHENTICATION_KEY),
    });
    const log = listenedTo(driver);
    expect(await driver.identify()).toMatchObject({ make: "Landis+Gyr", serial: "30471106" });
    await until("two readings", () => log.snapshots.length >= 2);
    const bytes = log.snapshots[0]?.frames?.[0]?.bytes ?? new Uint8Array(0);
    expect(bytes[0]).toBe(0x0f);
    expect(decodeDlms(bytes).meterId).toBe("30471106");
  });

  it("says at once that the key is missing, wrong, or that the list states no units", async () => {
    const encrypted = await gateway(telegramsOf({ layout: "kaifa", framing: "mbus", key: KEY }));
    const failure = (options: Readonly<Record<string, unknown>>): Promise<string> =>
      driverWith(options)
        .identify()
        .then(
          () => "identified",
          (problem: Problem) => problem.code,
        );
    expect(await failure({ line: encrypted })).toBe("dlms-key-missing");
    expect(await failure({ line: encrypted, keyFile: keyFile("other", AUTHENTICATION_KEY) })).toBe(
      "dlms-decrypt",
    );
    const bare = await gateway(telegramsOf({ layout: "landis-gyr", framing: "hdlc" }));
    expect(await failure({ line: bare })).toBe("dlms-units");
  });

  it("refuses another meter on the line, and damaged telegrams, and goes on", async () => {
    const [mine, other] = [
      telegramsOf({ layout: "iskra", framing: "hdlc" }),
      telegramsOf({ layout: "iskra", framing: "hdlc" }, "11111111"),
    ];
    let round = 0;
    const line = await gateway(() => {
      round += 1;
      if (round % 3 === 0) return other();
      const bytes = mine();
      return round % 3 === 1 ? bytes : bytes.with(40, (bytes[40] ?? 0) ^ 0x10);
    });
    const driver = driverWith({ line });
    await driver.identify();
    const log = listenedTo(driver);
    await until("readings and refusals", () => log.snapshots.length >= 4 && log.problems.length >= 4);
    expect(new Set(log.problems)).toEqual(new Set(["driver-identity-changed", "dlms-fcs"]));
    expect(
      new Set(log.snapshots.flatMap(({ readings }) => readings.map(({ activePowerMw }) => activePowerMw))),
    ).toEqual(new Set([812_000]));
  });

  it("keeps the contract", async () => {
    const line = await gateway(telegramsOf({ layout: "sagemcom", framing: "mbus", key: KEY }));
    const options = { line, keyFile: keyFile("guek", KEY) };
    const unreachable = {
      ...options,
      line: `tcp://127.0.0.1:${await unusedPort()}`,
      identifyTimeoutMs: 1_000,
    };
    const results = await conformance(dlmsPushDriver, options, { unreachable });
    expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
    expect(results.filter(({ outcome }) => outcome === "passed").length).toBeGreaterThan(8);
  });
});

describe.skipIf(!HAS_SOCAT)(
  `dlms-push over a pseudo terminal${HAS_SOCAT ? "" : " (socat is not installed)"}`,
  () => {
    it("reads segments as a serial port brings them", async () => {
      const [near, far] = [join(folder, "near"), join(folder, "far")];
      const socat: ChildProcess = spawn("socat", [
        `pty,raw,echo=0,link=${near}`,
        `pty,raw,echo=0,link=${far}`,
      ]);
      const gone = new Promise<void>((resolve) => socat.once("exit", () => resolve()));
      open.push({
        close: () => {
          socat.kill();
          return gone;
        },
      });
      await until("the pseudo terminals", () => existsSync(near) && existsSync(far));
      const meter = new SerialLine({ path: far, baudRate: 2_400, dataBits: 8, parity: "none", stopBits: 1 });
      open.push(meter);
      await meter.open(new Recorder());
      const next = telegramsOf({ layout: "aidon", framing: "hdlc", segmentBytes: 100 });
      const timer = setInterval(() => void meter.write(next()), 20);
      open.push({ close: async () => clearInterval(timer) });
      const driver = driverWith({ line: `serial://${near}?format=8N1`, clock: "CET" });
      const log = listenedTo(driver);
      expect(await driver.identify()).toMatchObject({ make: "Aidon", serial: "7359992030471106" });
      await until("readings", () => log.snapshots.length >= 2);
      expect(log.snapshots[0]?.readings[0]).toMatchObject({ activePowerMw: 812_000 });
    });
  },
);

describe("what a scan and a decoder get", () => {
  it("listens at the formats meters speak, the driver's default first", () => {
    const shown = dlmsListening.formats.map(({ baudRate, parity }) => `${baudRate} ${parity}`);
    expect(shown).toEqual(["2400 even", "2400 none", "9600 none", "115200 none"]);
    expect(dlmsListening.driver).toBe(dlmsPushDriver.name);
    const [found] = dlmsListening.createProtocol().createFramer().push(telegram(LIST));
    expect(found?.kind).toBe("telegram");
  });

  it("takes every simulated telegram apart", () => {
    for (const framing of ["hdlc", "mbus"] as const) {
      const bytes = telegramsOf({ layout: "kaifa", framing, key: KEY })();
      const [found] = dlmsDecoder.createFramer().push(bytes);
      if (found?.kind !== "telegram") throw new Error("no telegram");
      const [decoded] = dlmsDecoder.decode(found.bytes, { key: KEY });
      expect(decoded?.values.some(({ code, text }) => code === "1-0:1.7.0*255" && text === "812")).toBe(true);
    }
  });
});

describe("any bytes", () => {
  it("make no reading but those of whole telegrams with right checks, and never anything but a Problem", () => {
    const good = (["kaifa", "kamstrup", "aidon", "landis-gyr", "iskra", "sagemcom"] as const).flatMap(
      (layout) => (["hdlc", "mbus"] as const).map((framing) => telegramsOf({ layout, framing })()),
    );
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.constantFrom(...good),
      fc
        .tuple(fc.constantFrom(...good), fc.nat(), fc.nat(255))
        .map(([bytes, place, value]) => bytes.with(place % bytes.length, value)),
      fc
        .tuple(fc.constantFrom(...good), fc.nat())
        .map(([bytes, end]) => bytes.subarray(0, end % bytes.length)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const protocol = dlmsProtocol({ registerStepWh: 1 });
        const framer = protocol.createFramer();
        for (const framed of [...framer.push(joinBytes(...pieces)), ...framer.end()]) {
          if (framed.kind === "refused") expect(framed.problem.code).toMatch(/^dlms-/);
          else
            expect(good.map((bytes) => Buffer.from(bytes).toString("hex"))).toContain(
              Buffer.from(framed.bytes).toString("hex"),
            );
          if (framed.kind === "telegram")
            expect(protocol.decode(framed.bytes)?.readings[0]?.activePowerMw).toBe(812_000);
        }
      }),
      { numRuns: 150 },
    );
  });
});
