import { describe, expect, it } from "vitest";
import { OBJECT_TYPES } from "../../../attest/cose.ts";
import { portableSigner } from "../../../attest/portable.ts";
import { MOST_DRIFT_PPM } from "../../../firmware-bridge/coprocessor/conformance/clock.ts";
import { statement } from "../../../firmware-bridge/coprocessor/conformance/statement.ts";
import * as protocol from "../../../firmware-bridge/coprocessor/protocol.ts";
import { signMessage } from "../../../firmware-bridge/coprocessor/signing.ts";
import { type ShownByChannel, SimulatedCoprocessor } from "../../../firmware-bridge/simulated/coprocessor.ts";
import type { GroupHandler } from "../../../firmware-bridge/simulated/smp-server.ts";
import { encodeSmpMap, type SmpValue, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import {
  DEFAULT_ATTEMPTS,
  DEFAULT_TIMEOUT_MS,
  SmpConnection,
} from "../../../firmware-bridge/smp/connection.ts";
import { ConsoleFramer, MAX_MESSAGE_BYTES } from "../../../firmware-bridge/smp/console-frame.ts";
import { learnParameters } from "../../../firmware-bridge/smp/os-group.ts";
import { closeLater } from "../../kit/close-later.ts";
import { lineTo, microcontroller } from "../smp/kit.ts";
import { bench, driverOf, PLACE, SEED } from "./kit.ts";
import { FLAT, requestBytes, rows } from "./page.ts";

describe("what docs/coprocessor-protocol.md says of limits", () => {
  it("says the limits that are kept", () => {
    expect(FLAT).toContain(`above ${protocol.STALE_AFTER_MS} ms the snapshot is refused`);
    expect(FLAT).toContain(
      `at least ${protocol.LEAST_MESSAGE_BYTES}, at most ${protocol.MOST_MESSAGE_BYTES}`,
    );
    expect(FLAT).toContain(`list of 0 to ${protocol.MAX_CHANNELS} maps`);
    expect(FLAT).toContain(`\`text\` is 1 to ${protocol.MAX_TEXT_BYTES} bytes`);
    expect(FLAT).toContain(`as the host's clock does, to ${MOST_DRIFT_PPM / 10_000} %`);
  });

  it("says how long the longest answers are", () => {
    const text = "x".repeat(64);
    const [describe = "", read = "", others = ""] = ["describe", "read", "key"].map(
      (name) => rows(new RegExp(`^\\*${name}\\*`)).find((row) => row.length === 2)?.[1] ?? "",
    );
    for (const phases of [1, 2, 3])
      for (const channels of [2, 3, 8]) {
        const wanted = { text, phases, channels };
        expect(longestDescription(wanted).length).toBe(saidLength(describe, wanted));
        expect(longestSnapshot(wanted).length).toBe(saidLength(read, wanted));
      }
    const signature = smpMap({ off: 65_535, sig: new Uint8Array(64), boot: WIDE, n: WIDE });
    expect(requestBytes(protocol.SIGN, signature).length).toBe(Number(others));
    const key = smpMap({ alg: -19, pub: new Uint8Array(32), max: 65_535, boot: WIDE, n: WIDE });
    expect(requestBytes(protocol.KEY, key).length).toBeLessThanOrEqual(Number(others));
  });

  it("says what fits into Zephyr's buffers", () => {
    const room = 384 - 4;
    const [one, three] = [
      { text: "ten-bytes-", phases: 3, channels: 1 },
      { text: "ten-bytes-", phases: 1, channels: 3 },
    ];
    expect(longestDescription(one).length).toBeLessThanOrEqual(room);
    expect(longestSnapshot(one).length).toBeLessThanOrEqual(room);
    expect(longestSnapshot(three).length).toBeLessThanOrEqual(room);
    const [, said] = /their \*describe\* takes up to (\d+)/.exec(FLAT) ?? [];
    const [, sum = ""] = rows(/^\*describe\*$/)[0] ?? [];
    expect(Number(said)).toBe(saidLength(sum, three));
    expect(longestDescription(three).length).toBeGreaterThan(room);
  });

  it("says how long messages to the firmware are", async () => {
    const sent = async (bufferBytes: number, answers: boolean): Promise<number> => {
      const coprocessor = new SimulatedCoprocessor({
        ...{ seed: SEED, shown: () => [], monotonicMs: () => 0, maxMessageBytes: 8192 },
      });
      const silent: GroupHandler = () => smpMap({ rc: 8 });
      const groups = new Map([[64, coprocessor.handle], ...(answers ? [] : [[0, silent] as const])]);
      const mcu = microcontroller({ bufferBytes, groups });
      const framer = new ConsoleFramer(8192);
      let longest = 0;
      const line = lineTo((bytes) => {
        for (const framed of framer.push(bytes))
          if (framed.kind === "telegram") longest = Math.max(longest, framed.bytes.length);
        return mcu.receive(bytes);
      });
      const connection = closeLater(await SmpConnection.over(line, { timeoutMs: 500 }));
      await learnParameters(connection);
      const key = portableSigner(SEED).publicKey;
      await signMessage(connection, statement(OBJECT_TYPES.hello, key, 6000));
      return longest;
    };
    // The head of the data has one byte less than is left for it, at some lengths.
    expect(FLAT).toContain("messages to it have at most `buf_size` - 4 bytes");
    for (const bufferBytes of [384, 1024, 2048])
      expect([0, 1]).toContain(bufferBytes - 4 - (await sent(bufferBytes, true)));
    expect(FLAT).toContain(`never more than ${MAX_MESSAGE_BYTES}`);
    expect(await sent(8192, true)).toBe(MAX_MESSAGE_BYTES);
    expect(FLAT).toContain("at most 256, which are 260 in their frame");
    expect([0, 1]).toContain(256 - (await sent(2048, false)));
  });

  it("says how long is waited, and how often is asked", () => {
    expect(FLAT).toContain(
      `waits ${DEFAULT_TIMEOUT_MS / 1000} s for an answer and asks ${DEFAULT_ATTEMPTS} times`,
    );
  });

  it.each([
    ["without off", { len: 64, data: PIECE }, 1],
    ["without data", { len: 64, off: 0 }, 1],
    ["with data of another kind", { len: 64, off: 0, data: "text" }, 1],
    ["that begins without len", { off: 0, data: PIECE }, 1],
    ["that begins with len 0", { len: 0, off: 0, data: PIECE }, 1],
    ["of a message above max", { len: 1025, off: 0, data: PIECE }, 6],
    ["beyond len", { len: 15, off: 0, data: PIECE }, 1],
  ])("refuses a piece %s", (_, fields, rc) => {
    expect(signed(fields)).toMatchObject({ rc });
  });

  it("answers pieces with how much is there", () => {
    expect(signed({ off: 16, data: PIECE })).toEqual(smpMap({ off: 0 }));
    const begun = { len: 64, off: 0, data: PIECE };
    expect(signed(begun)).toEqual(smpMap({ off: 16 }));
    for (const off of [8, 17, 64]) expect(signed(begun, { off, data: PIECE })).toEqual(smpMap({ off: 16 }));
    expect(signed(begun, { off: 16, data: new Uint8Array(0) })).toEqual(smpMap({ off: 16 }));
    expect(signed(begun, { len: 32, off: 0, data: PIECE.subarray(8) })).toEqual(smpMap({ off: 8 }));
    expect(signed(begun, { off: 16, data: PIECE })).toEqual(smpMap({ off: 32 }));
  });

  it("says when power is doubted", async () => {
    expect(FLAT).toContain("above five quarters of the sum of `u` times `a`, and 100 W more");
    // 230 V x 4 A + 231 V x 2 A = 1382 W.
    const doubts = async (activePowerMw: number): Promise<number> => {
      const shown: ShownByChannel = {
        ...{ name: "load", role: "load", activePowerMw },
        ...{ voltageMv: [230_000, 231_000], currentMa: [4_000, 2_000] },
      };
      const place = bench({ shown: () => [shown] });
      const options = driverOf(place).schema.parse({ line: PLACE });
      const meter = closeLater(driverOf(place).open(options));
      await meter.identify();
      if (meter.mode !== "polled") throw new Error("it speaks by itself");
      return (await meter.read()).doubts?.length ?? 0;
    };
    const mostMw = 1_382_000 * 1.25 + 100_000;
    expect(await doubts(-mostMw)).toBe(0);
    expect(await doubts(mostMw + 1)).toBe(1);
  });
});

const PIECE = new Uint8Array(16).fill(0x41);

/** The answer to the last of these pieces, of a coprocessor that signs 1024 bytes. */
function signed(...pieces: readonly Readonly<Record<string, SmpValue>>[]): unknown {
  const { handle } = new SimulatedCoprocessor({ seed: SEED, shown: () => [], monotonicMs: () => 0 });
  const answers = pieces.map((fields) => handle({ operation: "write", command: 3, fields: smpMap(fields) }));
  return answers.at(-1);
}

/** The largest number that takes five bytes, and one that takes nine. */
const WIDE = 2 ** 32 - 1;
const WIDEST = Number.MAX_SAFE_INTEGER;

interface Shape {
  /** Of every text. */
  readonly text: string;
  readonly phases: number;
  readonly channels: number;
}

/** What a sum of the page, such as "42 + `sn` + for each channel 96 + `n`", comes to. */
function saidLength(sum: string, { text, phases, channels }: Shape): number {
  const [once = "", each = ""] = sum.split("for each channel");
  const total = (part: string): number =>
    part
      .split("+")
      .map((term) => term.trim())
      .filter((term) => term !== "")
      .reduce((length, term) => length + termLength(term, { text, phases }), 0);
  return total(once) + channels * total(each);
}

function termLength(term: string, { text, phases }: Pick<Shape, "text" | "phases">): number {
  const perPhase = /^(\d+) for each phase$/.exec(term);
  if (perPhase !== null) return Number(perPhase[1]) * phases;
  // A name has 32 bytes at most.
  if (term === "`n`") return Math.min(32, text.length);
  return term.startsWith("`") ? text.length : Number(term);
}

function listOf<T>(count: number, item: (at: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, at) => item(at));
}

function longestDescription({ text, channels }: Shape): Uint8Array {
  const channel = smpMap({
    ...{ n: text.slice(0, 32), r: 5, q: 15, res: WIDE, roll: WIDEST, maxi: WIDEST, maxe: WIDEST },
    ...{ ct: [WIDE, WIDE], vt: [WIDE, WIDE], cls: text },
  });
  const who = { kw: 1, make: text, model: text, sn: text, fw: text };
  return requestBytes(protocol.DESCRIBE, smpMap({ ...who, ch: listOf(channels, () => channel) }));
}

function longestSnapshot({ text, phases, channels }: Shape): Uint8Array {
  const channel = smpMap({
    ...{ n: text.slice(0, 32), r: 5, i: WIDEST, e: WIDEST, p: -WIDEST, soc: 1_000_000 },
    ...{ u: listOf(phases, () => WIDE), a: listOf(phases, () => WIDE), f: WIDE, st: 3 },
  });
  const moment = { kw: 1, sn: text, boot: WIDE, ms: WIDEST, seq: WIDEST };
  const s = encodeSmpMap(smpMap({ ...moment, ch: listOf(channels, () => channel) }));
  return requestBytes(protocol.READ, smpMap({ s, age: WIDE }));
}
