import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { consoleLines } from "../../../firmware-bridge/simulated/smp-server.ts";
import { ConsoleFramer, encodeConsoleFrame } from "../../../firmware-bridge/smp/console-frame.ts";
import { crc16Xmodem } from "../../../firmware-bridge/smp/crc16.ts";
import { decodeMessage, encodeMessage } from "../../../firmware-bridge/smp/message.ts";
import { bytesOf, hex, latin1, shownHex } from "./kit.ts";

/** Bit by bit, with no table. */
function crcBitwise(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      const out = (crc >> 15) ^ ((byte >> bit) & 1);
      crc = ((crc << 1) & 0xffff) ^ (out === 1 ? 0x1021 : 0);
    }
  }
  return crc;
}

/** The lines of a message, put together otherwise than by the code under test. */
function framed(message: Uint8Array): string {
  const packet = Buffer.concat([Buffer.alloc(2), message, Buffer.alloc(2)]);
  packet.writeUInt16BE(message.length + 2);
  packet.writeUInt16BE(crcBitwise(message), message.length + 2);
  const lines = packet.toString("base64").match(/.{1,124}/g) ?? [];
  return lines.map((line, index) => `${index === 0 ? "\x06\x09" : "\x04\x14"}${line}\n`).join("");
}

/** `+` and a message in hex, `-` and why something was refused. */
function cut(chunks: Iterable<Uint8Array>, framer = new ConsoleFramer()): string[] {
  const found = [...chunks].flatMap((chunk) => [...framer.push(chunk)]);
  return [...found, ...framer.end()].map((one) =>
    one.kind === "telegram" ? `+${shownHex(one.bytes)}` : `-${one.problem.code}`,
  );
}

const whole = (text: string): string[] => cut([latin1(text)]);
const messages = (found: readonly string[]): string[] => found.filter((one) => one.startsWith("+"));

const ECHO = "0a00000900000000a161646568656c6c6f";
const LIST = "0800000100010200a0";

describe("CRC-16/XMODEM", () => {
  it("has its check value", () => {
    expect(crc16Xmodem(latin1("123456789"))).toBe(0x31c3);
  });

  it("is what bit by bit gives", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => crc16Xmodem(bytes) === crcBitwise(bytes)),
    );
  });
});

describe("the lines of a message", () => {
  it.each([
    ["echo", ECHO, "ABMKAAAJAAAAAKFhZGVoZWxsb6J/"],
    ["image list", LIST, "AAsIAAABAAECAKDBYQ=="],
    [
      "image list of mcumgr-cli, apache/mynewt-mcumgr issue 167",
      "0000000100014200a0",
      "AAsAAAABAAFCAKD1Mw==",
    ],
    ["header alone of a device, apache/mynewt-core pull request 198", "0000000000010000", "AAoAAAAAAAEAADcw"],
  ])("are as known: %s", (_, message, base64) => {
    expect(Buffer.from(encodeConsoleFrame(hex(message))).toString("latin1")).toBe(`\x06\x09${base64}\n`);
    expect(whole(`\x06\x09${base64}\n`)).toEqual([`+${message}`]);
  });

  it("are at most 127 bytes each, whatever the length", () => {
    for (let length = 8; length < 400; length += 1) {
      const message = bytesOf(length);
      const text = Buffer.from(encodeConsoleFrame(message)).toString("latin1");
      expect(text).toBe(framed(message));
      expect(Math.max(...text.split("\n").map((line) => line.length + 1))).toBeLessThanOrEqual(127);
      expect(whole(text)).toEqual([`+${shownHex(message)}`]);
    }
  });

  it("are read as Zephyr cuts them, where a CRC is never split", () => {
    for (let length = 0; length < 300; length += 1) {
      const body = bytesOf(length);
      const message = {
        version: 2,
        operation: "readAnswer",
        group: 1,
        sequence: 7,
        command: 0,
        body,
      } as const;
      expect(cut(consoleLines(message))).toEqual([`+${shownHex(encodeMessage(message))}`]);
      expect(decodeMessage(encodeMessage(message))).toEqual(message);
    }
  });
});

