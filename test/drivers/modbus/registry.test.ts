import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Problem } from "../../../attest/problem.ts";
import { checkPlace, lineSettings, modbusShape } from "../../../drivers/modbus/options.ts";
import { BusRegistry } from "../../../drivers/modbus/registry.ts";
import { type LineSettings, METER_FORMAT } from "../../../drivers/modbus/settings.ts";
import { ModbusUnit } from "../../../drivers/modbus/unit.ts";
import { startTcpPeer } from "../../../drivers/simulated/modbus-peer.ts";
import { cable, cleanupAfterEach, codeOf, HAS_SOCAT } from "./kit.ts";

const later = cleanupAfterEach();
const TIMING = { timeoutMs: 200 };
const serial = (path: string): LineSettings => ({ transport: "rtu", path, ...METER_FORMAT });

async function gateway(): Promise<{ line: LineSettings; connections(): number }> {
  const server = await startTcpPeer({
    framing: "tcp",
    model: { read: ({ unit, start }) => [unit * 1000 + start] },
  });
  later(() => server.close());
  return {
    line: { transport: "tcp", host: "127.0.0.1", port: server.port },
    connections: server.connections,
  };
}

describe("the lines of a process", () => {
  it("are opened once, whoever reads from them", async () => {
    const { line, connections } = await gateway();
    const registry = new BusRegistry();
    const units = [1, 2, 3].map((unit) => new ModbusUnit(line, { unit, ...TIMING }, registry));
    const read = (unit: ModbusUnit): Promise<number[]> =>
      unit.readRegisters("holding", { start: 7, count: 1 }).then((registers) => [...registers]);
    expect(await Promise.all(units.map(read))).toEqual([[1007], [2007], [3007]]);
    expect(connections()).toBe(1);
    await units[0]?.close();
    await units[0]?.close();
    expect(await Promise.all(units.slice(1).map(read))).toEqual([[2007], [3007]]);
    await Promise.all(units.map((unit) => unit.close()));
    expect(await codeOf(units[2] === undefined ? Promise.resolve() : read(units[2]))).toBe(
      "modbus-bus-closed",
    );
    const again = new ModbusUnit(line, { unit: 4, ...TIMING }, registry);
    later(() => again.close());
    expect(await read(again)).toEqual([4007]);
    expect(connections()).toBe(2);
  });

  it.each<[string, LineSettings, LineSettings]>([
    [
      "baud rates",
      serial("/dev/ttyS1"),
      { transport: "rtu", path: "/dev/ttyS1", ...METER_FORMAT, baudRate: 19_200 },
    ],
    [
      "parities",
      serial("/dev/ttyS1"),
      { transport: "rtu", path: "/dev/ttyS1", ...METER_FORMAT, parity: "even" },
    ],
    [
      "framings",
      { transport: "tcp", host: "GATEWAY", port: 502 },
      { transport: "rtu-over-tcp", host: "gateway", port: 502, ...METER_FORMAT },
    ],
  ])("refuse two devices with different %s, naming both", (_, first, second) => {
    const registry = new BusRegistry();
    registry.lease(first, TIMING);
    expect(() => registry.lease(second, TIMING)).toThrow(
      expect.objectContaining({ constructor: Problem, code: "modbus-line-conflict" }),
    );
  });

  it("refuse two devices with different connect delays", () => {
    const registry = new BusRegistry();
    const line: LineSettings = { transport: "tcp", host: "gateway", port: 502 };
    registry.lease(line, TIMING);
    expect(() => registry.lease(line, { ...TIMING, connectDelayMs: 1000 })).toThrow(
      /expected Modbus TCP, connectDelayMs 0, got Modbus TCP, connectDelayMs 1000/,
    );
  });

  it("know a port by each of its names", async () => {
    if (!HAS_SOCAT) return;
    const { near, close } = await cable();
    later(close);
    const { realpathSync } = await import("node:fs");
    const registry = new BusRegistry();
    const one = registry.lease(serial(near), TIMING);
    const two = registry.lease(serial(realpathSync(near)), TIMING);
    expect(one.bus).toBe(two.bus);
  });
});

describe("options of a Modbus device", () => {
  const schema = z.strictObject(modbusShape).superRefine(checkPlace);

  it.each<[object, LineSettings]>([
    [{ host: "inverter" }, { transport: "tcp", host: "inverter", port: 502 }],
    [
      { line: "serial:///dev/serial/by-id/X?baud=19200&format=8E1", unit: 2 },
      {
        ...{ transport: "rtu", path: "/dev/serial/by-id/X" },
        ...{ baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 },
      },
    ],
    [
      { line: "tcp://server:4001" },
      { transport: "rtu-over-tcp", host: "server", port: 4001, ...METER_FORMAT },
    ],
  ])("%j", (options, line) => {
    expect(lineSettings(schema.parse(options))).toMatchObject(line);
  });

  it.each([
    [{}, '"host" or "line"'],
    [{ host: "a", line: "tcp://b:1" }, "not both"],
    [{ line: "serial:///dev/ttyS1?format=7E1" }, "8 data bits"],
    [{ line: "tcp://b:1", unit: 0 }, "addresses all at once"],
  ])("refuses %j", (options, said) => {
    expect(schema.safeParse(options).error?.message).toContain(said.replaceAll('"', '\\"'));
  });
});
