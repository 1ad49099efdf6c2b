import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { dsmrDecoder } from "../../../drivers/dsmr/decoder.ts";
import { MAX_TELEGRAM_BYTES } from "../../../drivers/dsmr/framing.ts";
import { P1Protocol } from "../../../drivers/dsmr/protocol.ts";
import { p1Speaker } from "../../../drivers/simulated/p1-telegram.ts";
import type { TelegramKeys } from "../../../drivers/telegram/decoder.ts";
import type { UnprovenReading } from "../../../drivers/telegram/protocol.ts";
import { ascii, frame, frameOf, join, KEY, plainTelegram, SHOWN, TELEGRAM } from "./kit.ts";

const PLAIN = plainTelegram("1-0:1.8.1(00001.001*kWh)", "1-0:1.7.0(0001.19*kW)", "1-0:2.7.0(0000.00*kW)");
const ENCRYPTED = frameOf(p1Speaker({ key: KEY }));
const LATER = { ...SHOWN, timeMs: SHOWN.timeMs + 10_000 };
const KEYS = { key: KEY };

/** All readings of a stream; throws what is no refusal. */
function readAll(stream: Uint8Array, size = 64, keys: TelegramKeys = {}): UnprovenReading[] {
  const protocol = new P1Protocol({ winterOffsetMinutes: 60, keys });
  return frame(stream, size).flatMap((outcome) => {
    if (outcome.kind === "refused") return [];
    expect(outcome.bytes.length).toBeLessThanOrEqual(MAX_TELEGRAM_BYTES);
    try {
      dsmrDecoder.decode(outcome.bytes, keys);
      return protocol.decode(outcome.bytes).readings;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      expect(error.code).toMatch(/^(dsmr|dlms)-/);
      return [];
    }
  });
}

/** What can happen to a telegram: bytes changed, lost, doubled or put in. */
const damage = fc.array(
  fc.record({
    at: fc.nat(700),
    count: fc.nat(40),
    bytes: fc.uint8Array({ maxLength: 20 }),
  }),
  { minLength: 1, maxLength: 4 },
);

interface Case {
  readonly what: string;
  readonly telegram: Uint8Array;
  /** What comes after the damaged one, and what it says. */
  readonly next: Uint8Array;
  readonly last: UnprovenReading | undefined;
  readonly keys: TelegramKeys;
}

describe("P1 against anything", () => {
  const good = {
    plain: readAll(TELEGRAM)[0],
    encrypted: readAll(ENCRYPTED, 64, KEYS)[0],
    later: readAll(frameOf(p1Speaker({ key: KEY }), LATER), 64, KEYS)[0],
  };

  const cases: readonly Case[] = [
    { what: "a checksum", telegram: TELEGRAM, next: TELEGRAM, last: good.plain, keys: {} },
    {
      ...{ what: "a tag", telegram: ENCRYPTED, keys: KEYS },
      ...{ next: frameOf(p1Speaker({ key: KEY }), LATER), last: good.later },
    },
  ];
  it.each(cases)("gives the true reading or none of a damaged telegram with $what", (one) => {
    const { telegram, next, last, keys } = one;
    const expected = readAll(telegram, 64, keys);
    fc.assert(
      fc.property(damage, (changes) => {
        let bytes: Uint8Array = telegram;
        for (const { at, count, bytes: put } of changes)
          bytes = join(bytes.subarray(0, at), put, bytes.subarray(at + count));
        const found = readAll(join(bytes, next), 64, keys);
        expect(found.at(-1)).toEqual(last);
        for (const reading of found.slice(0, -1)) expect([reading]).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it("survives telegrams whose checksum is right and whose lines are not", () => {
    const line = fc.stringMatching(/^[0-9:.*()A-Za-z -]{0,40}$/);
    const odd = fc.constantFrom("1-0:1.8.0(", "1-0:1.8.1()", "1-0:2.8.1(9*kWh)(", "(((((", "1-0:1.7.0(1*kW)");
    fc.assert(
      fc.property(fc.array(fc.oneof(line, odd), { maxLength: 30 }), (lines) => {
        readAll(plainTelegram(...lines));
      }),
      { numRuns: 200 },
    );
  });

  it("takes an endless line and endless parentheses in its stride", () => {
    const deep = ascii(`/ISk5\\2MT382\r\n\r\n1-0:0.2.0${"(".repeat(7_000)}${")".repeat(7_000)}\r\n!\r\n`);
    expect(readAll(deep)).toEqual([]);
    const pairs = ascii(`/ISk5\\2MT382\r\n\r\n1-0:0.2.0${"()".repeat(7_000)}x\r\n!\r\n`);
    expect(readAll(pairs)).toEqual([]);
    expect(readAll(join(deep, pairs, PLAIN))).toHaveLength(1);
  });

  it("keeps no more than its bound of a stream without end, and finds what comes after", () => {
    const piece = ascii("1-0:1.8.1(00001.001*kWh)\r\n".repeat(400));
    const endless = join(ascii("/ISk5\\2MT382\r\n"), ...Array.from({ length: 40 }, () => piece));
    expect(readAll(join(endless, TELEGRAM), 4_096)).toEqual([good.plain]);
    // Each of these heads begins a frame that the next one cuts off.
    const heads = join(...Array.from({ length: 3_000 }, () => ENCRYPTED.subarray(0, 14)));
    expect(readAll(join(heads, ENCRYPTED), 1_000, KEYS)).toEqual([good.encrypted]);
    const slashes = ascii("/KWS5".repeat(20_000));
    expect(readAll(join(slashes, TELEGRAM), 1_000)).toEqual([good.plain]);
  });
});
