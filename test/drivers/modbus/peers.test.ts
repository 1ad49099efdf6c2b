import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { ModbusBus } from "../../../drivers/modbus/bus.ts";
import { Codec } from "../../../drivers/modbus/codec.ts";
import { openLineOf } from "../../../drivers/modbus/open-line.ts";
import { type LineSettings, METER_FORMAT } from "../../../drivers/modbus/settings.ts";
import { startLinePeer, startTcpPeer } from "../../../drivers/simulated/modbus-peer.ts";
import type { SlaveModel } from "../../../drivers/simulated/modbus-slave.ts";
import {
  cable,
  cleanupAfterEach,
  codeOf,
  freePort,
  HAS_MBPOLL,
  HAS_PYSERIAL,
  HAS_SOCAT,
  PYMODBUS,
  startProcess,
} from "./kit.ts";

const later = cleanupAfterEach();
const FORMAT = { ...METER_FORMAT, baudRate: 19_200 };

/** A server of other people's making; where and what, as JSON in its argument. */
const SERVER = `
import json, sys
from pymodbus.server import StartTcpServer, StartSerialServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusSlaveContext, ModbusServerContext
given = json.loads(sys.argv[1])
def slave(unit):
    return ModbusSlaveContext(
        hr=ModbusSequentialDataBlock(0, [unit * 1000 + i for i in range(300)]),
        ir=ModbusSequentialDataBlock(0, [unit * 1000 + 500 + i for i in range(300)]),
        co=ModbusSequentialDataBlock(0, [i % 3 == 0 for i in range(300)]),
        di=ModbusSequentialDataBlock(0, [i % 5 == 0 for i in range(300)]),
        zero_mode=True)
context = ModbusServerContext(slaves={unit: slave(unit) for unit in (1, 2)}, single=False)
identity = ModbusDeviceIdentification(info_name={"VendorName": "Peer", "ProductCode": "PY", "MajorMinorRevision": "3"})
if "path" in given:
    StartSerialServer(context=context, identity=identity, framer=ModbusRtuFramer,
                      port=given["path"], baudrate=19200, timeout=0.005)
else:
    framer = ModbusRtuFramer if given["framing"] == "rtu" else ModbusSocketFramer
    StartTcpServer(context=context, identity=identity, framer=framer, address=("127.0.0.1", given["port"]))
`;

function startServer(python: string, given: object): void {
  const server = startProcess(python, ["-c", SERVER, JSON.stringify(given)]);
  later(() => server.stop());
}

describe("the bus against pymodbus", () => {
  if (PYMODBUS === undefined) return void it.skip("pymodbus is not installed");
  const python = PYMODBUS;

  const transports: readonly [string, () => Promise<LineSettings>][] = [
    [
      "Modbus TCP",
      async () => {
        const port = await freePort();
        startServer(python, { framing: "tcp", port });
        return { transport: "tcp", host: "127.0.0.1", port };
      },
    ],
    [
      "RTU over TCP",
      async () => {
        const port = await freePort();
        startServer(python, { framing: "rtu", port });
        return { transport: "rtu-over-tcp", host: "127.0.0.1", port, ...FORMAT };
      },
    ],
    [
      "RTU over a pseudo terminal",
      async () => {
        const { near, far, close } = await cable();
        later(close);
        startServer(python, { path: far });
        return { transport: "rtu", path: near, ...FORMAT };
      },
    ],
  ];
  const serial = HAS_SOCAT && HAS_PYSERIAL;
  const here = transports.filter(([name]) => serial || !name.includes("terminal"));
  it.each(here)("reads, writes and asks who it is, over %s", async (_, start) => {
    const line = await start();
    const bus = ModbusBus.open(line, { timeoutMs: 1500, longestBackOffMs: 200 });
    later(() => bus.close());
    const up = (): Promise<boolean> =>
      bus.readHoldingRegisters({ unit: 1, start: 0, count: 1 }, { insist: true }).then(
        () => true,
        () => false,
      );
    await expect.poll(up, { timeout: 25_000, interval: 100 }).toBe(true);
    // On a serial line requests were lost before anybody was there.
    const { recoveries } = bus.statistics();
    const row = (first: number, count: number): number[] =>
      Array.from({ length: count }, (_, i) => first + i);
    for (const [start, count] of [
      [0, 125],
      [100, 3],
      [175, 125],
    ] as const) {
      expect([...(await bus.readHoldingRegisters({ unit: 1, start, count }))]).toEqual(
        row(1000 + start, count),
      );
      expect([...(await bus.readInputRegisters({ unit: 2, start, count }))]).toEqual(
        row(2500 + start, count),
      );
    }
    expect(await bus.readBits("coils", { unit: 1, start: 1, count: 9 })).toEqual(
      row(1, 9).map((at) => at % 3 === 0),
    );
    expect(await bus.readBits("discrete", { unit: 1, start: 4, count: 17 })).toEqual(
      row(4, 17).map((at) => at % 5 === 0),
    );
    await bus.writeRegister({ unit: 2, start: 7, value: 4711 });
    await bus.writeRegisters({ unit: 2, start: 8, values: [1, 65535] });
    expect([...(await bus.readHoldingRegisters({ unit: 2, start: 7, count: 3 }))]).toEqual([4711, 1, 65535]);
    expect(await codeOf(bus.readHoldingRegisters({ unit: 1, start: 299, count: 2 }))).toBe(
      "modbus-illegal-address",
    );
    // What the bus makes sure of a unit with after a fault.
    if (line.transport === "rtu-over-tcp") await expectEcho(line);
    const identity = await bus.readIdentification(1, "basic");
    expect([...identity.values()]).toEqual(["Peer", "PY", "3"]);
    expect(bus.statistics().recoveries).toBe(recoveries);
  });
});

