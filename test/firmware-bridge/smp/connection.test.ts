import { describe, expect, it } from "vitest";
import { smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { type Asking, SmpConnection, type SmpRequest } from "../../../firmware-bridge/smp/connection.ts";
import { encodeConsoleFrame } from "../../../firmware-bridge/smp/console-frame.ts";
import { GROUP } from "../../../firmware-bridge/smp/message.ts";
import { awaitAnswer, echo, learnParameters, osInfo, reset } from "../../../firmware-bridge/smp/os-group.ts";
import { listStatistics, showStatistics } from "../../../firmware-bridge/smp/statistics-group.ts";
import { closeLater } from "../../kit/close-later.ts";
import { connect, hex, latin1, lineTo, microcontroller, QUICK, shownHex, type Wire } from "./kit.ts";

const PROBE: SmpRequest = { name: "probe", operation: "read", group: 64, command: 1 };

/** A message in hex, where LLLL is the length of its body and XX the sequence number. */
function messageOf(text: string, sequence: string): Uint8Array {
  const compact = text.replaceAll(" ", "").replaceAll("XX", sequence);
  const length = (compact.length - 16) / 2;
  return hex(compact.replace("LLLL", length.toString(16).padStart(4, "0")));
}

/** A device that answers every frame with the messages given for it. */
async function scripted(...answers: readonly (readonly string[])[]): Promise<{
  readonly connection: SmpConnection;
  readonly heard: string[];
}> {
  const heard: string[] = [];
  const line = lineTo((bytes) => {
    const text = Buffer.from(bytes).toString("latin1");
    if (text === "\n") return hex("");
    heard.push(text);
    const sequence = Buffer.from(text.slice(2), "base64").toString("hex", 8, 9);
    const frames = (answers[heard.length - 1] ?? []).map((answer) =>
      encodeConsoleFrame(messageOf(answer, sequence)),
    );
    return Buffer.concat(frames);
  });
  return { connection: closeLater(await SmpConnection.over(line, QUICK)), heard };
}

function ask(connection: SmpConnection, asking?: Asking): Promise<unknown> {
  return connection.ask(PROBE, asking).then((fields) => Object.fromEntries(fields));
}

const OK = "0900LLLL00 40XX01 a0";
const ONE = "0900LLLL00 40XX01 a1617801";

describe("a request", () => {
  it("goes out byte for byte as known, and gives the answer", async () => {
    const sent: string[] = [];
    const wire: Wire = {
      toDevice: (bytes) => {
        sent.push(Buffer.from(bytes).toString("latin1"));
        return bytes;
      },
    };
    const connection = await connect(microcontroller(), { wire });
    await expect(echo(connection, "hello")).resolves.toBe("hello");
    expect(sent).toEqual(["\x06\x09ABMKAAAJAAAAAKFhZGVoZWxsb6J/\n"]);
  });

  it("is asked again after silence, behind a newline and with another number", async () => {
    const sent: string[] = [];
    let silences = 2;
    const wire: Wire = {
      toDevice: (bytes) => {
        sent.push(Buffer.from(bytes).toString("latin1"));
        return bytes[0] === 0x0a || silences-- <= 0 ? bytes : undefined;
      },
    };
    const connection = await connect(microcontroller(), { wire });
    await expect(echo(connection, "")).resolves.toBe("");
    expect(sent.map((text) => (text === "\n" ? text : text.slice(0, 2)))).toEqual([
      ...["\x06\x09", "\n", "\x06\x09", "\n", "\x06\x09"],
    ]);
    expect(new Set(sent).size).toBe(4);
  });

  it("is heard behind a line that was cut short, of this request or the one before", async () => {
    let requests = 0;
    const wire: Wire = {
      toDevice: (bytes) => {
        requests += bytes[0] === 0x0a ? 0 : 1;
        return requests % 2 === 1 ? bytes.subarray(0, 10) : bytes;
      },
    };
    const connection = await connect(microcontroller(), { wire, attempts: 1 });
    await expect(echo(connection, "hello")).rejects.toMatchObject({ code: "smp-timeout" });
    await expect(echo(connection, "hello")).resolves.toBe("hello");
    await expect(echo(connection, "hello", { attempts: 2 })).resolves.toBe("hello");
    expect(requests).toBe(4);
  });

  it("without an answer fails with what came instead", async () => {
    const silent = await connect(microcontroller(), { wire: { toDevice: () => undefined } });
    await expect(echo(silent, "hello")).rejects.toMatchObject({
      code: "smp-timeout",
      message: expect.stringContaining("4 × 15 ms, got none"),
    });
    const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (at === 12 ? byte ^ 2 : byte));
    const broken = await connect(microcontroller(), { wire: { fromDevice: flip } });
    await expect(echo(broken, "hello")).rejects.toMatchObject({
      code: "smp-timeout",
      cause: expect.objectContaining({ code: expect.stringMatching(/^smp-frame-/) }),
    });
  });

  it("is answered by its own answer alone", async () => {
    const foreign = [
      "0900LLLL00 40fe01 a0", // another sequence number: late
      "0900LLLL00 41XX01 a0", // another group
      "0900LLLL00 40XX02 a0", // another command
      "0b00LLLL00 40XX01 a0", // the answer to a write
      "0800LLLL00 40XX01 a0", // the request itself, echoed
      "3900LLLL00 40XX01 a0", // no header
    ];
    const { connection } = await scripted([...foreign, ONE]);
    await expect(ask(connection)).resolves.toEqual({ x: 1 });
  });

  it("does not take the late answer to the attempt before it", async () => {
    const { connection, heard } = await scripted([], ["0900LLLL00 400001 a1617802", ONE]);
    await expect(ask(connection)).resolves.toEqual({ x: 1 });
    expect(heard).toHaveLength(2);
  });

  it("is one at a time, in the order of asking, also after a failure", async () => {
    const { connection, heard } = await scripted(["0900LLLL00 40XX01 a162726303"], [ONE], [OK]);
    const all = await Promise.allSettled([ask(connection), ask(connection), ask(connection)]);
    expect(all.map((one) => (one.status === "fulfilled" ? one.value : one.reason.code))).toEqual([
      ...["smp-invalid", { x: 1 }, {}],
    ]);
    expect(heard).toHaveLength(3);
  });

  it("may have an answer without a body", async () => {
    const { connection } = await scripted(["0900LLLL00 40XX01"]);
    await expect(ask(connection)).resolves.toEqual({});
  });

  it("counts on past 255", async () => {
    const connection = await connect(microcontroller());
    for (let turn = 0; turn < 300; turn += 1) expect(await echo(connection, `${turn}`)).toBe(`${turn}`);
  });

  it("ends at once when it is aborted, and the next one is answered", async () => {
    let silent = true;
    const wire: Wire = { toDevice: (bytes) => (silent ? undefined : bytes) };
    const connection = await connect(microcontroller(), { wire, timeoutMs: 60_000 });
    const abort = new AbortController();
    const asked = echo(connection, "hello", { signal: abort.signal });
    setTimeout(() => abort.abort(), 5);
    await expect(asked).rejects.toMatchObject({ code: "smp-aborted" });
    await expect(echo(connection, "", { signal: abort.signal })).rejects.toMatchObject({
      code: "smp-aborted",
    });
    silent = false;
    await expect(echo(connection, "again")).resolves.toBe("again");
  });

  it("over a line that is closed fails with the line", async () => {
    const connection = await connect(microcontroller());
    await connection.close();
    await expect(echo(connection, "hello")).rejects.toMatchObject({ code: "line-closed" });
    expect(connection.lost).toBe(true);
  });
});

