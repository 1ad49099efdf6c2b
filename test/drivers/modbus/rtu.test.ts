import { describe, expect, it } from "vitest";
import { startScriptedLine } from "../../../drivers/kit/scripted-line.ts";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { type BusTiming, ModbusBus } from "../../../drivers/modbus/bus.ts";
import { lineTiming } from "../../../drivers/modbus/line-timing.ts";
import { openRtuLine } from "../../../drivers/modbus/rtu-line.ts";
import { METER_FORMAT } from "../../../drivers/modbus/settings.ts";
import type { WireFault } from "../../../drivers/simulated/modbus-faults.ts";
import {
  type PeerOptions,
  type PeerRequest,
  PeerSession,
  startLinePeer,
  startTcpPeer,
} from "../../../drivers/simulated/modbus-peer.ts";
import { encodeRtu } from "../../../drivers/simulated/modbus-rtu-frame.ts";
import { RtuWire } from "../../../drivers/simulated/modbus-rtu-wire.ts";
import type { SlaveModel } from "../../../drivers/simulated/modbus-slave.ts";
import { listen, until } from "../line/kit.ts";
import { cable, cleanupAfterEach, codeOf, HAS_SOCAT } from "./kit.ts";

const later = cleanupAfterEach();
const FAST = { ...METER_FORMAT, baudRate: 115_200 };

/** A register holds its own address and, in its upper half, its unit. */
const echo: SlaveModel = {
  read: ({ unit, start, count }) => Array.from({ length: count }, (_, i) => (unit << 8) | (start + i)),
  write: () => undefined,
};
const held = (unit: number, start: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (unit << 8) | (start + i));

interface Scene {
  readonly bus: ModbusBus;
  /** Requests as they came in, with the time. */
  readonly seen: (PeerRequest & { readonly atMs: number })[];
  /** What goes wrong with the next replies. */
  readonly faults: (WireFault | undefined)[];
}

async function scene(timing: Partial<BusTiming> = {}, peer: Partial<PeerOptions> = {}): Promise<Scene> {
  const seen: Scene["seen"] = [];
  const faults: Scene["faults"] = [];
  const server = await startTcpPeer({
    ...{ framing: "rtu", model: echo, ...peer },
    fault: (request) => {
      seen.push({ ...request, atMs: performance.now() });
      return peer.fault?.(request) ?? faults.shift();
    },
  });
  later(() => server.close());
  return { bus: busTo(server.port, timing), seen, faults };
}

function busTo(port: number, timing: Partial<BusTiming> = {}): ModbusBus {
  const line = { transport: "rtu-over-tcp", host: "127.0.0.1", port, ...FAST } as const;
  const bus = ModbusBus.open(line, { timeoutMs: 80, ...timing });
  later(() => bus.close());
  return bus;
}

/** A bus to a peer that keeps its first replies to itself until they are wanted: nothing then hangs on two timers. */
async function holding(): Promise<Pick<Scene, "bus" | "seen"> & { release(): void }> {
  const seen: Scene["seen"] = [];
  let held: (() => void)[] | undefined = [];
  const fault = (request: PeerRequest): undefined => void seen.push({ ...request, atMs: performance.now() });
  const server = await listen((socket) => {
    const send = (bytes: Uint8Array): void => void (socket.destroyed || socket.write(bytes));
    const session = new PeerSession({ framing: "rtu", model: echo, fault }, (bytes) => {
      if (held === undefined) send(bytes);
      else held.push(() => send(bytes));
    });
    socket.on("data", (bytes: Uint8Array) => session.receive(bytes));
    socket.once("close", () => session.end());
  });
  later(() => server.close());
  const release = (): void => {
    for (const reply of held ?? []) reply();
    held = undefined;
  };
  return { bus: busTo(server.port), seen, release };
}

function gapsOf(seen: Scene["seen"]): number[] {
  return seen.slice(1).map(({ atMs }, at) => atMs - (seen[at]?.atMs ?? 0));
}

