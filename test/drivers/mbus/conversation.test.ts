import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import type { ScriptedLine } from "../../../drivers/kit/scripted-line.ts";
import { askMbus } from "../../../drivers/mbus/asking.ts";
import { MBUS_FORMAT } from "../../../drivers/mbus/meter.ts";
import { readingOf } from "../../../drivers/mbus/reading.ts";
import { type Readout, readOut } from "../../../drivers/mbus/readout.ts";
import { parseSecondaryAddress } from "../../../drivers/mbus/secondary.ts";
import type { SimulatedMbusMeter } from "../../../drivers/simulated/mbus-telegram.ts";
import { AskedLines } from "../../../drivers/telegram/asked-line.ts";
import { collided, type Fault, METER, startBus, talkTo } from "./bus.ts";
import { answer, bytes, join, long } from "./kit.ts";

const IMPORT_MWH = 1_236_567_000;
const open: ScriptedLine[] = [];

afterEach(async () => {
  for (const line of open.splice(0)) await line.close();
});

async function bus(...given: Parameters<typeof startBus>): Promise<ScriptedLine> {
  const line = await startBus(...given);
  open.push(line);
  return line;
}

interface Wanted {
  readonly address?: number | string;
  readonly retries?: number;
  readonly telegrams?: number;
  readonly applicationReset?: number;
}

async function readoutOf(
  line: ScriptedLine,
  { address = METER.primary, retries, ...options }: Wanted = {},
): Promise<Readout> {
  const target = typeof address === "number" ? address : parseSecondaryAddress(address);
  const settings = { ...options, address: target, where: "test" };
  return await talkTo(line, (exchange) => readOut(exchange, settings), retries);
}

async function codeOf(readout: Promise<unknown>): Promise<string> {
  const thrown = await readout.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof Problem) return thrown.code;
  throw new Error(`expected a Problem, got ${String(thrown)}`);
}

function requestsOf(line: ScriptedLine): string {
  return Buffer.from(line.received()).toString("hex").toUpperCase();
}

const OTHER: SimulatedMbusMeter = { primary: 7, identification: "12399999", manufacturer: "ABB" };
const TWO_TELEGRAMS: SimulatedMbusMeter = { ...METER, multiTelegram: true };

describe("a master on a wired M-Bus", () => {
  it("initialises and asks with the frame count bit set first, then changed for each telegram", async () => {
    const line = await bus([TWO_TELEGRAMS]);
    const readout = await readoutOf(line);
    expect(requestsOf(line)).toBe("1040054516" + "107B058016" + "105B056016");
    expect(readout.telegrams).toHaveLength(2);
    expect(readingOf(readout).values).toEqual({
      ...{ importMwh: IMPORT_MWH, exportMwh: 56_000, resolutionMwh: 1_000, activePowerMw: -1_234_567 },
      ...{ voltageMv: [230_100, 231_200, 229_900], currentMa: [1_000, 2_000, 3_000], frequencyMhz: 50_010 },
    });
  });

  it.each([1, 7, 64])("reads the same from pieces of %i bytes", async (chunkBytes) => {
    const line = await bus([TWO_TELEGRAMS], collided, chunkBytes);
    const { values } = readingOf(await readoutOf(line));
    expect(values).toMatchObject({ importMwh: IMPORT_MWH, activePowerMw: -1_234_567 });
  });

  it("selects by secondary address, with digits left open", async () => {
    for (const address of ["12345678", "123456FF", "123456782D2C0102", "12345678FFFFFF02"]) {
      const line = await bus([METER, OTHER]);
      expect((await readoutOf(line, { address })).meterId).toBe("KAM-12345678-01-02");
    }
    const line = await bus([METER, OTHER]);
    await readoutOf(line, { address: "12345678" });
    expect(requestsOf(line)).toBe("1040FD3D16" + "680B0B6853FD5278563412FFFFFFFFB216" + "107BFD7816");
  });

  it("says that several meters fit", async () => {
    const line = await bus([METER, OTHER]);
    expect(await codeOf(readoutOf(line, { address: "123FFFFF", retries: 0 }))).toBe("mbus-collision");
  });

  it("resets the application before the readout where it is told to", async () => {
    const line = await bus([METER]);
    await readoutOf(line, { applicationReset: 0x10 });
    expect(requestsOf(line)).toContain("6804046853055010B816");
  });

  it("reads only the first telegrams where it is told to", async () => {
    const line = await bus([TWO_TELEGRAMS]);
    expect((await readoutOf(line, { telegrams: 1 })).telegrams).toHaveLength(1);
  });
});