describe("an error", () => {
  it.each([
    ["rc 8", "0900LLLL00 40XX01 a162726308", "smp-not-supported", "rc 8"],
    ["rc 1 with a reason", "0900LLLL00 40XX01 a2627263016372736e626e6f", "smp-unknown", "rc 1 (no)"],
    ["rc of firmware's own", "0900LLLL00 40XX01 a1627263190100", "smp-refused", "rc 256"],
    ["a negative rc", "0900LLLL00 40XX01 a162726326", "smp-refused", "rc -7"],
    ["an rc that is no number", "0900LLLL00 40XX01 a16272636161", "smp-refused", "rc no number"],
    [
      "of the image group",
      "0900LLLL00 40XX01 a163657272a2 6567726f757001 62726309",
      "smp-image-no-free-slot",
      "group 1, rc 9",
    ],
    [
      "of another group",
      "0900LLLL00 40XX01 a163657272a2 6567726f75701840 62726301",
      "smp-refused",
      "group 64, rc 1",
    ],
    ["of no group", "0900LLLL00 40XX01 a163657272a1 62726302", "smp-refused", "group no number, rc 2"],
  ])("%s is told with a code and words", async (_, answer, code, got) => {
    const { connection } = await scripted([answer]);
    await expect(ask(connection)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`got ${got}`),
    });
  });

  it.each([
    ["rc 0", "0900LLLL00 40XX01 a162726300"],
    ["err with rc 0", "0900LLLL00 40XX01 a163657272a2 6567726f757001 62726300"],
  ])("%s is none", async (_, answer) => {
    const { connection } = await scripted([answer]);
    await expect(connection.ask(PROBE)).resolves.toBeInstanceOf(Map);
  });

  it("is told when the answer is no CBOR map", async () => {
    const { connection } = await scripted(["0900LLLL00 40XX01 80"]);
    await expect(ask(connection)).rejects.toMatchObject({ code: "smp-cbor" });
  });

  it("is told with whose answer, byte and name, where one value of it cannot be read", async () => {
    const { connection } = await scripted(["0900LLLL00 40XX01 a1637369676261ff"]);
    await expect(ask(connection)).rejects.toMatchObject({
      code: "smp-cbor",
      message: expect.stringMatching(
        /: probe: byte 5 \(sig\): the answer cannot be read; expected a CBOR map .+, got text is not valid UTF-8; [^;]+$/,
      ),
    });
  });

  it("comes in the shape of the version that was asked with", async () => {
    const mcu = (): ReturnType<typeof microcontroller> => microcontroller();
    const two = showStatistics(await connect(mcu()), "none");
    await expect(two).rejects.toMatchObject({ code: "smp-statistics-not-found" });
    const one = showStatistics(await connect(mcu(), { version: 1 }), "none");
    await expect(one).rejects.toMatchObject({ code: "smp-unknown" });
    const away = (await connect(mcu())).ask({ name: "x", operation: "read", group: 99, command: 0 });
    await expect(away).rejects.toMatchObject({ code: "smp-not-supported" });
  });
});

