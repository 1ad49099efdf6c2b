import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../attest/bytes.ts";
import { Problem } from "../../../attest/problem.ts";
import { consoleLines, type GroupHandler, SmpServer } from "../../../firmware-bridge/simulated/smp-server.ts";
import { encodeSmpMap, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { SmpConnection, type SmpRequest } from "../../../firmware-bridge/smp/connection.ts";
import { encodeConsoleFrame } from "../../../firmware-bridge/smp/console-frame.ts";
import { crc16Xmodem } from "../../../firmware-bridge/smp/crc16.ts";
import { encodeMessage, type SmpMessage } from "../../../firmware-bridge/smp/message.ts";
import { echo, learnParameters } from "../../../firmware-bridge/smp/os-group.ts";
import { closeLater } from "../../kit/close-later.ts";
import { connect, latin1, lineTo, microcontroller } from "./kit.ts";

const QUICK = { timeoutMs: 15, attempts: 2 };
const PROBE: SmpRequest = { name: "probe", operation: "read", group: 64, command: 63 };
const WRITE: SmpRequest = { ...PROBE, operation: "write" };

/** A microcontroller that answers each request with what is made of it, and says nothing to newlines. */
async function answering(answer: (sent: SmpMessage) => Uint8Array): Promise<SmpConnection> {
  const server = new SmpServer({
    ...{ groups: new Map(), bufferBytes: 1024, indefiniteMaps: false, original: false },
  });
  const line = lineTo((bytes) => concatBytes(...server.receive(bytes).map(answer)));
  return closeLater(await SmpConnection.over(line, QUICK));
}

/** What is said of `request` where its answer is spoilt. */
async function saidOf(
  spoil: (answer: SmpMessage) => Uint8Array,
  request: SmpRequest = PROBE,
): Promise<{ readonly got: string; readonly hint: string; readonly message: string }> {
  const connection = await answering((sent) => spoil(answerTo(sent)));
  const problem: unknown = await connection.ask(request).catch((error: unknown) => error);
  if (!(problem instanceof Problem)) throw new Error("it was answered");
  const { got = "", hint = "" } = problem.detail;
  return { got, hint, message: problem.message };
}

function answerTo(sent: SmpMessage): SmpMessage {
  const operation = sent.operation === "write" ? "writeAnswer" : "readAnswer";
  return { ...sent, operation, body: encodeSmpMap(smpMap({ r: "kilowitness" })) };
}

/** Length, message and CRC as they stand, right or not, in lines of their own. */
function rawFrame(
  message: Uint8Array,
  { length = message.length + 2, crc = crc16Xmodem(message) },
): Uint8Array {
  const packet = Buffer.concat([Buffer.alloc(2), message, Buffer.alloc(2)]);
  packet.writeUInt16BE(length);
  packet.writeUInt16BE(crc, packet.length - 2);
  return latin1(`\x06\x09${packet.toString("base64")}\n`);
}

function swapped(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}

/** CRC-16/CCITT-FALSE: the same polynomial begun with ffff, bit by bit. */
function crcFromOnes(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes)
    for (let bit = 7; bit >= 0; bit -= 1) {
      const out = (crc >> 15) ^ ((byte >> bit) & 1);
      crc = ((crc << 1) & 0xffff) ^ (out === 1 ? 0x1021 : 0);
    }
  return crc;
}

