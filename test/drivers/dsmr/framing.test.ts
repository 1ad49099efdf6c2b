import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc16Arc } from "../../../drivers/dsmr/checksum.ts";
import { MAX_TELEGRAM_BYTES, P1Framer } from "../../../drivers/dsmr/framing.ts";
import { P1_FAULTS, withFault } from "../../../drivers/simulated/p1-faults.ts";
import { encodeP1Telegram } from "../../../drivers/simulated/p1-telegram.ts";
import { ascii, decodeAll, frame, join, plainTelegram, refusals, STATE, TELEGRAM, text } from "./kit.ts";

const body = (telegram: string): string => telegram.slice(0, telegram.lastIndexOf("!") + 1);

describe("P1 checksum", () => {
  it("has the published check value of CRC-16/ARC", () => {
    expect(crc16Arc(ascii("123456789"))).toBe(0xbb3d);
  });
});

describe("P1 framing", () => {
  it("finds telegrams however the stream is cut and whatever stands between", () => {
    const noise = fc.uint8Array({ maxLength: 400 });
    const clean = decodeAll(TELEGRAM);
    expect(clean).toHaveLength(1);
    fc.assert(
      fc.property(noise, noise, fc.integer({ min: 1, max: 300 }), (before, between, size) => {
        const stream = join(before, TELEGRAM, between, TELEGRAM);
        expect(decodeAll(stream, size)).toEqual([...clean, ...clean]);
        expect(refusals(stream, size)).toEqual(refusals(stream));
      }),
    );
  });

  it("never accepts a telegram with one flipped bit", () => {
    const end = text(TELEGRAM).lastIndexOf("!");
    fc.assert(
      fc.property(fc.integer({ min: 0, max: end }), fc.integer({ min: 0, max: 7 }), (at, bit) => {
        const damaged = TELEGRAM.map((byte, index) => (index === at ? byte ^ (1 << bit) : byte));
        expect(decodeAll(damaged)).toEqual([]);
        expect(decodeAll(join(damaged, TELEGRAM))).toEqual(decodeAll(TELEGRAM));
      }),
    );
  });

  it("refuses a changed digit by its checksum and names both", () => {
    const [outcome] = frame(withFault(TELEGRAM, "wrong-checksum"));
    expect(outcome?.kind === "refused" && outcome.problem.code).toBe("dsmr-checksum");
    expect(outcome?.kind === "refused" && outcome.problem.detail.expected).toMatch(/^[0-9A-F]{4}$/);
  });

  it.each(P1_FAULTS)("finds the next telegram after %s", (fault) => {
    const damaged = withFault(TELEGRAM, fault);
    const good = fault === "noise" ? 2 : 1;
    expect(decodeAll(join(damaged, TELEGRAM), 1)).toHaveLength(good);
  });

  it("accepts a checksum printed without leading zeros", () => {
    const states = Array.from({ length: 600 }, (_, second) => ({ ...STATE, timeMs: second * 1_000 }));
    const telegrams = states.map(encodeP1Telegram).filter((telegram) => /!0/.test(text(telegram)));
    expect(telegrams.length).toBeGreaterThan(0);
    for (const telegram of telegrams) {
      expect(decodeAll(ascii(text(telegram).replace(/!0+/, "!")))).toHaveLength(1);
    }
  });

  it("counts bytes, not characters: an identification line may hold any", () => {
    const odd = body(text(TELEGRAM)).replace("P1-SIM", "P1\x01\x80\xffSIM");
    const checksum = crc16Arc(ascii(odd)).toString(16).toUpperCase().padStart(4, "0");
    expect(decodeAll(ascii(`${odd}${checksum}\r\n`))).toHaveLength(1);
  });

  it("refuses a missing checksum where the telegram names a version that has one", () => {
    expect(refusals(ascii(`${body(text(TELEGRAM))}\r\n`))).toEqual(["dsmr-checksum"]);
  });

  it.each(["!12345\r\n", "!1G34\r\n", "!1234 567890", "!\r\r\n"])("refuses %j as the last line", (line) => {
    const damaged = ascii(body(text(TELEGRAM)).replace(/!$/, line));
    expect(refusals(damaged)).toEqual(["dsmr-checksum"]);
  });

  it("caps a telegram that does not end, and finds the next", () => {
    const endless = ascii(`/ISk5\\2MT382\r\n${"0-0:96.13.0()\r\n".repeat(MAX_TELEGRAM_BYTES / 10)}`);
    expect(refusals(join(endless, TELEGRAM))).toEqual(["dsmr-oversized"]);
    expect(decodeAll(join(endless, TELEGRAM))).toHaveLength(1);
  });

  it("reports a telegram that was cut by the next one", () => {
    expect(refusals(join(withFault(TELEGRAM, "truncated"), TELEGRAM))).toEqual(["dsmr-truncated"]);
  });

  it("takes pure garbage for nothing", () => {
    const garbage = fc.uint8Array({ maxLength: 2_000 });
    fc.assert(
      fc.property(garbage, (bytes) => {
        expect(decodeAll(bytes)).toEqual([]);
      }),
    );
  });

  it("takes a slash within the identification for what it is", () => {
    const odd = body(text(TELEGRAM)).replace("/KWS5\\2P1", "/KWS5/D545");
    const checksum = crc16Arc(ascii(odd)).toString(16).padStart(4, "0");
    const holley = ascii(`${odd}${checksum}\r\n`);
    expect(decodeAll(holley, 1)).toHaveLength(1);
    // Without the end of its first line, the telegram before is no beginning of this one.
    const plain = plainTelegram("1-0:1.8.1(00001.001*kWh)");
    const [outcome, ...more] = frame(join(ascii("/ABC5 lost its end"), plain), 1);
    expect(outcome?.kind === "telegram" && outcome.bytes).toEqual(plain);
    expect(more).toEqual([]);
    // Where no checksum vouches for it, a slash is what was left of two telegrams.
    const torn = plainTelegram("1-0:1.8.1(00001.001*kWh)").map((byte, at) => (at === 8 ? 0x2f : byte));
    expect(refusals(torn)).toEqual(["dsmr-truncated"]);
  });

  it("gives where a telegram stands in the stream", () => {
    const found = frame(join(ascii("noise"), TELEGRAM, TELEGRAM), 7);
    expect(found.map(({ offset }) => offset)).toEqual([5, 5 + TELEGRAM.length]);
  });

  it("refuses what is left when the stream ends", () => {
    const framer = new P1Framer();
    expect(framer.push(join(TELEGRAM, TELEGRAM.subarray(0, 100)))).toHaveLength(1);
    expect(framer.end()).toMatchObject([{ kind: "refused", offset: TELEGRAM.length }]);
    expect(framer.push(TELEGRAM)).toHaveLength(1);
    expect(framer.push(ascii("/KWS5 no line end"))).toEqual([]);
    expect(framer.end()).toEqual([]);
  });
});
