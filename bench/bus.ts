import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import modbusSerial from "modbus-serial";
import { ModbusBus } from "../drivers/modbus/bus.ts";
import { lineTiming } from "../drivers/modbus/line-timing.ts";
import { planReads } from "../drivers/modbus/plan-reads.ts";
import { openRtuLine } from "../drivers/modbus/rtu-line.ts";
import { METER_FORMAT } from "../drivers/modbus/settings.ts";
import { bundledProfile, bundledProfiles } from "../drivers/profile/bundled.ts";
import { RtuWire } from "../drivers/simulated/modbus-rtu-wire.ts";
import { METER_LIMITS, METER_VALUES } from "./energy-meter.ts";
import { figure, median, type Result } from "./measure.ts";

const POLLS = 5;
const DEVICES = 10;
const ROUNDS = 8;
const ROUND_SECONDS = 4;
const WARM_UP_SECONDS = 4;
/** What one poll of a device reads: the blocks of an inverter's map. */
const BLOCKS = [
  { start: 40_000, count: 70 },
  { start: 40_070, count: 52 },
  { start: 40_122, count: 107 },
] as const;

/** Full polls of a meter at 9600 baud, ten devices over TCP, and requests that planning saves. */
export async function busBench(): Promise<readonly Result[]> {
  return [...planned(), ...bundledProfiles().map(savedBy), ...(await fullPoll()), ...(await tenDevices())];
}

/** Requests of one reading by a profile, against one request for each of its values. */
function savedBy(name: string): Result {
  const { profile, points, plan } = bundledProfile(name);
  const polled = Object.keys(profile.snapshots).filter(
    (key) => profile.snapshots[key]?.interval !== "identify",
  );
  const values = [...points.values()].filter(({ point }) => polled.includes(point.snapshot));
  return figure("bus", { name: `requests of ${name}`, unit: "requests" }, [
    plan(polled).requests.length,
    values.length,
  ]);
}

const allAtOnce = METER_VALUES.map((range) => ({ ...range, intervalMs: 1000 }));

function planned(): readonly Result[] {
  const plan = planReads(allAtOnce, METER_LIMITS);
  const perHour = (reads: readonly { readonly intervalMs: number }[]): number =>
    reads.reduce((sum, { intervalMs }) => sum + 3_600_000 / intervalMs, 0);
  const paced = planReads(METER_VALUES, METER_LIMITS);
  return [
    figure("bus", { name: "requests for all values once", unit: "requests" }, [
      plan.length,
      METER_VALUES.length,
    ]),
    figure("bus", { name: "requests at two paces", unit: "requests/h" }, [
      perHour(paced),
      perHour(METER_VALUES),
    ]),
  ];
}

/** A meter on a simulated wire at 9600 baud; the same poll with coalesced reads and without. */
async function fullPoll(): Promise<readonly Result[]> {
  const wire = new RtuWire(METER_FORMAT, {
    framing: "rtu",
    model: { read: ({ start, count }) => Array.from({ length: count }, (_, i) => start + i) },
  });
  const timing = lineTiming(METER_FORMAT);
  const bus = new ModbusBus(
    "wire",
    (signal) => openRtuLine(wire.line(), { timing, openSilenceMs: 100, signal }),
    { timeoutMs: 500, settleMs: 0 },
  );
  const values = METER_VALUES.map(({ start }) => ({ start, count: 2 }));
  const registers = values.flatMap(({ start }) => [0, 1].map((at) => ({ start: start + at, count: 1 })));
  const poll = async (reads: readonly Place[]): Promise<Poll> => {
    const begunMs = performance.now();
    const before = wire.neededMs;
    for (const read of reads) await bus.readInputRegisters({ unit: 1, ...read });
    return { tookMs: performance.now() - begunMs, neededMs: wire.neededMs - before };
  };
  // The first contact with a unit ends with an echo; the second read is behind it.
  for (const count of [1, 2]) await poll([{ start: 0, count }]);
  const polls: Poll[] = [];
  for (let at = 0; at < POLLS; at++) polls.push(await poll(planReads(allAtOnce, METER_LIMITS)));
  const byValue = await poll(values);
  const byRegister = await poll(registers);
  await bus.close();
  if (wire.tooEarly > 0) throw new Error(`${wire.tooEarly} silences were too short`);
  const tookMs = median(polls.map((one) => one.tookMs));
  const unit = "ms";
  return [
    figure("bus", { name: "full poll, bytes and silences", unit }, [
      tookMs,
      median(polls.map((one) => one.neededMs)),
    ]),
    figure("bus", { name: "full poll, register by register", unit }, [tookMs, byRegister.tookMs]),
    figure("bus", { name: "full poll, value by value", unit }, [tookMs, byValue.tookMs]),
  ];
}

