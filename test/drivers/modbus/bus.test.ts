import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { type BusTiming, ModbusBus } from "../../../drivers/modbus/bus.ts";
import type { Misbehaviour } from "../../../drivers/simulated/misbehaviour.ts";
import { type ModbusServer, NO_TARGET, startModbusServer } from "../../../drivers/simulated/modbus-server.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A register holds its own address, so that an answer shows which question it belongs to. */
async function echoDevice(misbehave?: () => Misbehaviour | undefined): Promise<ModbusServer> {
  const server = await startModbusServer({
    port: 0,
    read: ({ unit, start, count }) =>
      unit === 9
        ? { exception: NO_TARGET }
        : { registers: Array.from({ length: count }, (_, i) => start + i) },
    ...(misbehave === undefined ? {} : { misbehave }),
  });
  cleanups.push(() => server.close());
  return server;
}

function busTo({ host, port }: { host: string; port: number }, timing: Partial<BusTiming> = {}): ModbusBus {
  const bus = ModbusBus.open({ transport: "tcp", host, port }, { timeoutMs: 500, ...timing });
  cleanups.push(() => bus.close());
  return bus;
}

async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Problem) return outcome;
  throw new Error(`expected a Problem, got ${String(outcome)}`);
}

const expected = (start: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => start + i);

describe("a Modbus TCP bus", () => {
  it("reads what was asked for, on one connection", async () => {
    const server = await echoDevice();
    const bus = busTo(server);
    const answers = await Promise.all(
      [7, 300, 40000].map((start) => bus.readHoldingRegisters({ unit: 1, start, count: 125 })),
    );
    expect(answers.map((a) => [...a])).toEqual([expected(7, 125), expected(300, 125), expected(40000, 125)]);
    expect(server.connections()).toBe(1);
  });

  it("keeps question and answer together over more requests than there are transaction numbers", async () => {
    const bus = busTo(await echoDevice());
    for (let start = 0; start < 600; start += 1)
      expect([...(await bus.readHoldingRegisters({ unit: 1, start, count: 2 }))]).toEqual([start, start + 1]);
  });

  it("refuses requests that Modbus cannot carry, before touching the line", async () => {
    const server = await echoDevice();
    const bus = busTo(server);
    for (const bad of [
      { unit: 1, start: 0, count: 126 },
      { unit: 1, start: 0, count: 0 },
      { unit: 256, start: 0, count: 1 },
      { unit: 1, start: 65535, count: 2 },
      { unit: 1, start: 0.5, count: 1 },
    ])
      expect((await problemOf(bus.readHoldingRegisters(bad))).code).toBe("modbus-bad-request");
    expect(server.connections()).toBe(0);
  });

  it("bounds its queue", async () => {
    const bus = busTo(await echoDevice(() => ({ kind: "delay", ms: 50 })), { queueLimit: 3 });
    const asked = Array.from({ length: 10 }, (_, i) =>
      bus.readHoldingRegisters({ unit: 1, start: i, count: 1 }),
    );
    const outcomes = await Promise.allSettled(asked);
    const refused = outcomes.filter((o) => o.status === "rejected").map((o) => (o.reason as Problem).code);
    expect(new Set(refused)).toEqual(new Set(["modbus-queue-full"]));
    expect(outcomes.length - refused.length).toBe(4);
  });
});

describe("one misbehaviour is one Problem, and service goes on", () => {
  const cases: readonly [Misbehaviour, string][] = [
    [{ kind: "silence" }, "modbus-timeout"],
    [{ kind: "delay", ms: 5000 }, "modbus-timeout"],
    [{ kind: "truncate" }, "modbus-timeout"],
    [{ kind: "garbage-length" }, "modbus-malformed"],
    [{ kind: "wrong-byte-count" }, "modbus-malformed"],
    [{ kind: "wrong-protocol" }, "modbus-malformed"],
    [{ kind: "wrong-transaction" }, "modbus-malformed"],
    [{ kind: "wrong-unit" }, "modbus-malformed"],
    [{ kind: "foreign-exception", code: 2 }, "modbus-malformed"],
    [{ kind: "close-before-reply" }, "modbus-closed"],
    [{ kind: "close-in-reply" }, "modbus-closed"],
    [{ kind: "exception", code: 1 }, "modbus-illegal-function"],
    [{ kind: "exception", code: 2 }, "modbus-illegal-address"],
    [{ kind: "exception", code: 4 }, "modbus-device-failure"],
    [{ kind: "exception", code: 6 }, "modbus-busy"],
    [{ kind: "exception", code: 11 }, "modbus-wrong-unit"],
    [{ kind: "exception", code: 99 }, "modbus-exception"],
  ];
  it.each(cases)("%o", async (misbehaviour, code) => {
    let todo: Misbehaviour | undefined;
    const server = await echoDevice(() => {
      const now = todo;
      todo = undefined;
      return now;
    });
    const bus = busTo(server);
    await bus.readHoldingRegisters({ unit: 1, start: 1, count: 3 });
    todo = misbehaviour;
    const problem = await problemOf(bus.readHoldingRegisters({ unit: 1, start: 50, count: 10 }));
    expect(problem.code).toBe(code);
    expect(problem.message).toContain(`${server.host}:${server.port}`);
    expect([...(await bus.readHoldingRegisters({ unit: 1, start: 70, count: 10 }))]).toEqual(
      expected(70, 10),
    );
    expect(server.connections()).toBe(misbehaviour.kind === "exception" ? 1 : 2);
  });

  it("gives up a connection that repeats itself, without disturbing the reader", async () => {
    const server = await echoDevice(() => ({ kind: "twice" }));
    const bus = busTo(server);
    const outcomes = await Promise.allSettled(
      [1, 2, 3, 4].map((start) => bus.readHoldingRegisters({ unit: 1, start, count: 1 })),
    );
    outcomes.forEach((outcome, index) => {
      if (outcome.status === "fulfilled") expect([...outcome.value]).toEqual([index + 1]);
      else expect((outcome.reason as Problem).code).toBe("modbus-malformed");
    });
  });

  it("goes on with one unit when a gateway does not reach another", async () => {
    const bus = busTo(await echoDevice());
    expect((await problemOf(bus.readHoldingRegisters({ unit: 9, start: 1, count: 1 }))).code).toBe(
      "modbus-wrong-unit",
    );
    expect([...(await bus.readHoldingRegisters({ unit: 1, start: 5, count: 1 }))]).toEqual([5]);
  });
});