describe("the output of a console", () => {
  const long = bytesOf(250);
  const LINES = framed(long).split("\n").slice(0, -1);
  const LOG = "[00:00:01.000,000] \x1b[0m<inf> app: voltage 230 V\r\nuart:~$ ";

  it("is searched through log text before, between and after the lines", () => {
    expect(LINES).toHaveLength(3);
    const text = LINES.map((line) => `${LOG}${line}\n`).join("") + LOG;
    expect(whole(text + framed(hex(ECHO)))).toEqual([`+${shownHex(long)}`, `+${ECHO}`]);
  });

  const [first = "", second = "", third = ""] = LINES;
  it.each<readonly [string, string, readonly string[]]>([
    [
      "log text within a line",
      `${first.slice(0, 40)}${LOG}${first.slice(40)}\n${second}\n${third}\n`,
      ["-smp-frame-text"],
    ],
    ["a line that is missing", `${first}\n${third}\n`, ["-smp-frame-cut"]],
    ["the first line missing", `${second}\n${third}\n`, []],
    ["a line twice", `${first}\n${second}\n${second}\n${third}\n`, ["-smp-frame-length"]],
    ["a line cut short", `${first.slice(0, -3)}\n${second}\n${third}\n`, ["-smp-frame-text"]],
    ["a wrong bit", framed(long).replace(first.slice(50, 51), "*"), ["-smp-frame-text"]],
    ["padding within a line", `\x06\x09AA=sIAAA\n`, ["-smp-frame-text"]],
    ["bits behind the padding", "\x06\x09AAsIAAABAAECAKDBYR==\n", ["-smp-frame-text"]],
    ["a wrong CRC", "\x06\x09AAsIAAABAAECAKDBYA==\n", ["-smp-frame-crc"]],
    ["a length of nothing", "\x06\x09AAIAAA==\n", ["-smp-frame-length"]],
    ["a length beyond all bounds", "\x06\x09//8IAAABAAECAKDBYQ==\n", ["-smp-frame-length"]],
    ["more than it says", "\x06\x09AAkIAAABAAECAKDBYQ==\n", ["-smp-frame-length"]],
    ["a line without an end", `\x06\x09${"A".repeat(6_000)}`, ["-smp-frame-length"]],
    ["an empty line", "\x06\x09\n", ["-smp-frame-text"]],
    ["a marker in a marker", "\x06", []],
  ])("with %s is refused, and what follows is found", (_, text, refused) => {
    expect(whole(text + framed(hex(ECHO)))).toEqual([...refused, `+${ECHO}`]);
  });

  it("that ends within a message is told", () => {
    expect(whole(`${first}\n`)).toEqual(["-smp-frame-cut"]);
  });

  it("gives a message as soon as its last line ends, and keeps to a bound of its own", () => {
    const framer = new ConsoleFramer(9);
    expect(framer.push(latin1(framed(hex(LIST))))).toHaveLength(1);
    expect(cut([latin1(framed(hex(ECHO)))], framer)).toEqual(["-smp-frame-length"]);
  });

  const noise = fc.oneof(
    fc.string({ unit: "binary-ascii", maxLength: 30 }).map(latin1),
    fc.uint8Array({ maxLength: 30 }),
    fc.constantFrom(latin1("\x06\x09"), latin1("\x04\x14AAAA\n"), latin1("\x06\x09AAsI"), latin1(LOG)),
  );
  const message = fc.uint8Array({ minLength: 1, maxLength: 260 });

  it("gives the same whole, in pieces, and byte by byte", () => {
    const parts = fc.array(
      fc.oneof(
        noise,
        message.map((bytes) => latin1(framed(bytes))),
      ),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(parts, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (pieces, sizes) => {
        const bytes = Buffer.concat(pieces);
        const chunks: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        const expected = cut([bytes]);
        expect(cut(chunks)).toEqual(expected);
        expect(cut(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(expected);
      }),
    );
  });

  it("gives every whole message, whatever stands around it", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(noise, message), { maxLength: 5 }), (pairs) => {
        const stream = Buffer.concat(pairs.flatMap(([before, bytes]) => [before, latin1(framed(bytes))]));
        expect(messages(cut([stream]))).toEqual(pairs.map(([, bytes]) => `+${shownHex(bytes)}`));
      }),
    );
  });

  it("gives no message that was not sent, whichever bit is wrong", () => {
    const text = latin1(framed(long));
    for (let bit = 0; bit < text.length * 8; bit += 1) {
      const broken = text.slice();
      broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(messages(cut([broken]))).toEqual([]);
    }
  });
});
