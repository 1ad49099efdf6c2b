import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import type { PolledMeter } from "../../../drivers/driver.ts";
import { conformance } from "../../../drivers/kit/conformance.ts";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { mbusDecoder } from "../../../drivers/mbus/decoder.ts";
import { mbusDriver } from "../../../drivers/mbus/driver.ts";
import { mbusAnswerer } from "../../../drivers/simulated/mbus-telegram.ts";
import { closeLater } from "../../kit/close-later.ts";
import { until, unusedPort } from "../line/kit.ts";
import { collided, METER, SHOWN, startBus } from "./bus.ts";
import { answer, bytes, cut } from "./kit.ts";

const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;
function openMeter(options: Readonly<Record<string, unknown>>): PolledMeter {
  const meter = mbusDriver.open(mbusDriver.schema.parse(options));
  if (meter.mode !== "polled") throw new Error("expected a polled meter");
  return closeLater(meter);
}

async function busOf(...given: Parameters<typeof startBus>): Promise<string> {
  const line = await startBus(...given);
  closeLater(line);
  return `tcp://127.0.0.1:${line.port}`;
}

const QUICK = { timeoutMs: 100, retries: 1 };

describe("the driver mbus", () => {
  it("conforms to the contract", async () => {
    const line = await busOf([{ ...METER, multiTelegram: true }]);
    const results = await conformance(
      mbusDriver,
      { line, address: 5, ...QUICK },
      { reads: 3, pauseMs: 1, unreachable: { line: `tcp://127.0.0.1:${await unusedPort()}`, address: 5 } },
    );
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
  });

  it("says who the meter is and what it measures", async () => {
    const line = await busOf([{ ...METER, manufacturer: "ABB" }]);
    const meter = openMeter({ line, secondary: "12345678", ...QUICK });
    expect(await meter.identify()).toEqual({
      make: "ABB",
      model: "version 01",
      serial: "12345678",
      firmware: "",
    });
    expect(meter.channels()).toMatchObject([
      {
        ...{ name: "grid", role: "grid", quantities: ["import", "export", "power"], resolutionMwh: 1_000 },
        ...{ rolloverMwh: 10 ** 15, signVerified: false, signSource: expect.stringContaining("ABB") },
      },
    ]);
  });

  it("proves its readings with the telegrams, which decode again", async () => {
    const line = await busOf([{ ...METER, multiTelegram: true }]);
    const meter = openMeter({ line, address: 5, ...QUICK });
    const { readings, frames = [] } = await meter.read();
    const [frame] = frames;
    const telegrams = frame?.bytes ?? new Uint8Array(0);
    const digest = new Uint8Array(createHash("sha256").update(telegrams).digest());
    expect(readings).toMatchObject([{ channel: "grid", importMwh: 1_236_567_000, evidence: digest }]);
    expect(frame).toMatchObject({ digest, what: "mbus telegrams" });
    const again = cut(telegrams).flatMap((framed) =>
      framed.kind === "telegram" ? mbusDecoder.decode(framed.bytes, {}) : [],
    );
    expect(again.map(({ meterId }) => meterId)).toEqual(["KAM-12345678-01-02", "KAM-12345678-01-02"]);
    expect(again[0]?.values[0]).toMatchObject({ text: "1236567", unit: "Wh" });
  });

  it("serves several meters on one line, one after the other", async () => {
    const seconds = { ...METER, primary: 9, identification: "00000009", tariffsOnly: true };
    const line = await busOf([METER, seconds]);
    const meters = [5, 9].map((address) => openMeter({ line, address, ...QUICK }));
    const snapshots = await Promise.all(meters.flatMap((meter) => [meter.read(), meter.read()]));
    expect(snapshots.map(({ readings }) => readings[0]?.importMwh)).toEqual([
      ...[1_236_567_000, 1_236_567_000, 1_236_567_000, 1_236_567_000],
    ]);
    expect(snapshots.map(({ readings }) => readings[0]?.status)).toEqual([undefined, undefined, 8, 8]);
    expect(snapshots[2]?.readings[0]?.exportMwh).toBeUndefined();
  });

  it("refuses a meter of anything but electricity", async () => {
    for (const medium of [4, 6, 7, 13]) {
      const line = await busOf([{ ...METER, medium }]);
      const meter = openMeter({ line, address: 5, ...QUICK });
      await expect(meter.identify()).rejects.toMatchObject({ code: "mbus-not-electricity" });
      await expect(meter.read()).rejects.toMatchObject({ code: "mbus-not-electricity" });
    }
  });

  it("refuses another meter at the address of the one that was identified", async () => {
    const meters = [METER, { ...METER, identification: "00000001" }].map(mbusAnswerer);
    let present = 0;
    const script = await startBus([], (_answers, _n, request) =>
      collided(meters[present]?.answers(request, SHOWN) ?? []),
    );
    closeLater(script);
    const meter = openMeter({ line: `tcp://127.0.0.1:${script.port}`, address: 5, ...QUICK });
    await meter.identify();
    present = 1;
    await expect(meter.read()).rejects.toMatchObject({ code: "driver-identity-changed" });
    expect((await meter.identify()).serial).toBe("00000001");
    expect((await meter.read()).readings).toHaveLength(1);
  });

  it("refuses a readout that lacks a tariff, or has tariffs where a total was", async () => {
    const [total, both, one] = [
      "04 03 09 00 00 00",
      "84 10 03 05 00 00 00 84 20 03 04 00 00 00",
      "84 10 03 05 00 00 00",
    ];
    const power = "04 2B 05 00 00 00";
    for (const [first, second] of [
      [total, both],
      [both, one],
      [both, total],
    ]) {
      let asked = 0;
      const line = await busOf([], (_answers, n) => {
        if (n % 2 === 0) return Uint8Array.of(0xe5);
        asked += 1;
        return answer(`${(asked === 1 ? first : second) ?? ""} ${power}`);
      });
      const meter = openMeter({ line, address: 1, ...QUICK });
      await meter.identify();
      await expect(meter.read()).rejects.toMatchObject({ code: "mbus-incomplete" });
    }
  });

  it("reads the power alone where the register is not there", async () => {
    let asked = 0;
    const line = await busOf([], (_answers, n) => {
      if (n % 2 === 0) return Uint8Array.of(0xe5);
      asked += 1;
      return answer(`${asked === 1 ? "04 03 09 00 00 00" : ""} 04 2B 05 00 00 00`);
    });
    const meter = openMeter({ line, address: 1, ...QUICK });
    await meter.identify();
    const { readings } = await meter.read();
    expect(readings).toMatchObject([{ activePowerMw: 5_000 }]);
    expect(readings[0]?.importMwh).toBeUndefined();
  });

  it("reaches a meter that is alone without any address", async () => {
    const line = await busOf([METER]);
    expect((await openMeter({ line, ...QUICK }).identify()).serial).toBe("12345678");
  });

  it.for([
    [{ address: 0 }, "address"],
    [{ address: 251 }, "address"],
    [{ secondary: "1234" }, "secondary"],
    [{ secondary: "12345678421" }, "secondary"],
    [{ secondary: "123G5678" }, "secondary"],
    [{ timeoutMs: 0 }, "timeoutMs"],
    [{ telegrams: 0 }, "telegrams"],
  ] as const)("refuses %j", ([options, where]) => {
    const { error } = mbusDriver.schema.safeParse({ line: "tcp://localhost:1", ...options });
    expect(error?.issues[0]?.path).toEqual([where]);
  });

  it("refuses two addresses of one meter", () => {
    const options = { line: "tcp://localhost:1", address: 5, secondary: "12345678" };
    expect(() => mbusDriver.open(mbusDriver.schema.parse(options))).toThrow(/primary or a secondary/);
  });
});

