import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { MeterDriver, Snapshot } from "../../../drivers/driver.ts";
import { conformance } from "../../../drivers/kit/conformance.ts";
import { type SmlSpeakerSettings, smlSpeaker } from "../../../drivers/simulated/sml-telegram.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import type { TelegramFault } from "../../../drivers/simulated/telegram-faults.ts";
import { startSpeakingMeter, type TelegramMeterHandle } from "../../../drivers/simulated/telegram-meter.ts";
import type { TelegramPlace } from "../../../drivers/simulated/telegram-place.ts";
import { smlDecoder } from "../../../drivers/sml/decoder.ts";
import { smlDriver } from "../../../drivers/sml/driver.ts";
import { smlListening } from "../../../drivers/sml/listening.ts";
import { closeLater } from "../../kit/close-later.ts";
import { listen, until, unusedPort } from "../line/kit.ts";
import { telegrams } from "../telegram/framed.ts";
import { listenedTo } from "../telegram/push-log.ts";
import { frame, join as joined } from "./kit.ts";
import { SHOWN } from "./shown.ts";

const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;
const CAPTURE = "../shared/corpora/sml/DZG_DVS-7420.2V.G2_mtr2_neg.bin";
const PORT = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

interface Behaviour {
  readonly place?: TelegramPlace;
  readonly settings?: SmlSpeakerSettings;
  readonly shown?: () => ShownByMeter;
  readonly fault?: () => TelegramFault | undefined;
  readonly onServed?: (shown: ShownByMeter, fault: TelegramFault | undefined) => void;
}

async function simulate({
  place = PORT,
  settings = {},
  ...more
}: Behaviour = {}): Promise<TelegramMeterHandle> {
  const speaker = smlSpeaker(settings);
  const meter = await startSpeakingMeter({ place, periodMs: 20, speaker, shown: () => SHOWN, ...more });
  return closeLater(meter);
}

function driverAt(line: string, options: Readonly<Record<string, unknown>> = {}): MeterDriver {
  const driver = smlDriver.open(smlDriver.schema.parse({ line, ...options }));
  return closeLater(driver);
}

