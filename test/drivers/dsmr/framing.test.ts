import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc16Arc } from "../../../drivers/dsmr/checksum.ts";
import { MAX_TELEGRAM_BYTES } from "../../../drivers/dsmr/framing.ts";
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

  it("refuses a missing checksum from a meter that printed one before", () => {
    const plain = plainTelegram("1-0:1.8.1(00001.001*kWh)");
    expect(frame(plain).map((outcome) => outcome.kind)).toEqual(["telegram"]);
    expect(frame(join(TELEGRAM, plain)).map((outcome) => outcome.kind)).toEqual(["telegram", "refused"]);
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

  it("says when a meter encrypts", () => {
    const head = Uint8Array.of(
      0xdb,
      8,
      0x53,
      0x41,
      0x47,
      0x35,
      0,
      6,
      0x6c,
      0xe,
      0x82,
      1,
      0xf2,
      0x30,
      0,
      0,
      1,
    );
    expect(refusals(join(head, Uint8Array.of(0x9a, 0x2f, 0x11), head), 1)).toEqual([
      "dsmr-encrypted",
      "dsmr-encrypted",
    ]);
  });
});
