import { afterAll, describe, expect, it } from "vitest";
import { askIdentity } from "../../../drivers/iec62056/asking.ts";
import { iec62056Decoder } from "../../../drivers/iec62056/decoder.ts";
import { AskedMeter, type AskedOptions, type AskedSurroundings } from "../../../drivers/iec62056/meter.ts";
import { iec62056Protocol } from "../../../drivers/iec62056/protocol.ts";
import { type Iec62056Look, iec62056Answerer } from "../../../drivers/simulated/iec62056-telegram.ts";
import { AskedLines } from "../../../drivers/telegram/asked-line.ts";
import { Talk } from "../../../drivers/telegram/talk.ts";
import { telegrams } from "../telegram/framed.ts";
import {
  ascii,
  block,
  frame,
  join,
  MeterLine,
  type MeterLineSettings,
  OPTIONS,
  QUICK,
  SHOWN,
  withParity,
} from "./kit.ts";

interface Setting extends Partial<Omit<MeterLineSettings, "answerer">> {
  readonly look?: Iec62056Look;
  readonly options?: Partial<AskedOptions>;
}

const open: AskedMeter[] = [];
afterAll(async () => {
  for (const meter of open) await meter.close();
});

interface Asked {
  readonly meter: AskedMeter;
  readonly line: MeterLine;
  readonly lastAnswer: AskedSurroundings["lastAnswer"];
}

function ask({ look = {}, options = {}, ...line }: Setting = {}): Asked {
  const meterLine = new MeterLine({ answerer: iec62056Answerer(look), ...line });
  const lines = new AskedLines(() => meterLine);
  const format = { baudRate: 300, dataBits: 8, parity: "none", stopBits: 1 } as const;
  const lastAnswer = { atMs: undefined };
  const meter = new AskedMeter(
    { ...OPTIONS, ...options },
    {
      line: lines.lease({ kind: "tcp", host: "meter", port: 1 }, format),
      ...{ protocol: iec62056Protocol({}), lastAnswer, pace: QUICK },
    },
  );
  open.push(meter);
  return { meter, line: meterLine, lastAnswer };
}

/** What was sent, as text without parity. */
function words(line: MeterLine): readonly string[] {
  return line.sent.map((bytes) => Buffer.from(bytes.map((byte) => byte & 0x7f)).toString("latin1"));
}

/** 1234567890 + 2000000000 mWh in steps of 100 mWh, as the meter prints it. */
const READING = {
  channel: "grid",
  importMwh: 3_234_567_800,
  exportMwh: 5_600_000,
  activePowerMw: -1_250_300,
  voltageMv: [230_100, 231_200, 229_900],
  currentMa: [1_810, 1_820, 1_790],
  frequencyMhz: 49_980,
};

describe.concurrent("asking a meter", () => {
  it("acknowledges the offered rate, changes to it, reads, and goes back", async () => {
    const { meter, line } = ask();
    expect(await meter.identify()).toEqual({
      make: "KWT",
      model: "SIM-C V1.0",
      serial: "40718293",
      firmware: "",
    });
    expect(words(line)).toEqual(["/?!\r\n", "/?!\r\n", "\x06050\r\n"]);
    expect(line.sent[0]).toEqual(withParity(ascii("/?!\r\n")));
    expect(line.rates).toEqual([9_600, 300]);
    expect(meter.channels()[0]).toMatchObject({
      name: "grid",
      role: "grid",
      resolutionMwh: 100,
      signVerified: false,
    });
  });

  it("gives what the meter printed, with the bytes that say so", async () => {
    const { meter, line } = ask();
    await meter.identify();
    const first = await meter.read();
    expect(words(line)).toHaveLength(3);
    const { readings, frames = [], absent } = await meter.read();
    expect(words(line)).toHaveLength(5);
    expect(readings).toEqual([{ ...READING, evidence: frames[0]?.digest }]);
    expect(first.readings).toEqual(readings);
    expect(absent).toEqual([]);
    const [bytes = new Uint8Array()] = telegrams(frame(frames[0]?.bytes ?? new Uint8Array(), 5));
    expect(iec62056Decoder.decode(bytes, {})[0]).toMatchObject({ meterId: "40718293" });
  });

  it.each<[string, Setting, readonly string[], readonly number[]]>([
    ["a line that keeps its rate", { changes: false }, ["/?!\r\n", "\x06000\r\n"], []],
    [
      "a meter that is faster than wanted",
      { options: { maxBaudRate: 4_800 } },
      ["/?!\r\n", "\x06000\r\n"],
      [],
    ],
    [
      "a meter that offers no other rate",
      { look: { identification: "KWT0SIM" } },
      ["/?!\r\n", "\x06000\r\n"],
      [],
    ],
    ["a meter of mode A", { look: { identification: "KWT SIM" } }, ["/?!\r\n"], []],
    ["a meter of mode B", { look: { identification: "KWTESIM" } }, ["/?!\r\n"], [9_600, 300]],
    ["characters without parity", { options: { parity: false } }, ["/?!\r\n", "\x06050\r\n"], [9_600, 300]],
    ["a head that hears itself", { echoes: true }, ["/?!\r\n", "\x06050\r\n"], [9_600, 300]],
    [
      "an address",
      { look: { address: "0042" }, options: { address: "42" } },
      ["/?42!\r\n", "\x06050\r\n"],
      [9_600, 300],
    ],
  ])("reads over or from %s", async (_, setting, sent, rates) => {
    const { meter, line } = ask(setting);
    await meter.identify();
    expect((await meter.read()).readings[0]).toMatchObject(READING);
    // The name alone, then the readout.
    expect(words(line)).toEqual([sent[0], ...sent]);
    expect(line.rates).toEqual(rates);
  });

  it("wakes a meter with a battery by zeros", async () => {
    const { meter, line } = ask({ options: { battery: true } });
    await meter.identify();
    expect(words(line)[0]).toMatch(/^\0+$/);
    expect(words(line)[1]).toBe("/?!\r\n");
  });
});