/** Answers are lost or damaged once, in every place of the conversation. */
const ONCE: readonly (readonly [string, (answer: Uint8Array) => Uint8Array])[] = [
  ["lost", () => new Uint8Array(0)],
  ["damaged", (bytes) => bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 0x10 : byte))],
  ["cut off", (bytes) => bytes.subarray(0, bytes.length >> 1)],
  ["of another meter", () => answer("04 03 FF FF FF 00")],
];

describe("an answer", () => {
  it.for(ONCE.flatMap(([name, change]) => [0, 1, 2].map((place) => ({ name, change, place }))))(
    "that is $name upon request $place is asked for again, and nothing is left out",
    async ({ change, place }) => {
      const fault: Fault = (answers, n) => (n === place ? change(collided(answers)) : collided(answers));
      const line = await bus([TWO_TELEGRAMS], fault);
      const readout = await readoutOf(line);
      expect(readout.telegrams).toHaveLength(2);
      expect(readout.meterId).toBe("KAM-12345678-01-02");
      expect(readingOf(readout).values).toMatchObject({ importMwh: IMPORT_MWH, activePowerMw: -1_234_567 });
    },
  );

  it("behind the echo of the request is found", async () => {
    for (const address of [5, "12345678"]) {
      const line = await bus([TWO_TELEGRAMS], (answers, _n, request) => join(request, collided(answers)), 3);
      expect((await readoutOf(line, { address })).telegrams).toHaveLength(2);
    }
  });

  it("never comes where only the echo does", async () => {
    const line = await bus([], (_answers, _n, request) => request);
    const thrown = await readoutOf(line).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "driver-no-answer", detail: { got: "nothing" } });
  });

  it("that never comes is missed, with what came instead", async () => {
    const silent = await bus([]);
    expect(await codeOf(readoutOf(silent))).toBe("driver-no-answer");
    const damaged = await bus([METER], (answers, n) =>
      n === 0 ? collided(answers) : collided(answers).map((byte, at) => (at === 9 ? byte ^ 1 : byte)),
    );
    const thrown = await readoutOf(damaged).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "driver-no-answer", detail: { cause: { code: "mbus-checksum" } } });
  });

  it("of another address is refused at last", async () => {
    const line = await bus([METER], (answers, n) =>
      n === 0 ? collided(answers) : answer("04 03 01 00 00 00"),
    );
    expect(await codeOf(readoutOf(line))).toBe("mbus-wrong-address");
  });

  it("of another meter than the selected one is refused", async () => {
    const line = await bus([METER], (answers, n) =>
      n < 2 ? collided(answers) : answer("04 03 01 00 00 00"),
    );
    expect(await codeOf(readoutOf(line, { address: "123456782D2CFFFF" }))).toBe("mbus-wrong-meter");
  });

  it("of a second meter within one readout is refused", async () => {
    const stranger = long(bytes("08 05 72 99 99 99 99 2D 2C 01 02 2A 00 00 00 04 03 01 00 00 00"));
    const line = await bus([TWO_TELEGRAMS], (answers, n) => (n < 2 ? collided(answers) : stranger));
    expect(await codeOf(readoutOf(line))).toBe("driver-identity-changed");
  });

  it("is the meter's own refusal, in its words", async () => {
    const line = await bus([{ ...METER, error: 8 }]);
    const thrown = await readoutOf(line).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "mbus-application-error", detail: { got: "application busy" } });
  });

  it("that is encrypted is said to be so", async () => {
    const encrypted = long(bytes("08 05 72 78 56 34 12 2D 2C 01 02 2A 00 10 05 00 00 00 00"));
    const line = await bus([METER], (answers, n) => (n === 0 ? collided(answers) : encrypted));
    expect(await codeOf(readoutOf(line))).toBe("mbus-encrypted");
  });

  it("without identification is refused", async () => {
    const nameless = long(bytes("08 05 78 04 03 01 00 00 00"));
    const line = await bus([METER], (answers, n) => (n === 0 ? collided(answers) : nameless));
    expect(await codeOf(readoutOf(line))).toBe("mbus-no-identity");
  });

  it("that has no end is given up", async () => {
    const endless: Fault = (answers, n) =>
      n === 0
        ? collided(answers)
        : long(bytes("08 05 72 78 56 34 12 2D 2C 01 02 2A 00 00 00 04 03"), Uint8Array.of(n, 0, 0, 0, 0x1f));
    const line = await bus([METER], endless);
    expect(await codeOf(readoutOf(line))).toBe("mbus-endless");
    const limited = await bus([METER], endless);
    expect((await readoutOf(limited, { telegrams: 3 })).telegrams).toHaveLength(3);
  });

  it("that is always the same is not taken for the next", async () => {
    const line = await bus([METER], (answers, n) =>
      n === 0
        ? collided(answers)
        : long(
            bytes("08 05 72 78 56 34 12 2D 2C 01 02"),
            Uint8Array.of(n),
            bytes("00 00 00 04 03 01 00 00 00 1F"),
          ),
    );
    expect(await codeOf(readoutOf(line))).toBe("mbus-repeating");
  });

  it("that comes twice, or late, is not taken for the next one", async () => {
    // The first telegram comes again before the second one.
    let first: Uint8Array = new Uint8Array(0);
    const line = await bus([TWO_TELEGRAMS], (answers, n) => {
      const own = collided(answers);
      if (n === 1) first = own;
      return n === 2 ? join(first, own) : own;
    });
    const { telegrams } = await readoutOf(line);
    expect(telegrams.map(([value]) => value?.quantity)).toEqual(["energy", "date-time"]);
  });
});

