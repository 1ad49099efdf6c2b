import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Snapshot } from "../../../drivers/driver.ts";
import { dsmrP1Driver } from "../../../drivers/dsmr/driver.ts";
import { P1Protocol } from "../../../drivers/dsmr/protocol.ts";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { startP1Meter } from "../../../drivers/simulated/p1-meter.ts";
import { ListeningMeter } from "../../../drivers/telegram/listening-meter.ts";
import { STATE } from "../dsmr/kit.ts";
import { Recorder, until } from "./kit.ts";

const SETTINGS = { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 } as const;
const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;

let folder = "";
const open: { close(): Promise<void> }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "line-"));
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  rmSync(folder, { recursive: true });
});

/** Two pseudo terminals joined like a null-modem cable; closing it pulls the cable. */
async function cable(): Promise<{ near: string; far: string; close(): Promise<void> }> {
  const [near, far] = [join(folder, "near"), join(folder, "far")];
  const socat: ChildProcess = spawn("socat", [`pty,raw,echo=0,link=${near}`, `pty,raw,echo=0,link=${far}`]);
  const gone = new Promise<void>((resolve) => socat.once("exit", () => resolve()));
  const close = (): Promise<void> => {
    socat.kill();
    return gone;
  };
  await until("the pseudo terminals", () => existsSync(near) && existsSync(far));
  const result = { near, far, close };
  open.push(result);
  return result;
}

function lineAt(path: string): SerialLine {
  const line = new SerialLine({ path, ...SETTINGS });
  open.push(line);
  return line;
}

describe("serial line", () => {
  it("says when there is no such port, and where to look", async () => {
    await expect(lineAt(join(folder, "none")).open(new Recorder())).rejects.toMatchObject({
      code: "line-not-found",
      message: expect.stringContaining("/dev/serial/by-id"),
    });
  });

  it("says when the path is no port", async () => {
    await expect(lineAt("/dev/null").open(new Recorder())).rejects.toMatchObject({ code: "line-not-serial" });
  });
});

describe.skipIf(!HAS_SOCAT)(
  `serial line over pseudo terminals${HAS_SOCAT ? "" : " (socat is not installed)"}`,
  () => {
    it("carries bytes both ways", async () => {
      const { near, far } = await cable();
      const [here, there] = [new Recorder(), new Recorder()];
      const [left, right] = [lineAt(near), lineAt(far)];
      await left.open(here);
      await right.open(there);
      await left.write(Buffer.from("ping"));
      await right.write(Buffer.from("pong"));
      await until("both", () => here.received === "pong" && there.received === "ping");
      await left.close();
      await left.close();
      expect(here.problems).toEqual([]);
      await expect(left.write(Buffer.from("x"))).rejects.toMatchObject({ code: "line-not-open" });
    });

    it("does not share a port", async () => {
      const { near } = await cable();
      await lineAt(near).open(new Recorder());
      await expect(lineAt(near).open(new Recorder())).rejects.toMatchObject({ code: "line-busy" });
    });

    it("has patience with who is about to let go of it", async () => {
      const { near } = await cable();
      const [holder, next] = [lineAt(near), lineAt(near)];
      await holder.open(new Recorder());
      const opened = next.open(new Recorder());
      await new Promise((resolve) => setTimeout(resolve, 60));
      await holder.close();
      await expect(opened).resolves.toBeUndefined();
    });

    it("speaks on at another rate, and only while it is open", async () => {
      const { near, far } = await cable();
      const [left, right] = [lineAt(near), lineAt(far)];
      await expect(left.changeBaudRate(9_600)).rejects.toMatchObject({ code: "line-not-open" });
      const there = new Recorder();
      await left.open(new Recorder());
      await right.open(there);
      await left.changeBaudRate(9_600);
      expect(spawnSync("stty", ["-F", near, "speed"]).stdout.toString().trim()).toBe("9600");
      await left.write(Buffer.from("ping"));
      await until("the bytes", () => there.received === "ping");
      await left.close();
      await expect(left.changeBaudRate(300)).rejects.toMatchObject({ code: "line-not-open" });
    });

    it("reports a pulled cable once", async () => {
      const { near, close } = await cable();
      const recorder = new Recorder();
      await lineAt(near).open(recorder);
      await close();
      await until("the report", () => recorder.problems.length > 0);
      expect(recorder.problems.map((problem) => problem.code)).toEqual(["line-closed"]);
    });

    it.each(["baud=115200&format=8N1", "baud=9600&format=7E1"])(
      "reads a P1 meter with %s",
      async (settings) => {
        const { near, far } = await cable();
        open.push(await startP1Meter({ path: far, periodMs: 50, state: () => STATE }));
        const driver = dsmrP1Driver.open(dsmrP1Driver.schema.parse({ line: `serial://${near}?${settings}` }));
        open.push(driver);
        expect((await driver.identify()).serial).toBe(STATE.serial);
      },
    );

    it("comes back when the adapter is plugged in again", async () => {
      const first = await cable();
      const meter = await startP1Meter({ path: first.far, periodMs: 50, state: () => STATE });
      const snapshots: Snapshot[] = [];
      const problems: string[] = [];
      const driver = new ListeningMeter(
        new P1Protocol({ winterOffsetMinutes: 60 }),
        { silenceMs: 60_000, identifyTimeoutMs: 25_000 },
        {
          createLine: () => new SerialLine({ path: first.near, ...SETTINGS }),
          nowMs: () => STATE.timeMs,
          backoffMs: [20, 100],
        },
      );
      open.push(driver);
      driver.start({
        onSnapshot: (snapshot) => snapshots.push(snapshot),
        onProblem: (problem) => problems.push("code" in problem ? String(problem.code) : ""),
      });
      await until("a telegram", () => snapshots.length > 0);
      await meter.close();
      await first.close();
      await until("the loss", () => problems.includes("line-not-found"));
      expect(problems[0]).toBe("line-closed");
      const before = snapshots.length;
      const second = await cable();
      open.push(await startP1Meter({ path: second.far, periodMs: 50, state: () => STATE }));
      await until("telegrams again", () => snapshots.length > before + 1);
    });
  },
);