describe.concurrent("a meter that does not answer as it should", () => {
  it("is asked again after a wrong check character", async () => {
    const answerer = iec62056Answerer();
    const { meter, line } = ask({
      spoil: (answer, count) => [count === 2 ? (answerer.withWrongChecksum(answer) ?? answer) : answer],
    });
    await meter.identify();
    expect((await meter.read()).readings[0]).toMatchObject(READING);
    expect(words(line)).toHaveLength(5);
  });

  it("gives no reading while every check character is wrong", async () => {
    const answerer = iec62056Answerer();
    const { meter } = ask({ spoil: (answer) => [answerer.withWrongChecksum(answer) ?? answer] });
    await expect(meter.identify()).rejects.toMatchObject({ code: "iec62056-checksum" });
  });

  it("is asked at the first rate when it cannot be understood at another, and from then on", async () => {
    const { meter, line } = ask({
      // First comes the name alone, then name and data by turns.
      spoil: (answer, count) => [[2, 4].includes(count) ? answer.map((byte) => byte ^ 0x55) : answer],
    });
    await meter.identify();
    expect(words(line)).toEqual([
      "/?!\r\n",
      "/?!\r\n",
      "\x06050\r\n",
      "/?!\r\n",
      "\x06050\r\n",
      "/?!\r\n",
      "\x06000\r\n",
    ]);
    await meter.read();
    await meter.read();
    expect(words(line).slice(7)).toEqual(["/?!\r\n", "\x06000\r\n"]);
  });

  it.each<[string, Setting["spoil"], string]>([
    ["silent", () => [], "iec62056-silent"],
    ["silent after its identification", (answer) => (answer.length > 30 ? [] : [answer]), "iec62056-silent"],
    ["refusing", (answer) => [answer.length > 30 ? Uint8Array.of(0x95) : answer], "iec62056-refused"],
    ["breaking off", (answer) => [answer.length > 30 ? block("B0", "\x01") : answer], "iec62056-break"],
    [
      "answering with an error",
      (answer) => [answer.length > 30 ? withParity(block("(ER01)")) : answer],
      "iec62056-answer",
    ],
    ["cut off", (answer) => [answer.slice(0, 100)], "iec62056-silent"],
    ["garbage", (answer) => [answer.map((byte) => (byte * 91) & 0x7f)], "iec62056-silent"],
    [
      "a damaged character",
      (answer) => [answer.map((byte, index) => (index === 50 ? byte ^ 1 : byte))],
      "iec62056-parity",
    ],
  ])("that is %s is named so", async (_, spoil, code) => {
    const { meter } = ask(spoil === undefined ? {} : { spoil });
    await expect(meter.identify()).rejects.toMatchObject({ code });
  });

  it("ends when a line babbles without end", async () => {
    const { meter, line } = ask({ echoes: true, spoil: () => [], options: { readTimeoutMs: 400 } });
    const babble = setInterval(() => void line.write(ascii("babble babble ")), 5);
    await expect(meter.identify()).rejects.toMatchObject({
      code: expect.stringMatching(/^iec62056-(silent|timeout)$/),
    });
    clearInterval(babble);
  });

  it("changes its rate on a line that cannot", async () => {
    const { meter, line } = ask({ look: { identification: "KWTESIM" }, changes: false });
    await expect(meter.identify()).rejects.toMatchObject({ code: "iec62056-baud-rate" });
    expect(words(line)).toHaveLength(2);
  });

  it("is another meter than before", async () => {
    let identification = "KWT5SIM-C V1.0";
    const { meter } = ask({
      spoil: (answer) => [answer.length > 30 ? answer : withParity(ascii(`/${identification}\r\n`))],
    });
    await meter.identify();
    await meter.read();
    identification = "KWT5OTHER";
    await expect(meter.read()).rejects.toMatchObject({ code: "driver-identity-changed" });
  });

  it.each([
    ["the first of them", 0],
    ["the one before the data", 1],
  ])("is called what its name is, though %s lost a character", async (_, damaged) => {
    const { meter } = ask({
      spoil: (answer, count) => [count === damaged ? answer.filter((_byte, index) => index !== 7) : answer],
    });
    expect((await meter.identify()).model).toBe("SIM-C V1.0");
    expect((await meter.read()).readings[0]).toMatchObject(READING);
  });

  it("is not taken for anybody while every name is another one", async () => {
    const { meter } = ask({
      spoil: (answer, count) => [answer.length > 30 ? answer : withParity(ascii(`/KWT5SIM${count}\r\n`))],
    });
    await expect(meter.identify()).rejects.toMatchObject({ code: "iec62056-name" });
  });

  it("is the same one where only its name was damaged, which nothing vouches for", async () => {
    let damaged = false;
    const { meter, line } = ask({
      spoil: (answer) => {
        const spoilt = damaged && answer.length < 30 ? answer.filter((_byte, index) => index !== 7) : answer;
        damaged = false;
        return [spoilt];
      },
    });
    await meter.identify();
    await meter.read();
    damaged = true;
    const before = words(line).length;
    expect((await meter.read()).readings[0]).toMatchObject(READING);
    expect(words(line).slice(before)).toEqual(["/?!\r\n", "\x06050\r\n", "/?!\r\n"]);
    expect((await meter.read()).readings[0]).toMatchObject(READING);
    expect(words(line)).toHaveLength(before + 5);
  });

  it("loses its line", async () => {
    const { meter, line } = ask({ spoil: () => [] });
    const asked = meter.identify();
    setTimeout(() => line.lose(), 20);
    await expect(asked).rejects.toMatchObject({ code: "line-closed" });
  });
});

