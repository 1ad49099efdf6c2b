import { describe, expect, it } from "vitest";
import { startScriptedLine } from "../../../drivers/kit/scripted-line.ts";
import { ModbusBus } from "../../../drivers/modbus/bus.ts";
import { type LineSettings, METER_FORMAT } from "../../../drivers/modbus/settings.ts";
import { ModbusUnit } from "../../../drivers/modbus/unit.ts";
import { startTcpPeer } from "../../../drivers/simulated/modbus-peer.ts";
import type { SlaveModel, SlaveRead } from "../../../drivers/simulated/modbus-slave.ts";
import { cleanupAfterEach, codeOf, problemOf } from "./kit.ts";

const later = cleanupAfterEach();

/** Registers that can be written, beside bits that show their own address. */
class Memory implements SlaveModel {
  readonly written = new Map<number, number>();
  readonly identification = new Map([
    [0, "Acme"],
    [1, "AM-3"],
    [2, "2.1.4"],
    [5, "AM-3 direct"],
    [128, "private"],
  ]);
  readonly serverId = Uint8Array.of(0x4b, 0xff, 1, 2, 3);

  read({ table, start, count }: SlaveRead): readonly number[] | { readonly exception: number } {
    if (start >= 5000) return { exception: 2 };
    return Array.from({ length: count }, (_, i) => {
      const at = start + i;
      if (table === "coils") return at % 3 === 0 ? 1 : 0;
      if (table === "discrete") return at % 5 === 0 ? 1 : 0;
      return table === "input" ? 0xffff - at : (this.written.get(at) ?? at);
    });
  }

  write({ start, values }: { start: number; values: readonly number[] }): { exception: number } | undefined {
    if (start >= 5000) return { exception: 3 };
    values.forEach((value, i) => {
      this.written.set(start + i, value);
    });
    return undefined;
  }
}

async function memoryOn(transport: "tcp" | "rtu-over-tcp"): Promise<{ line: LineSettings; memory: Memory }> {
  const memory = new Memory();
  const server = await startTcpPeer({ framing: transport === "tcp" ? "tcp" : "rtu", model: memory });
  later(() => server.close());
  const place = { host: "127.0.0.1", port: server.port };
  const line: LineSettings =
    transport === "tcp"
      ? { transport, ...place }
      : { transport, ...place, ...METER_FORMAT, baudRate: 115_200 };
  return { line, memory };
}

describe.each(["tcp", "rtu-over-tcp"] as const)("every function over %s", (transport) => {
  async function open(): Promise<{ unit: ModbusUnit; memory: Memory }> {
    const { line, memory } = await memoryOn(transport);
    const unit = new ModbusUnit(line, { unit: 7, timeoutMs: 100 });
    later(() => unit.close());
    return { unit, memory };
  }

  it("reads both tables of registers and both of bits", async () => {
    const { unit } = await open();
    expect([...(await unit.readRegisters("holding", { start: 100, count: 3 }))]).toEqual([100, 101, 102]);
    expect([...(await unit.readRegisters("input", { start: 100, count: 2 }))]).toEqual([65435, 65434]);
    expect(await unit.readRegisters("input", { start: 0, count: 125 })).toHaveLength(125);
    const coils = await unit.readBits("coils", { start: 3, count: 11 });
    expect(coils).toEqual(Array.from({ length: 11 }, (_, i) => (3 + i) % 3 === 0));
    const discrete = await unit.readBits("discrete", { start: 1, count: 1999 });
    expect(discrete).toEqual(Array.from({ length: 1999 }, (_, i) => (1 + i) % 5 === 0));
  });

  it("writes one register and many, and reads them back", async () => {
    const { unit, memory } = await open();
    await unit.writeRegister(40, 0xbeef);
    await unit.writeRegisters(41, [1, 2, 65535]);
    expect([...(await unit.readRegisters("holding", { start: 40, count: 4 }))]).toEqual([
      0xbeef, 1, 2, 65535,
    ]);
    expect(memory.written.size).toBe(4);
    expect(await codeOf(unit.writeRegister(5000, 1))).toBe("modbus-illegal-value");
    expect(await codeOf(unit.writeRegister(1, 65536))).toBe("modbus-bad-request");
    expect(await codeOf(unit.writeRegisters(1, []))).toBe("modbus-bad-request");
    expect(await codeOf(unit.writeRegisters(1, new Array<number>(124).fill(0)))).toBe("modbus-bad-request");
  });

  it("asks who the device is, in as many requests as it takes", async () => {
    const { unit, memory } = await open();
    expect(await unit.readIdentification("basic")).toEqual(
      new Map([...memory.identification].filter(([object]) => object <= 2)),
    );
    expect(await unit.readIdentification("extended")).toEqual(memory.identification);
    expect((await unit.readServerId()).bytes).toEqual(memory.serverId);
  });

  it("passes the device's own refusals on, and goes on at once", async () => {
    const { unit } = await open();
    const problem = await problemOf(unit.readRegisters("holding", { start: 5000, count: 1 }));
    expect(problem.code).toBe("modbus-illegal-address");
    expect(problem.message).toContain("unit 7 registers 5000-5000");
    expect([...(await unit.readRegisters("holding", { start: 1, count: 1 }))]).toEqual([1]);
    expect(unit.connection).toBe(1);
  });

  it("counts what it does", async () => {
    const { unit } = await open();
    for (let start = 0; start < 5; start++) await unit.readRegisters("holding", { start, count: 1 });
    await codeOf(unit.readRegisters("holding", { start: 5000, count: 2 }));
    const { requests, replies, errors, latency, echoes } = unit.statistics() ?? {};
    // On a line without transaction numbers one more request shows whether the unit knows the echo.
    const learning = transport === "tcp" ? 0 : 1;
    expect({ requests, replies, echoes }).toEqual({ requests: 6, replies: 6, echoes: learning });
    expect(errors).toEqual(new Map([["modbus-illegal-address", 1]]));
    expect(latency?.count).toBe(6);
    expect(latency?.buckets.reduce((sum, count) => sum + count)).toBe(6);
    expect(latency?.maxMs).toBeGreaterThan(0);
    expect(latency?.sumMs).toBeGreaterThanOrEqual(latency?.maxMs ?? 0);
  });
});

describe("an identification that goes round in circles", () => {
  it("is given up", async () => {
    const pdu = [43, 14, 1, 0x81, 0xff, 0, 1, 0, 1, 0x41];
    const line = await startScriptedLine({
      reply: (request) =>
        Uint8Array.of(...request.subarray(0, 2), 0, 0, 0, 1 + pdu.length, request[6] ?? 0, ...pdu),
    });
    later(() => line.close());
    const { host, port } = line;
    const bus = ModbusBus.open({ transport: "tcp", host, port }, { timeoutMs: 500 });
    later(() => bus.close());
    const problem = await problemOf(bus.readIdentification(1, "basic"));
    expect(problem.code).toBe("modbus-malformed");
    expect(problem.message).toContain("expected an object after 0, got object 0");
  });
});