describe("an answer that is built otherwise", () => {
  it.each([
    ["a read", PROBE, "08", "09"],
    ["a write", WRITE, "0a", "0b"],
  ])(
    "is told as one with the operation of a request, and not as an echo: %s",
    async (_, request, is, due) => {
      const { operation } = request;
      const { got, hint } = await saidOf(
        (answer) => encodeConsoleFrame(encodeMessage({ ...answer, operation })),
        request,
      );
      expect(got).toBe(`an answer with the operation of a request, ${is}; expected ${due}`);
      expect(hint).toContain("one more than that of its request");
    },
  );

  it("is told as one to another operation", async () => {
    const { got } = await saidOf((answer) =>
      encodeConsoleFrame(encodeMessage({ ...answer, operation: "writeAnswer" })),
    );
    expect(got).toBe("an answer to another operation, 0b; expected 09");
  });

  it("is told beside what was expected, where the bytes of its group are swapped", async () => {
    const { got, hint } = await saidOf((answer) =>
      encodeConsoleFrame(encodeMessage({ ...answer, group: swapped(answer.group) })),
    );
    const [, is, due] = /^none, but .+: (group .+); expected (group .+)$/.exec(got) ?? [];
    expect(is).toBe("group 16384, command 63, number 1");
    expect(due).toBe("group 64, command 63, number 1");
    expect(hint).toContain("the greater of its two bytes first");
    expect(hint).not.toContain("other programs");
  });

  it("is told with its number and that of the request, where it is that of another request", async () => {
    const { got, hint } = await saidOf((answer) =>
      encodeConsoleFrame(encodeMessage({ ...answer, sequence: answer.sequence + 7 })),
    );
    expect(got).toMatch(/: group 64, command 63, number 8; expected group 64, command 63, number 1$/);
    expect(hint).toContain("it answers later than that, or to another number");
  });

  it.each<[string, (packet: Uint8Array) => number, RegExp]>([
    ["over the length as well", (packet) => crc16Xmodem(packet), /^it was made over the length as well /],
    [
      "begun with ffff",
      (packet) => crcFromOnes(packet.subarray(2)),
      /^it was begun with ffff, and begins with 0 /,
    ],
    [
      "the smaller byte first",
      (packet) => swapped(crc16Xmodem(packet.subarray(2))),
      /^its greater byte comes first /,
    ],
    [
      "of nothing known",
      (packet) => crc16Xmodem(packet.subarray(2)) ^ 1,
      /^check the cable .*CRC-16\/XMODEM/,
    ],
  ])("is told with the CRC that was expected, and over which bytes: %s", async (_, crcOf, words) => {
    const made: (readonly [due: number, is: number])[] = [];
    const { got, hint } = await saidOf((answer) => {
      const message = encodeMessage(answer);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length + 2);
      const crc = crcOf(concatBytes(length, message));
      made.push([crc16Xmodem(message), crc]);
      return rawFrame(message, { crc });
    });
    const [[due, is] = [0, 0]] = made;
    const hex = (value: number): string => `0x${value.toString(16).padStart(4, "0")}`;
    // Eight bytes of header, and {"r": "kilowitness"}.
    expect(got).toContain(
      `expected ${hex(due)}, over its 23 bytes without the length in front of them, got ${hex(is)}`,
    );
    expect(hint).toMatch(words);
    expect(hint).toContain("whoever writes the firmware");
  });

  it("is told to begin a new message in the middle of one, where all of its lines begin alike", async () => {
    const { got, hint, message } = await saidOf((answer) =>
      latin1(
        Buffer.from(encodeConsoleFrame(encodeMessage({ ...answer, body: new Uint8Array(100).fill(0x6d) })))
          .toString("latin1")
          .replaceAll("\x04\x14", "\x06\x09"),
      ),
    );
    expect(got).toContain(
      "a line begins a new message in the middle of one; expected 04 14 and the rest of 110 bytes, got 06 09 behind 91 bytes",
    );
    expect(hint).toContain("all but the first begin with 04 14");
    expect(message).not.toContain("a length that cannot be");
  });

  it.each<[string, (text: string) => string, RegExp, RegExp]>([
    ["ends with 0d 0a", (text) => text.replaceAll("\n", "\r\n"), /got 0x0d$/, /0a alone, without 0d/],
    ["has no end", (text) => text.replaceAll("\n", ""), /got 0x06$/, /a line ends with 0a/],
    [
      "is not filled up",
      (text) => text.replaceAll("=", ""),
      /filled up with =, got "/,
      /fill them up with =/,
    ],
  ])("is told by its line, which %s", async (_, spoil, what, todo) => {
    const { got, hint } = await saidOf((answer) =>
      latin1(
        spoil(
          Buffer.from(encodeConsoleFrame(encodeMessage({ ...answer, body: new Uint8Array(5) }))).toString(
            "latin1",
          ),
        ),
      ),
    );
    expect(got).toMatch(what);
    expect(hint).toMatch(todo);
  });

  it("is told by its length, where that has the smaller byte first or is of other bytes", async () => {
    const little = await saidOf((answer) => {
      const message = encodeMessage(answer);
      return rawFrame(message, { length: swapped(message.length + 2) });
    });
    expect(little.got).toContain("a message of a length that cannot be; expected 3 to 4098 bytes");
    expect(little.hint).toContain("with its greater byte first the length is 25: is it sent so?");
    const short = await saidOf((answer) => {
      const message = encodeMessage(answer);
      return rawFrame(message, { length: message.length });
    });
    expect(short.got).toContain("expected 23 bytes of message and CRC, got 25 bytes");
    expect(short.hint).toContain("that of message and CRC together");
  });

  it("is told by its header, whose length is not that of its body", async () => {
    const { got, hint } = await saidOf((answer) => {
      const message = encodeMessage(answer);
      message[3] = message.length;
      return encodeConsoleFrame(message);
    });
    expect(got).toContain("header: length: not an SMP message; expected 15 bytes of body, got 23");
    expect(hint).toContain("whoever writes the firmware");
  });

  it("says once what to do, and is still said to be echoed where that is what it is", async () => {
    const spoils: ((answer: SmpMessage) => Uint8Array)[] = [
      (answer) => encodeConsoleFrame(encodeMessage({ ...answer, operation: "read" })),
      (answer) => rawFrame(encodeMessage(answer), { crc: 0 }),
      (answer) => rawFrame(encodeMessage(answer), { length: 8 }),
    ];
    for (const spoil of spoils) {
      const { hint, message } = await saidOf(spoil);
      expect(message.split(hint)).toHaveLength(2);
      expect(message.match(/writes the firmware|check the cable/g)?.length ?? 0).toBeLessThanOrEqual(2);
    }
    const echoed = await answering((sent) => encodeConsoleFrame(encodeMessage(sent)));
    await expect(echoed.ask(PROBE)).rejects.toMatchObject({ detail: { got: "what was sent, echoed" } });
  });
});