describe("SML driver", () => {
  it("identifies a meter over TCP and delivers its readings with their evidence", async () => {
    const { port } = await simulate();
    const driver = driverAt(`tcp://127.0.0.1:${port}`);
    expect(await driver.identify()).toEqual({
      make: "KWS",
      model: "",
      serial: "1 KWS00 1234 5678",
      firmware: "",
    });
    expect(driver.channels()).toMatchObject([{ name: "grid", role: "grid", signVerified: true }]);
    const log = listenedTo(driver);
    await until("three telegrams", () => log.snapshots.length >= 3);
    for (const { readings, frames = [] } of log.snapshots) {
      expect(readings).toMatchObject([{ importMwh: 2_375_582_300, activePowerMw: -1_234_560 }]);
      expect(frames).toMatchObject([{ what: "sml telegram" }]);
      const [bytes = new Uint8Array()] = frames.map((raw) => raw.bytes);
      expect(Buffer.from(readings[0]?.evidence ?? [])).toEqual(createHash("sha256").update(bytes).digest());
      expect(telegrams(frame(bytes))).toEqual([bytes]);
    }
    expect(log.problems).toEqual([]);
  });

  it("delivers exactly the good telegrams among damaged ones", async () => {
    const faults = ["noise", "wrong-checksum", "lost-bytes", "truncated"] as const;
    const good: number[] = [];
    let count = 0;
    const { port } = await simulate({
      shown: () => {
        count += 1;
        return { ...SHOWN, importT1Mwh: count * 1_100 };
      },
      fault: () => [undefined, ...faults][count % 5],
      onServed: (shown, fault) => {
        if (fault === undefined || fault === "noise") good.push(shown.importT1Mwh + shown.importT2Mwh);
      },
    });
    const log = listenedTo(driverAt(`tcp://127.0.0.1:${port}`));
    await until("every fault three times", () => count > 15);
    const delivered = log.snapshots.map(({ readings }) => readings[0]?.importMwh);
    expect(delivered.length).toBeGreaterThan(3);
    expect(good.slice(0, delivered.length)).toEqual(delivered);
    expect(log.problems).toContain("sml-checksum");
    for (const code of log.problems) expect(code).toMatch(/^sml-(?:checksum|truncated|escape)$/);
  });

  it("refuses another meter on the line until it is identified again", async () => {
    let serial = "0012345678";
    const { port } = await simulate({ shown: () => ({ ...SHOWN, serial }) });
    const driver = driverAt(`tcp://127.0.0.1:${port}`);
    await driver.identify();
    const log = listenedTo(driver);
    serial = "0087654321";
    await until("the refusal", () => log.problems.length > 0);
    expect(new Set(log.problems)).toEqual(new Set(["driver-identity-changed"]));
    expect((await driver.identify()).serial).toBe("1 KWS00 8765 4321");
  });

  it("says in each reading when the meter is locked meanwhile, and unlocked", async () => {
    const speaker = smlSpeaker();
    const lockedSpeaker = smlSpeaker({ locked: true });
    let isLocked = false;
    const telegramsOf = (shown: ShownByMeter): readonly Uint8Array[] =>
      (isLocked ? lockedSpeaker : speaker).telegrams(shown);
    const meter = await startSpeakingMeter({
      place: PORT,
      periodMs: 20,
      shown: () => SHOWN,
      speaker: { telegrams: telegramsOf, withWrongChecksum: speaker.withWrongChecksum },
    });
    closeLater(meter);
    const driver = driverAt(`tcp://127.0.0.1:${meter.port}`);
    await driver.identify();
    isLocked = true;
    const log = listenedTo(driver);
    const last = (): Snapshot["readings"][number] | undefined => log.snapshots.at(-1)?.readings[0];
    await until("whole kWh", () => last()?.resolutionMwh === 1_000_000);
    expect(last()).toMatchObject({ importMwh: 2_375_000_000 });
    expect(last()).not.toHaveProperty("activePowerMw");
    isLocked = false;
    await until("all digits", () => last()?.importMwh === 2_375_582_300);
    expect(last()).not.toHaveProperty("resolutionMwh");
  });

  it("says when bytes come that are no telegrams, as from a head that sits askew", async () => {
    const server = await listen((socket) => {
      const timer = setInterval(() => socket.write(Uint8Array.of(0x1b, 0x1b, 0x77, 0x07)), 10);
      socket.on("close", () => clearInterval(timer));
    });
    closeLater(server);
    const driver = driverAt(`tcp://127.0.0.1:${server.port}`, { silenceMs: 1_000, identifyTimeoutMs: 1_500 });
    const log = listenedTo(driver);
    await expect(driver.identify()).rejects.toMatchObject({
      code: "driver-no-answer",
      message: expect.stringContaining("optical head"),
    });
    expect(new Set(log.problems)).toEqual(new Set(["driver-no-telegram"]));
  });

  it("reads at a pseudo terminal", async ({ skip }) => {
    if (!HAS_SOCAT) skip("no socat");
    const folder = mkdtempSync(join(tmpdir(), "sml-"));
    closeLater({ close: async () => rmSync(folder, { recursive: true }) });
    const link = join(folder, "head");
    await simulate({ place: { kind: "pty", link }, settings: { checksum: "kermit", tariffs: true } });
    const driver = driverAt(`serial://${link}`);
    expect((await driver.identify()).serial).toBe("1 KWS00 1234 5678");
    const log = listenedTo(driver);
    await until("two telegrams", () => log.snapshots.length >= 2);
    expect(log.snapshots[0]?.readings).toMatchObject([
      { importMwh: 2_375_582_300, exportMwh: 17_003_000, status: 8 },
    ]);
  });

  it("passes the checks of the contract", async () => {
    const { port } = await simulate();
    const line = `tcp://127.0.0.1:${port}`;
    const unreachable = { line: `tcp://127.0.0.1:${await unusedPort()}` };
    const results = await conformance(smlDriver, { line }, { unreachable });
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
    expect(results.length).toBeGreaterThan(10);
  });

  it("replays a real capture as it is", async ({ skip }) => {
    if (!existsSync(CAPTURE)) skip(`no capture at ${CAPTURE}`);
    const capture = new Uint8Array(readFileSync(CAPTURE));
    const server = await listen((socket) => socket.write(joined(capture, capture)));
    closeLater(server);
    const log = listenedTo(driverAt(`tcp://127.0.0.1:${server.port}`));
    await until("all whole files", () => log.snapshots.length >= 6);
    const powers = log.snapshots.map(({ readings }) => readings[0]?.activePowerMw);
    expect(powers.slice(0, 3)).toEqual([-105_500, -106_780, -104_380]);
  });

  it.each([
    [{}, "line"],
    [{ line: "/dev/ttyUSB0" }, "line"],
    [{ line: "tcp://gateway:1", winterOffsetMinutes: 60 }, ""],
    [{ line: "tcp://gateway:1", silenceMs: 1 }, "silenceMs"],
  ])("refuses %j", (options, field) => {
    expect(smlDriver.schema.safeParse(options).error?.issues[0]?.path.join()).toBe(field);
  });

  it("has a JSON Schema", () => {
    expect(z.toJSONSchema(smlDriver.schema, { io: "input" })).toMatchObject({ required: ["line"] });
  });
});

describe("SML listening and decoding", () => {
  it("hears at the driver's own settings what its protocol reads", () => {
    const { driver, formats, createProtocol } = smlListening;
    expect(driver).toBe(smlDriver.name);
    expect(formats).toEqual([{ baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 }]);
    const [bytes = new Uint8Array()] = smlSpeaker().telegrams(SHOWN);
    expect(createProtocol().decode(bytes)?.identity?.make).toBe("KWS");
  });

  it("shows every value of a telegram that was found", () => {
    const framer = smlDecoder.createFramer();
    const [framed] = framer.push(smlSpeaker().telegrams(SHOWN)[0] ?? new Uint8Array());
    if (framed?.kind !== "telegram") throw new Error("no telegram was found");
    const [list] = smlDecoder.decode(framed.bytes, {});
    expect(list?.values.map(({ code, text }) => [code, text])).toContainEqual(["1-0:16.7.0*255", "-1234.56"]);
    expect(list?.values).toHaveLength(12);
  });
});