describe("a late answer", () => {
  it("is never the answer to a later question, whatever the delays", async () => {
    let delays: number[] = [];
    const server = await echoDevice(() => ({ kind: "delay", ms: delays.shift() ?? 0 }));
    let late = 0;
    let good = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 45 }), { minLength: 20, maxLength: 20 }),
        async (ms) => {
          delays = [...ms];
          const bus = busTo(server, { timeoutMs: 25, longestBackOffMs: 1 });
          for (let i = 0; i < ms.length; i += 1) {
            const start = 1000 + i * 37;
            const answer = await bus
              .readHoldingRegisters({ unit: 1, start, count: 3 })
              .catch((error: Problem) => error);
            if (answer instanceof Uint16Array) {
              expect([...answer]).toEqual(expected(start, 3));
              good += 1;
            } else {
              expect(answer.code).toBe("modbus-timeout");
              late += 1;
            }
          }
          await bus.close();
        },
      ),
      { numRuns: 8 },
    );
    expect(good).toBeGreaterThan(0);
    expect(late).toBeGreaterThan(0);
  });
});

describe("connecting", () => {
  it("tells a refused connection from an unknown host", async () => {
    const server = await echoDevice();
    await server.close();
    expect((await problemOf(busTo(server).readHoldingRegisters({ unit: 1, start: 0, count: 1 }))).code).toBe(
      "modbus-refused",
    );
    const unknown = busTo({ host: "no-such-host.invalid", port: 502 }, { timeoutMs: 5000 });
    expect((await problemOf(unknown.readHoldingRegisters({ unit: 1, start: 0, count: 1 }))).code).toBe(
      "modbus-host-unknown",
    );
  });

  it("waits after connecting where a device needs it", async () => {
    const server = await echoDevice();
    const bus = busTo(server, { connectDelayMs: 120 });
    const begunMs = performance.now();
    await bus.readHoldingRegisters({ unit: 1, start: 1, count: 1 });
    expect(performance.now() - begunMs).toBeGreaterThanOrEqual(120);
  });

  it("comes back when the device comes back", async () => {
    const first = await echoDevice();
    const bus = busTo(first);
    await bus.readHoldingRegisters({ unit: 1, start: 1, count: 1 });
    const connection = bus.connection;
    await first.close();
    const second = await startModbusServer({
      port: first.port,
      read: ({ start }) => ({ registers: [start] }),
    });
    cleanups.push(() => second.close());
    const read = () => bus.readHoldingRegisters({ unit: 1, start: 8, count: 1 });
    const answer = await read().catch(read);
    expect([...answer]).toEqual([8]);
    expect(bus.connection).not.toBe(connection);
  });

  it("leaves a dead device alone for a while, then finds it again", async () => {
    const gone = await echoDevice();
    await gone.close();
    const bus = busTo(gone, { longestBackOffMs: 200 });
    const read = () => bus.readHoldingRegisters({ unit: 1, start: 8, count: 1 });
    const problems = [await problemOf(read()), await problemOf(read()), await problemOf(read())];
    expect(problems.map((p) => p.detail.hint?.includes("next attempt"))).toEqual([false, false, false]);
    const backingOff = await problemOf(read());
    expect(backingOff.code).toBe("modbus-refused");
    expect(backingOff.detail.hint).toContain("next attempt in");
    const back = await startModbusServer({ port: gone.port, read: ({ start }) => ({ registers: [start] }) });
    cleanups.push(() => back.close());
    await expect
      .poll(
        () =>
          read()
            .then((r) => [...r])
            .catch(() => []),
        { timeout: 10_000 },
      )
      .toEqual([8]);
  });

  it("does not let a silent unit block the others behind the same gateway", async () => {
    const server = await startModbusServer({
      port: 0,
      read: ({ start }) => ({ registers: [start] }),
      misbehave: ({ unit }) => (unit === 2 ? { kind: "silence" } : undefined),
    });
    cleanups.push(() => server.close());
    const bus = busTo(server, { timeoutMs: 60 });
    for (let round = 0; round < 6; round += 1) {
      const silent = problemOf(bus.readHoldingRegisters({ unit: 2, start: 1, count: 1 }));
      const lively = bus.readHoldingRegisters({ unit: 3, start: round, count: 1 });
      expect((await silent).code).toBe("modbus-timeout");
      expect([...(await lively)]).toEqual([round]);
    }
  });

  it("rejects everything outstanding when it is closed, twice if need be", async () => {
    const bus = busTo(await echoDevice(() => ({ kind: "silence" })), { timeoutMs: 20_000 });
    const asked = [1, 2, 3].map((start) => problemOf(bus.readHoldingRegisters({ unit: 1, start, count: 1 })));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await bus.close();
    await bus.close();
    expect((await Promise.all(asked)).map((p) => p.code)).toEqual(Array(3).fill("modbus-bus-closed"));
    expect((await problemOf(bus.readHoldingRegisters({ unit: 1, start: 1, count: 1 }))).code).toBe(
      "modbus-bus-closed",
    );
  });
});