interface Place {
  readonly start: number;
  readonly count: number;
}

interface Poll {
  readonly tookMs: number;
  readonly neededMs: number;
}

/** One poll of one device. */
type PollDevice = (device: number) => Promise<void>;

interface Load {
  /** Time on a core in the time that passed. */
  readonly share: number;
  /** From when each poll was due to its end. */
  readonly delaysMs: readonly number[];
}

/** Ten devices once a second over TCP, by the bus and by a plain loop over modbus-serial, in turn. */
async function tenDevices(): Promise<readonly Result[]> {
  const program = fileURLToPath(new URL("bus-devices.ts", import.meta.url));
  const devices = spawn(process.execPath, [program, String(DEVICES)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = await once(devices.stdout, "data");
  const ports: readonly number[] = JSON.parse(String(line));
  const [ours, plain] = [throughBus(ports), await throughModbusSerial(ports)];
  for (const { poll } of [ours, plain]) await loaded(poll, WARM_UP_SECONDS);
  const loads = { ours: [] as Load[], plain: [] as Load[] };
  for (let round = 0; round < ROUNDS; round++) {
    // Whoever comes second finds the machine warmed up: they take turns at that, too.
    const turns = [async () => loads.plain.push(await loaded(plain.poll, ROUND_SECONDS))];
    turns.splice(round % 2, 0, async () => loads.ours.push(await loaded(ours.poll, ROUND_SECONDS)));
    for (const turn of turns) await turn();
  }
  await Promise.all([ours.close(), plain.close()]);
  devices.stdin.end();
  const percent = (all: readonly Load[]): number => 100 * median(all.map(({ share }) => share));
  const latest = (all: readonly Load[]): number => percentile99(all.flatMap(({ delaysMs }) => delaysMs));
  return [
    figure("bus", { name: "ten devices at 1 Hz, one core", unit: "%" }, [
      percent(loads.ours),
      percent(loads.plain),
    ]),
    figure("bus", { name: "ten devices at 1 Hz, p99 due to done", unit: "ms" }, [
      latest(loads.ours),
      latest(loads.plain),
    ]),
  ];
}

interface Poller {
  readonly poll: PollDevice;
  close(): Promise<void>;
}

function throughBus(ports: readonly number[]): Poller {
  const buses = ports.map((port) =>
    ModbusBus.open({ transport: "tcp", host: "127.0.0.1", port }, { timeoutMs: 1000 }),
  );
  return {
    poll: async (device) => {
      for (const block of BLOCKS) await buses[device]?.readHoldingRegisters({ unit: 1, ...block });
    },
    close: async () => void (await Promise.all(buses.map((bus) => bus.close()))),
  };
}

async function throughModbusSerial(ports: readonly number[]): Promise<Poller> {
  const clients = await Promise.all(
    ports.map(async (port) => {
      const client = new modbusSerial.default();
      await client.connectTCP("127.0.0.1", { port });
      client.setID(1);
      client.setTimeout(1000);
      return client;
    }),
  );
  return {
    poll: async (device) => {
      for (const { start, count } of BLOCKS) await clients[device]?.readHoldingRegisters(start, count);
    },
    close: async () => {
      for (const client of clients) client.close(() => undefined);
    },
  };
}

/** Polls every device once a second, one after the other within it, for so long. */
async function loaded(poll: PollDevice, seconds: number): Promise<Load> {
  const beginMs = performance.now();
  const before = process.cpuUsage();
  const delaysMs: number[] = [];
  const device = async (index: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      const dueMs = beginMs + 1000 * (second + index / DEVICES);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
      await poll(index);
      delaysMs.push(performance.now() - dueMs);
    }
  };
  await Promise.all(Array.from({ length: DEVICES }, (_, index) => device(index)));
  const { user, system } = process.cpuUsage(before);
  return { share: (user + system) / 1000 / (performance.now() - beginMs), delaysMs };
}

function percentile99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0;
}