describe("a request that is longer than all that were answered", () => {
  async function withBuffers(said: number | undefined, bufferBytes: number): Promise<SmpConnection> {
    const handler: GroupHandler = ({ command }) =>
      command !== 6
        ? smpMap({ r: "" })
        : said === undefined
          ? smpMap({ rc: 8 })
          : smpMap({ buf_size: said, buf_count: 1 });
    const server = new SmpServer({
      ...{ groups: new Map([[0, handler]]), bufferBytes, indefiniteMaps: false, original: false },
    });
    const line = lineTo((bytes) =>
      concatBytes(
        ...server.receive(bytes).flatMap((message) => consoleLines(server.answer(message) ?? message)),
      ),
    );
    return closeLater(await SmpConnection.over(line, QUICK));
  }

  const saidAt = (connection: SmpConnection, length: number): Promise<unknown> =>
    echo(connection, "x".repeat(length)).catch((error: unknown) => error);

  it.each([
    [2048, "it says that its buf_size is 2048"],
    [undefined, "it does not say its buf_size, and has to take 256"],
  ])("is told with its length and the buffer that was said: %s", async (said, words) => {
    const connection = await withBuffers(said, 128);
    await learnParameters(connection);
    expect(await saidAt(connection, 100)).toBe("");
    // Eight bytes of header, five of the map around a text of 100 bytes and of 200.
    expect(await saidAt(connection, 200)).toMatchObject({
      code: "smp-timeout",
      detail: {
        got: `none to a message of 213 bytes; the longest that it answered has 113, and ${words}`,
        hint: expect.stringContaining("is a buffer of it shorter?"),
      },
    });
    expect(await saidAt(connection, 100)).toBe("");
  });

  it("is told as silence, where nothing was answered before or something as long", async () => {
    const never = closeLater(
      await SmpConnection.over(
        lineTo(() => new Uint8Array()),
        QUICK,
      ),
    );
    expect(await saidAt(never, 200)).toMatchObject({ detail: { got: "none" } });
    let isSilent = false;
    const wire = { toDevice: (bytes: Uint8Array) => (isSilent ? undefined : bytes) };
    const wired = await connect(microcontroller({ bufferBytes: 1024 }), { ...QUICK, wire });
    expect(await saidAt(wired, 200)).toBe("x".repeat(200));
    isSilent = true;
    expect(await saidAt(wired, 200)).toMatchObject({ detail: { got: "none" } });
  });
});