const FOLDER = "../shared/corpora/mbus/test-frames";
const FRAMES = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith(".hex")) : [];
const ELECTRIC = new Set([
  "abb_delta",
  "berg_dz_plus",
  "electricity-meter-1",
  "filler",
  "kamstrup_382_005",
  "nzr_dhz_5_63",
]);

describe("frames of real meters as answers on a line", () => {
  it(`are read where they are of electricity, else refused (${FRAMES.length} frames)`, async ({ skip }) => {
    if (FRAMES.length === 0) skip(`no frames at ${FOLDER}`);
    const outcomes = new Map<string, string>();
    for (const name of FRAMES) {
      const frame = bytes(readFileSync(`${FOLDER}/${name}`, "latin1"));
      const line = await busOf([], (_answers, n) => (n === 0 ? Uint8Array.of(0xe5) : frame), 64);
      const meter = openMeter({ line, ...QUICK, telegrams: 1 });
      const outcome = await meter.read().then(
        ({ readings }) => (readings[0]?.importMwh === undefined ? "none" : "read"),
        (error: unknown) => (error instanceof Problem ? error.code : String(error)),
      );
      outcomes.set(name.replace(/\.hex$/, ""), outcome);
    }
    console.info(`mbus: ${FRAMES.length} frames answered over TCP, ${ELECTRIC.size} of electricity`);
    for (const [name, outcome] of outcomes)
      expect([name, outcome]).toEqual([name, ELECTRIC.has(name) ? "read" : "mbus-not-electricity"]);
  });
});

describe.skipIf(!HAS_SOCAT)(`over a serial line${HAS_SOCAT ? "" : " (socat is not installed)"}`, () => {
  async function slaveOn(path: string): Promise<void> {
    const answerer = mbusAnswerer({ ...METER, multiTelegram: true });
    const line = new SerialLine({ path, baudRate: 2_400, dataBits: 8, parity: "even", stopBits: 1 });
    await line.open({
      onBytes: (request) => {
        for (const answer of answerer.answers(request, SHOWN)) void line.write(answer);
      },
      onClosed: () => undefined,
    });
    closeLater(line);
  }

  it("reads by primary and secondary address", async () => {
    const folder = mkdtempSync(joinPath(tmpdir(), "mbus-"));
    closeLater({ close: () => rmSync(folder, { recursive: true }) });
    const [near, far] = [joinPath(folder, "near"), joinPath(folder, "far")];
    const socat: ChildProcess = spawn("socat", [`pty,raw,echo=0,link=${near}`, `pty,raw,echo=0,link=${far}`]);
    closeLater({ close: () => void socat.kill() });
    await until("the pseudo terminals", () => existsSync(near) && existsSync(far));
    await slaveOn(far);
    for (const place of [{ address: 5 }, { secondary: "123456FF" }]) {
      const meter = openMeter({ line: `serial://${near}?baud=2400`, ...place });
      const { readings } = await meter.read();
      expect(readings).toMatchObject([
        { importMwh: 1_236_567_000, exportMwh: 56_000, activePowerMw: -1_234_567 },
      ]);
    }
  });
});
