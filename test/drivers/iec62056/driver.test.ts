import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Snapshot } from "../../../drivers/driver.ts";
import { iec62056Driver } from "../../../drivers/iec62056/driver.ts";
import { conformance } from "../../../drivers/kit/conformance.ts";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { iec62056Answerer, iec62056Speaker } from "../../../drivers/simulated/iec62056-telegram.ts";
import { closeLater } from "../../kit/close-later.ts";
import { listen, until, unusedPort } from "../line/kit.ts";
import { ascii, SHOWN, withParity } from "./kit.ts";

const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;
/** A meter behind a gateway; what it is asked with is kept. */
async function askedOverTcp(
  identification: string,
): Promise<{ readonly line: string; readonly heard: string[]; readonly raw: Uint8Array[] }> {
  const heard: string[] = [];
  const raw: Uint8Array[] = [];
  const server = await listen((socket) => {
    const answerer = iec62056Answerer({ identification });
    socket.on("data", (bytes: Uint8Array) => {
      raw.push(Uint8Array.from(bytes));
      heard.push(Buffer.from(bytes.map((byte) => byte & 0x7f)).toString("latin1"));
      for (const answer of answerer.answers(bytes, SHOWN)) socket.write(answer);
    });
  });
  closeLater(server);
  return { line: `tcp://127.0.0.1:${server.port}`, heard, raw };
}

async function pushedOverTcp(spoil: (telegram: Uint8Array) => Uint8Array): Promise<string> {
  const speaker = iec62056Speaker();
  const server = await listen((socket) => {
    const timer = setInterval(() => {
      for (const telegram of speaker.telegrams(SHOWN)) socket.write(spoil(telegram));
    }, 30);
    socket.on("close", () => clearInterval(timer));
  });
  closeLater(server);
  return `tcp://127.0.0.1:${server.port}`;
}

describe("driver for IEC 62056-21", () => {
  it("asks a meter behind a gateway and stays at its rate", async () => {
    const { line, heard } = await askedOverTcp("KWT5SIM-C V1.0");
    const results = await conformance(iec62056Driver, { line }, { reads: 2, pauseMs: 1 });
    expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
    expect(new Set(heard)).toEqual(new Set(["/?!\r\n", "\x06000\r\n"]));
  });

  it.each([
    ["7E1", withParity(ascii("/?!\r\n"))],
    ["8N1", ascii("/?!\r\n")],
  ])("asks over a gateway in characters of %s", async (characters, request) => {
    const { line, raw } = await askedOverTcp("KWT5SIM-C V1.0");
    const meter = iec62056Driver.open(iec62056Driver.schema.parse({ line, characters }));
    closeLater(meter);
    expect((await meter.identify()).serial).toBe("40718293");
    expect(raw[0]).toEqual(request);
  });

  it.each([
    ["without parity", (telegram: Uint8Array) => telegram],
    ["with parity in the highest bit", withParity],
  ])("listens to a meter whose characters come %s", async (_, spoil) => {
    const line = await pushedOverTcp(spoil);
    const unreachable = { line: `tcp://127.0.0.1:${await unusedPort()}`, mode: "D" };
    const results = await conformance(iec62056Driver, { line, mode: "D" }, { reads: 3, unreachable });
    expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
  });

  it("gives what a pushed telegram prints", async () => {
    const options = iec62056Driver.schema.parse({ line: await pushedOverTcp(withParity), mode: "D" });
    const meter = iec62056Driver.open(options);
    closeLater(meter);
    if (meter.mode !== "push") throw new Error("expected a meter that speaks by itself");
    const snapshots: Snapshot[] = [];
    meter.start({ onSnapshot: (snapshot) => snapshots.push(snapshot), onProblem: () => undefined });
    expect(await meter.identify()).toEqual({
      make: "KWT",
      model: "SIM V1.0",
      serial: "40718293",
      firmware: "",
    });
    await until("a telegram", () => snapshots.length > 0);
    expect(snapshots[0]?.readings[0]).toMatchObject({
      channel: "grid",
      importMwh: 3_234_567_800,
      exportMwh: 5_600_000,
      activePowerMw: -1_250_300,
    });
  });

  it.each([
    ["an address that is none", { address: "1!" }],
    ["a rate that the standard does not have", { maxBaudRate: 115_200 }],
    ["what belongs to the other mode", { mode: "D", battery: true }],
    ["a read that takes longer than the agent waits", { readTimeoutMs: 120_000 }],
  ])("refuses %s", (_, options) => {
    expect(iec62056Driver.schema.safeParse({ line: "tcp://meter:1", ...options }).success).toBe(false);
    expect(iec62056Driver.schema.safeParse({ line: "tcp://meter:1" }).success).toBe(true);
  });
});

describe.skipIf(!HAS_SOCAT)(`over pseudo terminals${HAS_SOCAT ? "" : " (socat is not installed)"}`, () => {
  let folder = "";
  let socat: ChildProcess | undefined;
  beforeAll(async () => {
    folder = mkdtempSync(joinPath(tmpdir(), "iec62056-"));
    const ends = ["near", "far"].map((end) => `pty,raw,echo=0,link=${joinPath(folder, end)}`);
    socat = spawn("socat", ends);
    await until("the pseudo terminals", () =>
      ["near", "far"].every((end) => existsSync(joinPath(folder, end))),
    );
  });
  afterAll(() => {
    socat?.kill();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ["waits for the change of rate", 400],
    ["begins at once, as a simulated one does", 1],
  ])("changes the port's rate to the meter's and back where the meter %s", async (_, delayMs) => {
    const answerer = iec62056Answerer();
    const far = new SerialLine({
      path: joinPath(folder, "far"),
      baudRate: 300,
      dataBits: 8,
      parity: "none",
      stopBits: 1,
    });
    closeLater(far);
    const near = joinPath(folder, "near");
    const rates: string[] = [];
    await far.open({
      onBytes: (bytes) => {
        // The meter begins behind the six characters of the acknowledgement.
        for (const answer of answerer.answers(bytes, SHOWN))
          setTimeout(
            () => {
              rates.push(rateOf(near));
              void far.write(answer);
            },
            answerer.baudRate === 300 ? 1 : 400,
          );
      },
      onClosed: () => undefined,
    });
    const meter = iec62056Driver.open(iec62056Driver.schema.parse({ line: `serial://${near}` }));
    closeLater(meter);
    if (meter.mode !== "polled") throw new Error("expected a meter that is asked");
    expect((await meter.identify()).serial).toBe("40718293");
    expect((await meter.read()).readings[0]).toMatchObject({
      importMwh: 3_234_567_800,
      activePowerMw: -1_250_300,
    });
    if (delayMs > 1) expect(rates).toEqual(["300", "300", "9600"]);
    expect(rateOf(near)).toBe("300");
  });
});

function rateOf(path: string): string {
  return spawnSync("stty", ["-F", path, "speed"]).stdout.toString().trim();
}
