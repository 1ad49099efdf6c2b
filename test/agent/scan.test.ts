import { describe, expect, it } from "vitest";
import type { SimulatedProfile } from "../../drivers/simulated/profile-device.ts";
import { unitsModel } from "../drivers/discovery/image.ts";
import { FakeLines, startPeer, startServer } from "../drivers/discovery/kit.ts";
import { cable, freePort, HAS_SOCAT, PYMODBUS, startProcess } from "../drivers/modbus/kit.ts";
import { closeLater } from "../kit/close-later.ts";
import { configFile, device, named, pasted, scan, scanHere, startScan } from "./scan-kit.ts";

const NO_SUCH_UNIT = { exception: 11 };
const [A, B, C] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

describe("a scan of the network", () => {
  it("gives a block that the agent reads the meters with", async () => {
    const port = await freePort();
    await device("schneider-iem3000", { kind: "tcp", host: A, port }, 3);
    await device("schneider-iem3000", { kind: "tcp", host: B, port });
    const stranger = unitsModel({ 1: { holding: { 0: [1, 2, 3] } } }, () => NO_SUCH_UNIT);
    closeLater(await startPeer(stranger, { host: C, port }));
    const { text } = await scanHere({ lines: [], groups: named(A, B, C), ports: [port] });
    expect(text).toContain(
      `  at ${A}:${port}, unit 3\n  recognised: sure, it says so itself (model is "iEM3`,
    );
    expect(text).toMatch(/ {2}grid \(grid\): (?:im|ex)porting .* kWh/);
    expect(text).toMatch(
      /something answers at 127\.0\.0\.4:\d+ as unit 1, no profile matches\n.*kilowitness capture/,
    );
    expect(text).toMatch(/\n2 recognised, 1 unknown, 0 not scanned, \d+ requests, \d+ s\n$/);
    const { devices } = pasted(text);
    expect(devices.map(({ id, options }) => ({ id, ...options }))).toMatchObject([
      { id: "schneider-iem3000", host: A, port, unit: 3 },
    ]);
    expect(text).toContain("the same make, model and serial as schneider-iem3000: one device, found twice");
  });

  it("says in JSON what it says in words", async () => {
    const port = await freePort();
    await device("eastron-sdm630", { kind: "tcp", host: A, port }, 2);
    const { json } = await scanHere({ lines: [], groups: named(A, "127.0.0.9"), ports: [port] });
    expect(json).toMatchObject({
      devices: [
        {
          answered: true,
          certainty: "possible",
          place: { host: A, port },
          unit: 2,
          options: { host: A, port, unit: 2 },
          proposed: true,
          channels: [{ name: "grid", reading: { frequencyMhz: expect.any(Number) } }],
        },
      ],
      unknown: [],
      problems: [{ where: "127.0.0.9", code: "modbus-refused" }],
      summary: { interrupted: false, recognised: 1 },
    });
    const [found] = json.devices;
    expect([found?.driver, ...(found?.others ?? [])]).toContain("eastron-sdm630");
    expect(pasted(json.config).devices[0]?.definition.name).toBe(found?.driver);
  });

  it("leaves out what the configuration has, and takes no name from it", async () => {
    const port = await freePort();
    await device("schneider-iem3000", { kind: "tcp", host: A, port });
    await device("abb-b23-b24", { kind: "tcp", host: B, port });
    const config = configFile(
      `devices:\n  - { id: house, driver: schneider-iem3000, host: ${A}, port: ${port} }\n` +
        "  - { id: abb-b23-b24, driver: sunspec, host: 127.0.0.1 }",
    );
    const { text } = await scanHere({ lines: [], groups: named(A, B), ports: [port] }, { config });
    expect(text).toMatch(
      /^house \(schneider-iem3000\): .*\n {2}at .*\n {2}the configuration has it already\n/m,
    );
    expect(pasted(text).devices.map(({ id }) => id)).toEqual(["abb-b23-b24-2"]);
  });
});

describe("a scan of a serial line", () => {
  it("says what is wrong with it and with what comes from it", async () => {
    const lines = new FakeLines({
      "/dev/ttyNOISY": {
        format: { baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1 },
        framing: "rtu",
        model: unitsModel({ 1: {} }),
        fault: () => ({ kind: "damaged", at: 1, xor: 1 }),
      },
    });
    const { text } = await scanHere(
      { lines: ["/dev/ttyNOISY"], groups: [] },
      { terms: { openLine: lines.openLine } },
    );
    expect(text).toContain("/dev/ttyNOISY at 9600 8N1: bytes come that are no answer");
    const { text: none } = await scanHere({ lines: ["/dev/none"], groups: [] });
    expect(none).toContain("Not scanned:\n  /dev/none: there is no such port");
    expect(none).toContain("(line-not-found)");
  });

  it.skipIf(!HAS_SOCAT)("finds a meter and gives its line", async () => {
    const { near, far, close } = await cable();
    closeLater({ close });
    await device("carlo-gavazzi-em340", { kind: "serial", path: far }, 3);
    const serial = { probeMs: 200, replyMs: 2000 };
    const { text } = await scanHere({ lines: [near], groups: [] }, { terms: { serial } });
    expect(text).toMatch(/ {2}at .*\/near 9600 8N1, unit 3\n {2}recognised: likely, by a number.*code is/);
    expect(pasted(text).devices).toMatchObject([
      { id: "carlo-gavazzi-em340", options: { unit: 3, line: { kind: "serial", path: near } } },
    ]);
  });
});