describe("after a fault on a serial line", () => {
  const faults: readonly [string, WireFault, string][] = [
    ["a lost reply", { kind: "lost" }, "modbus-timeout"],
    ["half a reply", { kind: "truncated", bytes: 6 }, "modbus-timeout"],
    ["a damaged reply", { kind: "damaged", at: 4, xor: 0x10 }, "modbus-crc"],
    ["a damaged check sum", { kind: "damaged", at: 8, xor: 1 }, "modbus-crc"],
    ["a reply of another unit", { kind: "wrong-header", field: 0, xor: 6 }, "modbus-malformed"],
    ["a reply of another function", { kind: "wrong-header", field: 1, xor: 7 }, "modbus-malformed"],
    ["another byte count", { kind: "wrong-header", field: 2, xor: 2 }, "modbus-malformed"],
    ["a longer reply", { kind: "wrong-size", words: 1 }, "modbus-malformed"],
    ["a shorter reply", { kind: "wrong-size", words: -1 }, "modbus-malformed"],
    ["two replies at once", { kind: "twice", gapMs: 0 }, "modbus-malformed"],
    ["a strange reply behind it", { kind: "before-foreign" }, "modbus-malformed"],
    ["bytes in front of it", { kind: "noise", bytes: [7, 7] }, "modbus-malformed"],
  ];
  it.each(faults)(
    "(%s) the line is left in silence, then the unit is made sure of",
    async (_, fault, code) => {
      const { bus, seen, faults: next } = await scene();
      await bus.readHoldingRegisters({ unit: 1, start: 9, count: 2 });
      await until("the first echo", () => seen.length === 2);
      next.push(fault);
      expect(await codeOf(bus.readHoldingRegisters({ unit: 1, start: 9, count: 2 }))).toBe(code);
      expect([...(await bus.readHoldingRegisters({ unit: 1, start: 20, count: 2 }))]).toEqual(held(1, 20, 2));
      expect(seen.map(({ pdu }) => pdu[0])).toEqual([3, 8, 3, 8, 3, 8]);
      expect(gapsOf(seen)[2]).toBeGreaterThanOrEqual(80);
      const { echoes, requests, replies } = bus.statistics().units.get(1) ?? {};
      expect({ echoes, requests, replies }).toEqual({ echoes: 3, requests: 3, replies: 2 });
    },
  );

  it("a late reply is drained, and other units go on before the late one is asked again", async () => {
    const { bus, seen, release } = await holding();
    expect(await codeOf(bus.readHoldingRegisters({ unit: 1, start: 9, count: 2 }))).toBe("modbus-timeout");
    const reads = Promise.all([
      bus.readHoldingRegisters({ unit: 1, start: 30, count: 2 }),
      bus.readHoldingRegisters({ unit: 2, start: 40, count: 2 }),
    ]);
    release();
    const [one, two] = await reads;
    expect([[...one], [...two]]).toEqual([held(1, 30, 2), held(2, 40, 2)]);
    const asked = seen.filter(({ pdu }) => pdu[0] === 3);
    expect(asked.map(({ unit }) => unit)).toEqual([1, 2, 1]);
    expect(bus.statistics().drainedBytes).toBe(9);
  });

  it("however late a device answers in turn, its answers are never taken for others", async () => {
    const { bus, faults } = await scene({ timeoutMs: 25 }, { order: "turn" });
    faults.push({ kind: "late", ms: 260 });
    const answers = new Map<number, Uint16Array>();
    for (let start = 0; start < 40 && answers.size < 4; start++)
      await bus.readHoldingRegisters({ unit: 1, start, count: 2 }, { insist: true }).then(
        (registers) => answers.set(start, registers),
        () => undefined,
      );
    expect(answers.size).toBe(4);
    for (const [start, registers] of answers) expect([...registers]).toEqual(held(1, start, 2));
  });

  it("a device that does not know the echo is served without", async () => {
    const { bus, faults } = await scene({ timeoutMs: 25 }, { model: { ...echo, echo: "ignored" } });
    const read = (): Promise<Uint16Array> =>
      bus.readHoldingRegisters({ unit: 1, start: 5, count: 1 }, { insist: true });
    for (let round = 0; round < 6; round++) {
      faults.push({ kind: "lost" });
      await expect(read()).rejects.toMatchObject({ code: "modbus-timeout" });
      await expect
        .poll(() =>
          read().then(
            () => true,
            () => false,
          ),
        )
        .toBe(true);
    }
    // Once that is known, no more time is lost with it.
    expect(bus.statistics().units.get(1)?.echoes).toBeLessThan(6);
  });

  it("takes a glitch of the line for nothing, on either side of a reply", async () => {
    const line = await startScriptedLine({
      reply: (request) =>
        Uint8Array.of(0, ...encodeRtu(request[0] ?? 0, Uint8Array.of(3, 2, 0x12, 0x34)), 0xff, 0),
    });
    later(() => line.close());
    const bus = busTo(line.port);
    for (let round = 0; round < 3; round++)
      expect([...(await bus.readHoldingRegisters({ unit: 1, start: 0, count: 1 }))]).toEqual([0x1234]);
    expect(bus.statistics().recoveries).toBe(0);
  });

  it("says so when something speaks without end", async () => {
    const line = await startScriptedLine({ sends: { telegrams: [Uint8Array.of(1, 2, 3)], everyMs: 20 } });
    later(() => line.close());
    const bus = busTo(line.port);
    expect(await codeOf(bus.readHoldingRegisters({ unit: 1, start: 0, count: 1 }))).toBe("modbus-babble");
  });

  it("does not take an adapter's own echo for a reply", async () => {
    const line = await startScriptedLine({ reply: (request) => request.slice() });
    later(() => line.close());
    const bus = busTo(line.port);
    expect(await codeOf(bus.readHoldingRegisters({ unit: 1, start: 0, count: 1 }))).toBe("modbus-malformed");
  });
});