describe.concurrent("a meter that may be asked seldom", () => {
  it("gives a snapshot without readings until then, and is left alone", async () => {
    const { meter, line, lastAnswer } = ask({ options: { minIntervalMs: 60_000 } });
    await meter.identify();
    expect((await meter.read()).readings).toHaveLength(1);
    const early = await meter.read();
    expect(early.readings).toEqual([]);
    expect(early.absent[0]).toContain("60000 ms between two reads");
    expect(words(line)).toHaveLength(3);
    await expect(meter.identify()).rejects.toMatchObject({ code: "iec62056-too-soon" });
    lastAnswer.atMs = performance.now() - 60_001;
    expect((await meter.read()).readings).toHaveLength(1);
    expect(words(line)).toHaveLength(5);
  });

  it("may be asked again at once when it did not answer", async () => {
    const { meter } = ask({ spoil: () => [], options: { minIntervalMs: 60_000 } });
    await expect(meter.identify()).rejects.toMatchObject({ code: "iec62056-silent" });
    await expect(meter.identify()).rejects.toMatchObject({ code: "iec62056-silent" });
  });
});

describe.concurrent("scanning a line", () => {
  it("learns who answers without reading data", async () => {
    const line = new MeterLine({ answerer: iec62056Answerer() });
    const talk = await Talk.over(line);
    expect(await askIdentity(talk, QUICK)).toEqual({
      make: "KWT",
      model: "SIM-C V1.0",
      serial: "",
      firmware: "",
    });
    expect(words(line)).toEqual(["/?!\r\n"]);
    await talk.close();
  });

  it("learns that nobody does", async () => {
    const talk = await Talk.over(new MeterLine({ answerer: iec62056Answerer(), spoil: () => [] }));
    expect(await askIdentity(talk, QUICK)).toBeUndefined();
    await talk.close();
    await expect(askIdentity(talk, QUICK)).rejects.toMatchObject({ code: "line-closed" });
  });
});

describe.concurrent("a simulated meter that is asked", () => {
  it("answers the same however the request comes", () => {
    const whole = iec62056Answerer();
    const pieces = iec62056Answerer();
    for (const request of [withParity(ascii("/?!\r\n")), withParity(ascii("\x06050\r\n"))])
      expect([...request].flatMap((byte) => pieces.answers(Uint8Array.of(byte), SHOWN))).toEqual(
        whole.answers(request, SHOWN),
      );
    expect([whole.baudRate, pieces.baudRate]).toEqual([9_600, 9_600]);
  });

  it("stays at the first rate when it is not acknowledged with its own", () => {
    const answerer = iec62056Answerer();
    answerer.answers(ascii("/?!\r\n"), SHOWN);
    expect(answerer.answers(ascii("\x06040\r\n"), SHOWN)).toHaveLength(1);
    expect(answerer.baudRate).toBe(300);
  });

  it("makes a readout whose check character no longer fits", () => {
    const answerer = iec62056Answerer();
    const name = answerer.answers(ascii("/?!\r\n"), SHOWN)[0] ?? new Uint8Array();
    const data = answerer.answers(ascii("\x06050\r\n"), SHOWN)[0] ?? new Uint8Array();
    expect(telegrams(frame(join(name, data)))).toHaveLength(1);
    const spoilt = answerer.withWrongChecksum(data) ?? data;
    expect(spoilt).not.toEqual(data);
    expect(telegrams(frame(join(name, spoilt)))).toEqual([]);
    expect(answerer.withWrongChecksum(name)).toBeUndefined();
  });
});