/** A meter of other people's making, silent for other units: SDM630 registers as unit 2. */
const SERVER = `
import struct, sys
from pymodbus.server import StartTcpServer
from pymodbus.datastore import ModbusSparseDataBlock, ModbusSlaveContext, ModbusServerContext
words = {}
def put(at, value):
    words[at], words[at + 1] = struct.unpack(">HH", struct.pack(">f", value))
for at in range(0, 80, 2): put(at, 0.0)
for at, value in {0: 230.5, 2: 229.0, 4: 231.5, 6: 1.0, 8: 2.0, 10: 3.0, 12: 200.0, 14: 400.0, 16: 600.0,
                  52: 1200.0, 70: 50.0, 72: 1234.5, 74: 67.25}.items(): put(at, value)
meter = ModbusSlaveContext(ir=ModbusSparseDataBlock(words), hr=ModbusSparseDataBlock({9000: 1}), zero_mode=True)
StartTcpServer(context=ModbusServerContext(slaves={2: meter}, single=False), address=("127.0.0.2", int(sys.argv[1])))
`;

describe("a scan against pymodbus", () => {
  if (PYMODBUS === undefined) return void it.skip("pymodbus is not installed");
  const python = PYMODBUS;

  it("finds the meter and reads it", async () => {
    const port = await freePort();
    const server = startProcess(python, ["-c", SERVER, String(port)]);
    closeLater({ close: () => server.stop() });
    const target = { lines: [], groups: named(A), ports: [port] };
    const look = async (): Promise<object> => (await scanHere(target)).json.devices[0] ?? {};
    // Until the server is up, nobody listens.
    await expect.poll(look, { timeout: 20_000, interval: 100 }).toMatchObject({
      unit: 2,
      certainty: "possible",
      channels: [{ reading: { importMwh: 1_234_500_000, exportMwh: 67_250_000 } }],
    });
  });
});

describe("kilowitness scan", () => {
  it("scans, says what and for how long, and ends cleanly at Ctrl-C with what it has found", async () => {
    const port = await freePort();
    const meter = await device("schneider-iem3000", { kind: "tcp", host: A, port });
    closeLater(await startServer({ host: B, port }, () => undefined));
    const args = ["--host", A, "--net", "127.0.0.3/32", "--port", String(port), "--timeout", "60000"];
    const { child, done } = startScan(...args);
    await quiet(meter);
    child.kill("SIGINT");
    const { code, out, err } = await done;
    expect(err).toMatch(/^scanning 127\.0\.0\.3\/32, 127\.0\.0\.2: 2 hosts, ports \d+, about 1 s/);
    expect(out).toContain(`at ${A}:${port}, unit 1\n`);
    expect(out).toMatch(/\nInterrupted; found so far: 1 recognised/);
    expect(pasted(out).devices).toMatchObject([{ id: "schneider-iem3000", options: { host: A, port } }]);
    expect(code).toBe(130);
  });

  it("does nothing where discovery is turned off", async () => {
    const config = configFile(
      "discovery: { enabled: false }\ndevices: [{ id: a, driver: sunspec, host: 127.0.0.1 }]",
    );
    const { code, out, err } = await scan("--config", config, "--host", A);
    expect(err).toMatch(/^kilowitness scan: .*discovery\.enabled: discovery is turned off.*\n$/);
    expect([code, out]).toEqual([1, ""]);
  });

  it.each(["/dev/none", "serial:///dev/none?baud=9600"])(
    "has status 1 where there is no port: %s",
    async (line) => {
      const { code, out, err } = await scan("--line", line);
      expect(err).toMatch(/^scanning \/dev\/none: \d+ settings, at most \d/);
      expect(out).toMatch(/^Not scanned:\n {2}\/dev\/none: there is no such port.*\(line-not-found\)\n/);
      expect(code).toBe(1);
    },
  );
});

/** Until a device has been asked for all that anybody wants of it. */
async function quiet(asked: SimulatedProfile): Promise<void> {
  for (let before = -1; before < 20 || before !== asked.requests(); ) {
    before = asked.requests();
    await new Promise((later) => setTimeout(later, 1500));
  }
}