describe("turns on a serial line", () => {
  it("control goes before polling, and requests of one unit keep their order", async () => {
    const { bus, seen } = await scene();
    const reads = [1, 2, 3, 4].map((start) => bus.readHoldingRegisters({ unit: 1, start, count: start }));
    const write = bus.writeRegister({ unit: 1, start: 90, value: 5 });
    await Promise.all([...reads, write]);
    // The first read is on its way already.
    const asked = seen.filter(({ pdu }) => pdu[0] !== 8);
    expect(asked.map(({ pdu }) => pdu[2])).toEqual([1, 90, 2, 3, 4]);
  });

  it("leaves the gap that a device wants, and time between replies that look alike", async () => {
    const { bus, seen } = await scene({ settleMs: 30 });
    const gap = { minGapMs: 50 };
    await bus.readHoldingRegisters({ unit: 1, start: 1, count: 1 }, gap);
    await bus.readHoldingRegisters({ unit: 1, start: 2, count: 2 }, gap);
    await bus.readHoldingRegisters({ unit: 1, start: 3, count: 3 });
    await bus.readHoldingRegisters({ unit: 1, start: 4, count: 3 });
    expect(seen.map(({ pdu }) => pdu[0])).toEqual([3, 8, 3, 3, 3]);
    const [beforeEcho = 0, wanted = 0, , alike = 0] = gapsOf(seen);
    expect(beforeEcho).toBeGreaterThanOrEqual(50);
    expect(wanted).toBeGreaterThanOrEqual(50);
    expect(alike).toBeGreaterThanOrEqual(30);
  });

  it("a request that waits too long is refused without being sent", async () => {
    const { bus, seen } = await scene({}, { fault: () => ({ kind: "lost" }) });
    const patience = { timeoutMs: 1_800_000, deadlineMs: 3_600_000 };
    const first = codeOf(bus.readHoldingRegisters({ unit: 1, start: 1, count: 1 }, patience));
    await until("the first request", () => seen.length === 1);
    const second = codeOf(bus.readHoldingRegisters({ unit: 2, start: 1, count: 1 }, { deadlineMs: 150 }));
    expect(await second).toBe("modbus-deadline");
    // The first one is waited for all the same.
    await bus.close();
    expect(await first).toBe("modbus-bus-closed");
    expect(seen.map(({ unit }) => unit)).toEqual([1]);
  });

  it("a dead unit of three leaves the others their schedule", async () => {
    const { bus } = await scene(
      { timeoutMs: 75, settleMs: 0 },
      { fault: ({ unit }) => (unit === 3 ? { kind: "lost" } : undefined) },
    );
    const everyMs = 250;
    const polls = 12;
    const served = new Map<number, number>();
    const poll = async (unit: number): Promise<void> => {
      const asked = Array.from({ length: polls }, async (_, at) => {
        await new Promise((resolve) => setTimeout(resolve, at * everyMs));
        const dueMs = performance.now() + everyMs;
        await bus.readHoldingRegisters({ unit, start: at % 60, count: unit }).then(
          () => performance.now() <= dueMs && served.set(unit, (served.get(unit) ?? 0) + 1),
          () => undefined,
        );
      });
      await Promise.all(asked);
    };
    await Promise.all([1, 2, 3].map(poll));
    expect(served.get(1)).toBeGreaterThanOrEqual(0.8 * polls);
    expect(served.get(2)).toBeGreaterThanOrEqual(0.8 * polls);
    expect(served.get(3)).toBeUndefined();
  });

  it("keeps every silence on a wire where bytes take their time", async () => {
    const format = { ...METER_FORMAT, baudRate: 19_200 };
    const wire = new RtuWire(format, { framing: "rtu", model: echo });
    const timing = lineTiming(format);
    const bus = new ModbusBus(
      "wire",
      (signal) => openRtuLine(wire.line(), { timing, openSilenceMs: 20, signal }),
      { timeoutMs: 60 },
    );
    later(() => bus.close());
    for (const count of [1, 40, 2, 3, 20, 5])
      expect([...(await bus.readHoldingRegisters({ unit: 2, start: 0, count }))]).toEqual(held(2, 0, count));
    expect(wire.tooEarly).toBe(0);
  });
});

describe.skipIf(!HAS_SOCAT)(`a serial adapter${HAS_SOCAT ? "" : " (socat is not installed)"}`, () => {
  it("may be pulled and plugged in again", async () => {
    const { near, far, plug, unplug, close } = await cable();
    later(close);
    const peer = { framing: "rtu", model: echo } as const;
    const first = await startLinePeer(peer, new SerialLine({ path: far, ...FAST }));
    const bus = ModbusBus.open(
      { transport: "rtu", path: near, ...FAST },
      { timeoutMs: 100, longestBackOffMs: 100 },
    );
    later(() => bus.close());
    const read = (): Promise<Uint16Array> => bus.readHoldingRegisters({ unit: 1, start: 4, count: 2 });
    expect([...(await read())]).toEqual(held(1, 4, 2));
    await first.close();
    await unplug();
    await expect.poll(() => codeOf(read())).toBe("line-not-found");
    expect(bus.connection).toBeUndefined();
    await plug();
    const second = await startLinePeer(peer, new SerialLine({ path: far, ...FAST }));
    later(() => second.close());
    await expect
      .poll(() =>
        read().then(
          (r) => [...r],
          () => [],
        ),
      )
      .toEqual(held(1, 4, 2));
    expect(bus.connection).toBe(2);
  });
});
