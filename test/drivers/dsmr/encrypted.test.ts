import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { P1Framer } from "../../../drivers/dsmr/framing.ts";
import { P1Protocol } from "../../../drivers/dsmr/protocol.ts";
import {
  encipherP1Telegram,
  encodeP1Telegram,
  type P1Ciphering,
  p1Speaker,
} from "../../../drivers/simulated/p1-telegram.ts";
import type { TelegramKeys } from "../../../drivers/telegram/decoder.ts";
import type { MeterTelegram } from "../../../drivers/telegram/protocol.ts";
import {
  AUTHENTICATION_KEY,
  ascii,
  codeOf,
  frame,
  frameOf,
  join,
  KEY,
  plainTelegram,
  refusals,
  SHOWN,
  TELEGRAM,
} from "./kit.ts";

const LUXEMBOURG = Buffer.from("00112233445566778899AABBCCDDEEFF", "hex");
const CIPHERING: P1Ciphering = {
  key: KEY,
  authenticationKey: LUXEMBOURG,
  systemTitle: ascii("KWS12345"),
  frameCounter: 7,
};
const FRAME = encipherP1Telegram(TELEGRAM, CIPHERING);

function open(bytes: Uint8Array, keys: TelegramKeys = { key: KEY }): MeterTelegram {
  return new P1Protocol({ winterOffsetMinutes: 60, keys }).decode(bytes);
}

/** Readings of a stream in chunks of `size` bytes. */
function readings(stream: Uint8Array, size: number, keys: TelegramKeys = { key: KEY }): readonly unknown[] {
  const protocol = new P1Protocol({ winterOffsetMinutes: 60, keys });
  return frame(stream, size).flatMap((outcome) => {
    try {
      return outcome.kind === "telegram" ? protocol.decode(outcome.bytes).readings : [];
    } catch {
      return [];
    }
  });
}

function withCounter(frameCounter: number): Uint8Array {
  return encipherP1Telegram(TELEGRAM, { ...CIPHERING, frameCounter });
}