describe("the operating system", () => {
  it("tells its buffers, and messages get as long as they may be", async () => {
    const connection = await connect(microcontroller({ bufferBytes: 600 }));
    expect(connection.maxMessageBytes).toBe(256);
    await expect(learnParameters(connection)).resolves.toEqual({ bufferBytes: 600, bufferCount: 4 });
    expect(connection.maxMessageBytes).toBe(596);
  });

  it("that does not tell them keeps messages short", async () => {
    const connection = await connect(microcontroller({ recovery: true }));
    await expect(learnParameters(connection)).resolves.toBeUndefined();
    expect(connection.maxMessageBytes).toBe(256);
  });

  it("is silent on what does not fit its buffer", async () => {
    const connection = await connect(microcontroller({ bufferBytes: 64 }));
    await expect(echo(connection, "x".repeat(40))).resolves.toHaveLength(40);
    await expect(echo(connection, "x".repeat(60))).rejects.toMatchObject({ code: "smp-timeout" });
  });

  it("says what it is", async () => {
    const connection = await connect(microcontroller());
    await expect(osInfo(connection)).resolves.toContain("Zephyr");
    await expect(osInfo(connection, "?")).rejects.toMatchObject({ code: "smp-os-invalid-format" });
  });

  it("resets once, whether its answer is heard or not, and answers again", async () => {
    const mcu = microcontroller();
    await expect(reset(await connect(mcu))).resolves.toBe(true);
    expect(mcu.boots).toBe(1);
    const deaf = await connect(mcu, { wire: { fromDevice: () => undefined } });
    await expect(reset(deaf)).resolves.toBe(false);
    expect(mcu.boots).toBe(2);
    await expect(awaitAnswer(await connect(mcu))).resolves.toBeUndefined();
    await expect(awaitAnswer(await connect(microcontroller({ recovery: true })))).resolves.toBeUndefined();
    await expect(awaitAnswer(deaf, { attempts: 1 })).rejects.toMatchObject({ code: "smp-timeout" });
  });
});

describe("statistics", () => {
  const statistics = { uart: { rx: 12, overruns: 0 }, energy: { pulses: 2n ** 60n } };

  it("are listed and shown, counters of 64 bits whole", async () => {
    const connection = await connect(microcontroller({ statistics }));
    await expect(listStatistics(connection)).resolves.toEqual(["uart", "energy"]);
    await expect(showStatistics(connection, "uart")).resolves.toEqual(
      new Map(Object.entries(statistics.uart)),
    );
    await expect(showStatistics(connection, "energy")).resolves.toEqual(new Map([["pulses", 2n ** 60n]]));
  });

  it.each([
    ["no list", "0900LLLL00 02XX01 a0", "stat_list"],
    ["a list of numbers", "0900LLLL00 02XX01 a169737461745f6c6973748101", "item 0"],
  ])("that are %s are refused", async (_, answer, where) => {
    const { connection } = await scripted([answer]);
    await expect(listStatistics(connection)).rejects.toMatchObject({
      code: "smp-answer",
      message: expect.stringContaining(where),
    });
  });
});

describe("a group of an application's own", () => {
  it("is answered as any other", async () => {
    const mcu = microcontroller({
      groups: new Map([
        [
          GROUP.application,
          ({ command, fields }) =>
            command === 1 ? smpMap({ sum: [...fields.values()].length }) : { rc: 7, commonRc: 8 },
        ],
      ]),
    });
    const connection = await connect(mcu);
    await expect(connection.ask({ ...PROBE, fields: smpMap({ a: 1, b: 2 }) })).resolves.toEqual(
      new Map([["sum", 2]]),
    );
    await expect(connection.ask({ ...PROBE, command: 2 })).rejects.toMatchObject({ code: "smp-refused" });
  });
});

describe("a simulated microcontroller", () => {
  it("says nothing to what is no message", () => {
    const mcu = microcontroller();
    const good = Buffer.from(encodeConsoleFrame(hex("0800000100010200a0"))).toString("latin1");
    const bad = [
      "hello\n",
      "\n",
      `x${good}`,
      good.replace("A", "B"),
      `\x04\x14AAAA\n`,
      `${"y".repeat(300)}\n`,
    ];
    for (const text of bad) expect([text, shownHex(mcu.receive(latin1(text)))]).toEqual([text, ""]);
    expect(mcu.receive(latin1(good)).length).toBeGreaterThan(40);
  });
});