describe("whatever comes instead of answers", () => {
  it("never makes a readout, and never holds the line", async () => {
    const telegram = bytes("08 05 72 78 56 34 12 2D 2C 01 02 2A 00 00 00 04 03 01 00 00 00");
    const mutated = fc
      .tuple(fc.nat(telegram.length + 4), fc.integer({ min: 1, max: 255 }))
      .map(([at, change]) => long(telegram).map((byte, n) => (n === at ? byte ^ change : byte)));
    const noise = fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated);
    await fc.assert(
      fc.asyncProperty(fc.array(noise, { minLength: 1, maxLength: 4 }), async (answers) => {
        const line = await startBus([], (_answers, n) =>
          n === 0 ? Uint8Array.of(0xe5) : (answers[n % answers.length] ?? Uint8Array.of()),
        );
        try {
          expect(await codeOf(readoutOf(line, { retries: 0 }))).toMatch(/^(?:driver|mbus)-/);
        } finally {
          await line.close();
        }
      }),
      { numRuns: 15 },
    );
  });
});

describe("a scan", () => {
  async function scanned(line: ScriptedLine, boundMs = 20_000): ReturnType<typeof askMbus> {
    const lease = new AskedLines().lease({ kind: "tcp", host: "127.0.0.1", port: line.port }, MBUS_FORMAT);
    try {
      const timing = { beginMs: 40, gapMs: 10, wholeMs: 200 };
      return await lease.talk((talk) => askMbus(talk, { timing, boundMs, lastPrimary: 32 }));
    } finally {
      await lease.release();
    }
  }

  it("of an empty line ends after one request", async () => {
    const line = await bus([]);
    expect(await scanned(line)).toEqual([]);
    expect(requestsOf(line)).toBe("1040FE3E16");
  });

  it("finds meters by their numbers where these differ late, and says what they are", async () => {
    const line = await bus([
      METER,
      OTHER,
      { ...METER, primary: 0, identification: "12345679", medium: 4 },
      { ...METER, primary: 0, identification: "90000000" },
    ]);
    const found = await scanned(line);
    expect(found.map(({ address, secondary, electricity }) => [address, secondary, electricity])).toEqual([
      [5, "123456782D2C0102", true],
      [253, "123456792D2C0104", false],
      [7, "1239999942040102", true],
      [253, "900000002D2C0102", true],
    ]);
    expect(found[0]?.identity).toEqual({
      make: "KAM",
      model: "version 01",
      serial: "12345678",
      firmware: "",
    });
  });

  it("finds meters that know no secondary address", async () => {
    // A digit beyond 9 is never searched for.
    const line = await bus([{ ...METER, primary: 30, identification: "A5000001" }]);
    expect((await scanned(line)).map(({ address }) => address)).toEqual([30]);
  });

  it("of a line that answers everything ends, and finds nothing", async () => {
    const line = await bus([], () => Uint8Array.of(0xe5));
    expect(await scanned(line, 300)).toEqual([]);
  });
});