describe("an encrypted P1 telegram", () => {
  it("is enciphered byte for byte as another implementation does it", ({ skip }) => {
    // github.com/esphome-libs/dsmr_parser @ a200271, tests/test_data: made with python's dlms_cosem from this telegram.
    const path = "../shared/corpora/dsmr-p1/TELEGRAM_SAGEMCOM_T210_D_R.txt";
    if (!existsSync(path)) skip(`no capture at ${path}`);
    const made = encipherP1Telegram(new Uint8Array(readFileSync(path)), {
      key: new Uint8Array(16).fill(0xaa),
      authenticationKey: LUXEMBOURG,
      systemTitle: ascii("SYSTEMID"),
      frameCounter: 0x10000001,
    });
    expect(createHash("sha256").update(made).digest("hex")).toBe(
      "2981a757c6d7fadcbbd6c709345a7223ea39052976cbca4ec11d5c3f997672dc",
    );
    const { readings } = open(made, { key: new Uint8Array(16).fill(0xaa) });
    expect(readings).toMatchObject([{ importMwh: 6_545_766_000, exportMwh: 58_000, activePowerMw: 286_000 }]);
  });

  it("reads as the plain one does, and leaves the plain one as evidence", () => {
    const plain = open(TELEGRAM, {});
    expect(open(FRAME)).toEqual({ ...plain, evidence: TELEGRAM });
    expect(plain).not.toHaveProperty("evidence");
    // The public authentication key need not be configured.
    expect(open(FRAME, { key: KEY, authenticationKey: LUXEMBOURG })).toEqual(open(FRAME));
  });

  it("is read with an authentication key of its own, and without it by its checksum alone", () => {
    const own = encipherP1Telegram(TELEGRAM, { ...CIPHERING, authenticationKey: AUTHENTICATION_KEY });
    const verified = open(own, { key: KEY, authenticationKey: AUTHENTICATION_KEY });
    expect(verified.readings).toEqual(open(TELEGRAM, {}).readings);
    expect(open(own)).toEqual(verified);
    expect(codeOf(() => open(own, { key: KEY, authenticationKey: KEY }))).toBe("dsmr-key");
    const old = encipherP1Telegram(plainTelegram("1-0:1.8.1(00001.001*kWh)"), {
      ...CIPHERING,
      authenticationKey: AUTHENTICATION_KEY,
    });
    expect(codeOf(() => open(old))).toBe("dsmr-key");
    expect(open(old, { key: KEY, authenticationKey: AUTHENTICATION_KEY }).readings).toHaveLength(1);
  });

  it("wants a key, and the right one, and says neither of them", () => {
    const wrong = new Uint8Array(16).fill(0x77);
    expect(codeOf(() => open(FRAME, {}))).toBe("dsmr-encrypted");
    expect(codeOf(() => open(FRAME, { key: wrong }))).toBe("dsmr-key");
    expect(() => open(FRAME, { key: wrong })).toThrow(/keyFile/);
    expect(() => open(FRAME, { key: wrong })).not.toThrow(/77777777/);
  });

  it("with any bit changed gives no reading", () => {
    for (let bit = 0; bit < FRAME.length * 8; bit += 1) {
      const damaged = FRAME.map((byte, at) => (at === bit >>> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(readings(damaged, damaged.length, { key: KEY, authenticationKey: LUXEMBOURG })).toEqual([]);
    }
    const text = FRAME.map((byte, at) => (at === 201 ? byte ^ 1 : byte));
    expect(codeOf(() => open(text, { key: KEY, authenticationKey: LUXEMBOURG }))).toBe("dsmr-key");
    // Where the tag was never verified, the checksum within shows the change.
    expect(codeOf(() => open(text))).toBe("dsmr-checksum");
  });

  it("is not read by its checksum alone once a tag of the meter fitted", () => {
    const otherTag = FRAME.map((byte, at) => (at === FRAME.length - 1 ? byte ^ 1 : byte));
    expect(open(otherTag).readings).toHaveLength(1);
    const protocol = new P1Protocol({ winterOffsetMinutes: 60, keys: { key: KEY } });
    protocol.decode(withCounter(6));
    expect(codeOf(() => protocol.decode(otherTag))).toBe("dsmr-key");
    expect(protocol.decode(FRAME).readings).toHaveLength(1);
  });

  it("is the only one that is read where a key is configured", () => {
    expect(codeOf(() => open(TELEGRAM))).toBe("dsmr-unencrypted");
    expect(readings(join(TELEGRAM, FRAME, TELEGRAM), 13)).toEqual(open(FRAME).readings);
  });

  it("names the meter by its system title where the telegram does not", () => {
    const anonymous = encipherP1Telegram(
      plainTelegram("1-0:1.8.1(00001.001*kWh)", "1-0:1.7.0(0001.01*kW)"),
      CIPHERING,
    );
    expect(open(anonymous).identity?.serial).toBe(Buffer.from("KWS12345").toString("hex").toUpperCase());
    expect(open(FRAME).identity?.serial).toBe("E0044007882246019");
  });

  it("is refused when it comes again, and when its counter goes back", () => {
    const protocol = new P1Protocol({ winterOffsetMinutes: 60, keys: { key: KEY } });
    expect(protocol.decode(withCounter(7)).readings).toHaveLength(1);
    expect(codeOf(() => protocol.decode(withCounter(7)))).toBe("dsmr-replay");
    expect(codeOf(() => protocol.decode(withCounter(6)))).toBe("dsmr-replay");
    // A changed telegram moves no counter.
    const forged = withCounter(1_000).map((byte, at) => (at === 100 ? byte ^ 1 : byte));
    expect(codeOf(() => protocol.decode(forged))).toBe("dsmr-key");
    protocol.forget();
    expect(codeOf(() => protocol.decode(withCounter(7)))).toBe("dsmr-replay");
    expect(protocol.decode(withCounter(8)).readings).toHaveLength(1);
    const other = encipherP1Telegram(TELEGRAM, { ...CIPHERING, systemTitle: ascii("KWS99999") });
    expect(protocol.decode(other).readings).toHaveLength(1);
  });
});

describe("encrypted P1 framing", () => {
  const stream = join(...[1, 2, 3].map(withCounter));
  const three = readings(stream, stream.length);

  it("cuts frames by their length, however they come and whatever stands between", () => {
    expect(three).toHaveLength(3);
    const noise = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(noise, noise, fc.integer({ min: 1, max: 700 }), (before, between, size) => {
        const disturbed = join(before, withCounter(1), between, withCounter(2), between, withCounter(3));
        expect(readings(disturbed, size)).toEqual(three);
        expect(refusals(disturbed, size)).toEqual(refusals(disturbed));
      }),
    );
  });

  it("loses no other frame where bytes of one are lost", () => {
    for (let lost = 1; lost < FRAME.length; lost += 7) {
      const from = (lost * 31) % (FRAME.length - lost);
      const short = join(FRAME.subarray(0, from), FRAME.subarray(from + lost));
      expect(readings(join(short, withCounter(8), withCounter(9)), 64).length, `${lost}`).toBe(2);
    }
  });

  it("finds the next frame after a length that was changed", () => {
    const longer = FRAME.map((byte, at) => (at === 11 ? byte | 0x20 : byte));
    expect(refusals(join(longer, stream), 1)).toEqual(["dsmr-truncated"]);
    expect(readings(join(longer, stream), 1)).toEqual(three);
    const endless = FRAME.map((byte, at) => (at === 11 ? 0xff : byte));
    expect(refusals(join(endless, stream))).toEqual(["dsmr-length"]);
    expect(readings(join(endless, stream), 64)).toEqual(three);
    const none = FRAME.map((byte, at) => (at === 11 || at === 12 ? 0 : byte));
    expect(refusals(join(none, stream))).toEqual(["dsmr-length"]);
    expect(readings(join(none, stream), 64)).toEqual(three);
  });

  it("refuses what is left when the stream ends", () => {
    const framer = new P1Framer();
    framer.push(FRAME.subarray(0, 100));
    expect(framer.end()).toMatchObject([{ kind: "refused", problem: { code: "dsmr-truncated" } }]);
    framer.push(FRAME.subarray(0, 10));
    expect(framer.end()).toEqual([]);
  });
});

describe("a simulated meter that encrypts", () => {
  it("never uses a counter twice, and shows what it is told", () => {
    const speaker = p1Speaker({ key: KEY, authenticationKey: AUTHENTICATION_KEY });
    const keys = { key: KEY, authenticationKey: AUTHENTICATION_KEY };
    const protocol = new P1Protocol({ winterOffsetMinutes: 60, keys });
    for (const timeMs of [SHOWN.timeMs, SHOWN.timeMs, SHOWN.timeMs - 60_000, SHOWN.timeMs + 1_000]) {
      const { evidence } = protocol.decode(frameOf(speaker, { ...SHOWN, timeMs }));
      expect(evidence).toEqual(encodeP1Telegram({ ...SHOWN, timeMs }));
    }
  });

  it("can be told to change a telegram and leave its tag", () => {
    const speaker = p1Speaker({ key: KEY });
    const good = frameOf(speaker);
    const changed = speaker.withWrongChecksum(good) ?? good;
    expect(changed).toHaveLength(good.length);
    expect(codeOf(() => open(changed))).toBe("dsmr-checksum");
    const plain = frameOf(p1Speaker());
    expect(plain).toEqual(encodeP1Telegram(SHOWN));
    expect(codeOf(() => open(p1Speaker().withWrongChecksum(plain) ?? plain, {}))).toBe("dsmr-checksum");
  });
});