async function expectEcho(settings: LineSettings): Promise<void> {
  const line = await openLineOf(settings, 500)(new AbortController().signal);
  const question = new Codec().echo(1, 0xbeef);
  const reply = await line.exchange(question, 500);
  line.destroy(new Error("done"));
  expect([...reply.subarray(0, 6)]).toEqual([1, 8, 0, 0, 0xbe, 0xef]);
}

describe("the simulated peer against mbpoll", () => {
  if (!HAS_MBPOLL) return void it.skip("mbpoll is not installed");

  const model: SlaveModel = {
    read: ({ unit, table, start, count }) =>
      table === "coils"
        ? Array.from({ length: count }, (_, i) => (start + i) & 1)
        : Array.from({ length: count }, (_, i) => unit * 1000 + start + i),
    write: ({ values }) => (values[0] === 13 ? { exception: 3 } : undefined),
  };

  async function poll(args: readonly string[]): Promise<string> {
    const peer = spawn("mbpoll", ["-1", "-0", ...args]);
    let text = "";
    for (const stream of [peer.stdout, peer.stderr]) stream.on("data", (chunk) => (text += String(chunk)));
    await once(peer, "close");
    return text;
  }

  async function expectPolled(how: readonly string[], where: string): Promise<void> {
    const registers = await poll([...how, "-a", "5", "-t", "4", "-r", "17", "-c", "3", where]);
    expect(registers).toMatch(/\[17\]:\s+5017[\s\S]*\[18\]:\s+5018[\s\S]*\[19\]:\s+5019/);
    expect(await poll([...how, "-a", "5", "-t", "0", "-r", "8", "-c", "2", where])).toMatch(
      /\[8\]:\s+0[\s\S]*\[9\]:\s+1/,
    );
    expect(await poll([...how, "-a", "5", "-t", "4", "-r", "3", where, "12"])).toMatch(/Written 1 ref/);
    expect(await poll([...how, "-a", "5", "-t", "4", "-r", "3", where, "13"])).toMatch(/Illegal data value/);
  }

  it("is polled over TCP", async () => {
    const server = await startTcpPeer({ framing: "tcp", model });
    later(() => server.close());
    await expectPolled(["-p", String(server.port)], "127.0.0.1");
  });

  it("is polled over a serial line", async () => {
    if (!HAS_SOCAT) return;
    const { near, far, close } = await cable();
    later(close);
    const server = await startLinePeer({ framing: "rtu", model }, new SerialLine({ path: far, ...FORMAT }));
    later(() => server.close());
    await expectPolled(["-m", "rtu", "-b", "19200", "-P", "none"], near);
  });
});
