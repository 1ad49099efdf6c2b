import { describe, expect, it } from "vitest";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { TcpLine } from "../../../drivers/line/tcp.ts";
import { ModbusBus } from "../../../drivers/modbus/bus.ts";
import type { ModbusLine } from "../../../drivers/modbus/line.ts";
import { lineTiming } from "../../../drivers/modbus/line-timing.ts";
import { openRtuLine } from "../../../drivers/modbus/rtu-line.ts";
import { type LineSettings, METER_FORMAT } from "../../../drivers/modbus/settings.ts";
import { type PeerOptions, startLinePeer, startTcpPeer } from "../../../drivers/simulated/modbus-peer.ts";
import type { SlaveRead } from "../../../drivers/simulated/modbus-slave.ts";
import { type ChaosReport, FaultSource, runChaos, UNITS } from "./chaos.ts";
import { cable, cleanupAfterEach, HAS_SOCAT } from "./kit.ts";
import { randomOf, Witness } from "./witness.ts";

const later = cleanupAfterEach();

/** The long run: KILOWITNESS_BUS_REQUESTS=100000 npx vitest run test/drivers/modbus/faults.test.ts */
const REQUESTS = Number(process.env["KILOWITNESS_BUS_REQUESTS"] ?? 0);
const SEED = Number(process.env["KILOWITNESS_BUS_SEED"] ?? Date.now() % 2 ** 32);
const LONG_RUN_MS = 24 * 3_600_000;
const FAST = { ...METER_FORMAT, baudRate: 115_200 };

interface Transport {
  readonly name: string;
  readonly requests: number;
  readonly timeoutMs: number;
  start(peer: PeerOptions): Promise<LineSettings>;
}

const onTcp = async (peer: PeerOptions): Promise<number> => {
  const server = await startTcpPeer(peer);
  later(() => server.close());
  return server.port;
};

const TRANSPORTS: readonly Transport[] = [
  {
    name: "Modbus TCP",
    requests: 2000,
    timeoutMs: 20,
    start: async (peer) => ({
      transport: "tcp",
      host: "127.0.0.1",
      port: await onTcp({ ...peer, framing: "tcp" }),
    }),
  },
  {
    name: "RTU over TCP",
    requests: 400,
    timeoutMs: 20,
    start: async (peer) => ({
      transport: "rtu-over-tcp",
      host: "127.0.0.1",
      port: await onTcp(peer),
      ...FAST,
    }),
  },
  {
    name: "RTU over a pseudo terminal",
    requests: 100,
    timeoutMs: 50,
    start: async (peer) => {
      const { near, far, close } = await cable();
      later(close);
      const server = await startLinePeer(peer, new SerialLine({ path: far, ...FAST }));
      later(() => server.close());
      return { transport: "rtu", path: near, ...FAST };
    },
  },
];

function words(report: ChaosReport, faults: FaultSource): string {
  const list = (counts: ReadonlyMap<string, number>): string =>
    [...counts].map(([name, count]) => `${name} ${count}`).join(", ");
  return `${report.good} good, ${report.wrong.length} wrong; errors: ${list(report.errors)}; faults: ${list(faults.injected)}`;
}

describe.each(TRANSPORTS)("$name with everything going wrong at random", (transport) => {
  const { name, timeoutMs } = transport;
  if (name.includes("terminal") && !HAS_SOCAT) return void it.skip("socat is not installed");

  it("never takes an answer for the answer to another question, and recovers by itself", {
    timeout: REQUESTS > 0 ? LONG_RUN_MS : 60_000,
  }, async () => {
    const witness = new Witness();
    const random = randomOf(SEED);
    const faults = new FaultSource({
      ...{ random, percent: 10, timeoutMs },
      ...{ latestMs: 3 * timeoutMs - 5, twiceWithinMs: timeoutMs / 10 },
    });
    const line = await transport.start({
      framing: "rtu",
      model: witness,
      fault: (request) => faults.next(request),
    });
    const bus = ModbusBus.open(line, { timeoutMs, longestBackOffMs: 50 });
    later(() => bus.close());
    const requests = REQUESTS > 0 ? REQUESTS : transport.requests;
    const begunMs = performance.now();
    const report = await runChaos({ bus, witness, random, requests });
    const seconds = Math.round((performance.now() - begunMs) / 1000);
    console.log(`bus: ${name}, seed ${SEED}, ${requests} requests in ${seconds} s: ${words(report, faults)}`);
    expect(report.wrong).toEqual([]);
    expect(report.good).toBeGreaterThan(requests / 3);
    faults.on = false;
    for (const unit of UNITS) await expectService(bus, unit);
  });
});

/** Reads until three in a row are answered, as a sampler goes on reading. */
async function expectService(bus: ModbusBus, unit: number): Promise<void> {
  const threeTimes = async (): Promise<boolean> => {
    for (const start of [7, 8, 9])
      await bus.readHoldingRegisters({ unit, start, count: 2 }, { insist: true });
    return true;
  };
  const served = (): Promise<boolean> => threeTimes().catch(() => false);
  await expect.poll(served, { timeout: 10_000, interval: 10 }).toBe(true);
}

describe("a bus without recovery", () => {
  it("takes late answers for the answers to other questions, which shows that they would be found", async () => {
    const witness = new Witness();
    const timeoutMs = 20;
    const peer = await startTcpPeer({
      ...{ framing: "rtu", model: witness },
      fault: () => ({ kind: "late", ms: timeoutMs + 15 }),
    });
    later(() => peer.close());
    const address = { kind: "tcp", host: "127.0.0.1", port: peer.port } as const;
    const bus = new ModbusBus(
      "careless",
      async (signal) =>
        careless(
          await openRtuLine(new TcpLine(address), { timing: lineTiming(FAST), openSilenceMs: 0, signal }),
        ),
      { timeoutMs, settleMs: 0 },
    );
    later(() => bus.close());
    const wrong: string[] = [];
    for (let start = 0; start < 20; start++) {
      const read: SlaveRead = { unit: 1, table: "holding", start, count: 1 };
      const registers = await bus.readHoldingRegisters(read, { insist: true }).catch(() => undefined);
      const fault = registers === undefined ? undefined : witness.fault(read, registers);
      if (fault !== undefined) wrong.push(fault);
    }
    expect(wrong.length).toBeGreaterThan(0);
  });
});

/** The same line with nothing done after a fault. */
function careless(line: ModbusLine): ModbusLine {
  return {
    ...{ anonymousReplies: false, unsettled: false, drainedBytes: 0 },
    get alive() {
      return line.alive;
    },
    exchange: async (question, timeoutMs) => {
      await line.recover(0);
      return await line.exchange(question, timeoutMs);
    },
    recover: () => Promise.resolve(),
    destroy: (reason) => line.destroy(reason),
    closed: () => line.closed(),
  };
}
