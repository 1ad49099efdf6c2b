import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { startRegisterImage } from "../../../drivers/simulated/register-image.ts";
import { startSunSpecInverter } from "../../../drivers/simulated/sunspec-device.ts";
import { chainRegisters } from "../../../drivers/simulated/sunspec-map.ts";
import { commonModel, inverterModel, meterModel } from "../../../drivers/simulated/sunspec-models.ts";
import { cleanupAfterEach, corpusImage, describeCorpus, openSunSpec } from "./kit.ts";

const later = cleanupAfterEach();

/** A server of other people's making, given port and registers at 40000 as JSON in its argument. */
const PYMODBUS = `
import json, sys
from pymodbus.server import StartTcpServer
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusSlaveContext, ModbusServerContext
given = json.loads(sys.argv[1])
block = ModbusSequentialDataBlock(40000, given["registers"])
slave = ModbusSlaveContext(hr=block, zero_mode=True)
context = ModbusServerContext(slaves={given["unit"]: slave}, single=False)
StartTcpServer(context=context, address=("127.0.0.1", given["port"]))
`;

/** Distributions keep their Python packages out of reach of other interpreters; the system's one goes last. */
const python = ["python3", "/usr/bin/python3"].find(
  (candidate) => spawnSync(candidate, ["-c", "import pymodbus.server"]).status === 0,
);
const mbpoll = spawnSync("mbpoll", ["-V"]).status === 0;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return address.port;
}

/** Serves registers at 40000 with pymodbus, and opens the driver on them. */
async function openPeer(interpreter: string, unit: number, registers: readonly number[], options = {}) {
  const port = await freePort();
  const server = spawn(interpreter, ["-c", PYMODBUS, JSON.stringify({ port, unit, registers })], {
    stdio: "ignore",
  });
  later(async () => {
    const gone = once(server, "exit");
    server.kill();
    await gone;
  });
  const peer = { host: "127.0.0.1", port, connections: () => 0, close: async () => undefined };
  const meter = openSunSpec(peer, { unit, ...options });
  later(() => meter.close());
  const identity = () => meter.identify().catch(() => undefined);
  await expect.poll(identity, { timeout: 20_000, interval: 200 }).toBeDefined();
  return meter;
}

describe("the driver against pymodbus", () => {
  if (python === undefined) return void it.skip("pymodbus is not installed");

  it("reads an image served by it", async () => {
    const registers = chainRegisters([
      commonModel({ serial: "PY-1", make: "Peer" }),
      inverterModel({ exportMwh: 4_000_123_456_000, activePowerMw: -1_234_000 }),
      meterModel({ importMwh: 77_000, exportMwh: 88_000, activePowerMw: -99_000 }),
    ]);
    const meter = await openPeer(python, 17, registers);
    expect(await meter.identify()).toMatchObject({ serial: "PY-1", make: "Peer" });
    for (let round = 0; round < 20; round += 1)
      expect((await meter.read()).readings).toMatchObject([
        { channel: "inverter", exportMwh: 4_000_123_456_000, activePowerMw: -1_234_000 },
        { channel: "meter", importMwh: 77_000, exportMwh: 88_000, activePowerMw: -99_000 },
      ]);
  });
});

describeCorpus("recorded devices served by pymodbus", () => {
  if (python === undefined) return void it.skip("pymodbus is not installed");

  it.each(["DeviceSMASunnyBoy36Dated20250518", "EmulatedDER"])(
    "%s is read as from our server",
    async (name) => {
      const image = corpusImage(name);
      const options = { dcChannels: true };
      const server = await startRegisterImage({ port: 0, image });
      later(() => server.close());
      const own = openSunSpec(server, options);
      later(() => own.close());
      const expected = await own.read();
      const registers = (image.blocks[0]?.registers ?? []).map((register) => register ?? 0);
      const meter = await openPeer(python, 1, registers, options);
      expect(await meter.read()).toEqual(expected);
      const all = [...expected.readings, ...expected.flexibility].flatMap((one) => Object.values(one).flat());
      const numbers = all.filter((value) => typeof value === "number");
      console.log(`corpora: sunspec values of ${name} read through pymodbus: ${numbers.length}`);
      expect(expected.readings).toHaveLength(3);
    },
  );
});

describe("the simulated device against mbpoll", () => {
  if (!mbpoll) return void it.skip("mbpoll is not installed");

  async function poll(port: number, args: readonly string[]): Promise<string> {
    const peer = spawn("mbpoll", ["-1", "-0", "-p", String(port), ...args, "127.0.0.1"]);
    let text = "";
    for (const stream of [peer.stdout, peer.stderr]) stream.on("data", (chunk) => (text += String(chunk)));
    await once(peer, "close");
    return text;
  }

  it("is read by it, and refuses it what it does not have", async () => {
    const server = await startSunSpecInverter({
      port: 0,
      unit: 5,
      state: () => ({ serial: "MB-1", exportMwh: 305_419_896_000, activePowerMw: -2_718_000 }),
    });
    later(() => server.close());
    // ID and L of model 103 follow "SunS" and the 68 registers of model 1; W is its 13th point, WH its 23rd.
    const header = await poll(server.port, ["-a", "5", "-t", "4:hex", "-r", "40070", "-c", "2"]);
    expect(header).toMatch(/\[40070\]:\s+0x0067/);
    expect(header).toMatch(/\[40071\]:\s+0x0032/);
    const power = await poll(server.port, ["-a", "5", "-t", "4", "-r", "40084", "-c", "1"]);
    expect(power).toMatch(/\[40084\]:\s+2718/);
    const energy = await poll(server.port, ["-a", "5", "-t", "4:int", "-B", "-r", "40094", "-c", "1"]);
    expect(energy).toMatch(/\[40094\]:\s+305419896/);
    expect(await poll(server.port, ["-a", "5", "-t", "4", "-r", "100", "-c", "1"])).toMatch(
      /Illegal data address/,
    );
    expect(await poll(server.port, ["-a", "6", "-t", "4", "-r", "40000", "-c", "1"])).toMatch(
      /[Tt]arget device/,
    );
  });
});
