import { describe, expect, it } from "vitest";
import { speedwireProtocol } from "../../../drivers/speedwire/protocol.ts";
import { codeOf, METER, telegram } from "./kit.ts";

describe("which of several Speedwire meters", () => {
  const at = (serial: number, tickerMs: number): Uint8Array => telegram({ ...METER, serial, tickerMs });
  const [A, B, C] = [1_900_000_001, 1_900_000_002, 1_900_000_003];

  it("is the only one there, once all had time to speak", () => {
    const protocol = speedwireProtocol();
    expect([0, 1_000, 2_000].map((ms) => protocol.decode(at(A, ms)))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(protocol.decode(at(A, 3_000))?.identity?.serial).toBe(String(A));
    expect(protocol.decode(at(A, 4_000))?.identity?.serial).toBe(String(A));
  });

  it("is found across the wrap of its ticker", () => {
    const protocol = speedwireProtocol();
    protocol.decode(at(A, 0xffff_ffff - 1_000));
    expect(protocol.decode(at(A, 1_600))?.identity?.serial).toBe(String(A));
  });

  it("is not guessed where several speak: all of them are named, once", () => {
    const protocol = speedwireProtocol();
    for (const ms of [0, 1_000, 2_000])
      for (const serial of [A, B, C]) expect(protocol.decode(at(serial, ms + serial))).toBeUndefined();
    expect(() => protocol.decode(at(A, 3_000 + A))).toThrow(
      expect.objectContaining({
        code: "speedwire-several",
        message: expect.stringContaining(`got ${A}, ${B}, ${C};`),
      }),
    );
    expect(protocol.finalCodes).toContain("speedwire-several");
    expect([A, B, C].map((serial) => protocol.decode(at(serial, 4_000 + serial)))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    protocol.forget();
    protocol.decode(at(B, 10_000));
    expect(protocol.decode(at(B, 13_000))?.identity?.serial).toBe(String(B));
  });

  it("stays the same when another one comes, which is said once", () => {
    const protocol = speedwireProtocol();
    protocol.decode(at(A, 0));
    protocol.decode(at(A, 3_000));
    expect(codeOf(() => protocol.decode(at(B, 3_500)))).toBe("speedwire-several");
    expect(protocol.decode(at(B, 4_500))).toBeUndefined();
    expect(protocol.decode(at(A, 4_000))?.identity?.serial).toBe(String(A));
  });

  it("is the one with the serial number, at once", () => {
    const protocol = speedwireProtocol({ serial: B });
    expect(protocol.decode(at(A, 0))).toBeUndefined();
    expect(protocol.decode(at(B, 0))?.identity?.serial).toBe(String(B));
    expect(protocol.decode(at(A, 9_000))).toBeUndefined();
  });

  it("is said to be missing where only others speak", () => {
    const protocol = speedwireProtocol({ serial: C });
    protocol.decode(at(A, 0));
    protocol.decode(at(B, 0));
    expect(() => protocol.decode(at(A, 3_000))).toThrow(
      expect.objectContaining({ code: "speedwire-serial", message: expect.stringContaining(`${A}, ${B}`) }),
    );
    expect(protocol.decode(at(A, 4_000))).toBeUndefined();
    expect(protocol.decode(at(C, 0))?.identity?.serial).toBe(String(C));
  });

  it("is not another one without a word: who speaks in its place is named", () => {
    const protocol = speedwireProtocol();
    protocol.decode(at(A, 0));
    protocol.decode(at(A, 3_000));
    expect(protocol.whyNone?.()).toBeUndefined();
    codeOf(() => protocol.decode(at(B, 0)));
    for (let ms = 1_000; ms < 60_000; ms += 1_000) expect(protocol.decode(at(B, ms))).toBeUndefined();
    expect(protocol.whyNone?.()).toMatchObject({
      code: "driver-identity-changed",
      detail: { expected: String(A), got: String(B) },
    });
    protocol.decode(at(A, 60_000));
    expect(protocol.whyNone?.()).toBeUndefined();
  });

  it("is said to be missing again where the one with the serial number fell silent", () => {
    const protocol = speedwireProtocol({ serial: A });
    protocol.decode(at(A, 0));
    protocol.decode(at(B, 0));
    protocol.decode(at(C, 0));
    expect(protocol.whyNone?.()).toMatchObject({
      code: "speedwire-serial",
      detail: { expected: String(A), got: `${B}, ${C}` },
    });
  });

  it("is never the other one of two that were heard side by side, also by the next driver", () => {
    const sideBySide = new Set<number>();
    const first = speedwireProtocol({ sideBySide });
    first.decode(at(A, 0));
    first.decode(at(A, 3_000));
    codeOf(() => first.decode(at(B, 0)));
    first.decode(at(A, 4_000));
    const second = speedwireProtocol({ sideBySide });
    second.decode(at(B, 10_000));
    expect(() => second.decode(at(B, 13_000))).toThrow(
      expect.objectContaining({ code: "speedwire-several", message: expect.stringContaining(String(A)) }),
    );
    expect(second.decode(at(B, 20_000))).toBeUndefined();
    const named = speedwireProtocol({ sideBySide, serial: B });
    expect(named.decode(at(B, 21_000))?.identity?.serial).toBe(String(B));
  });

  it("is the new one where the old one never spoke beside it", () => {
    const sideBySide = new Set<number>();
    const first = speedwireProtocol({ sideBySide });
    first.decode(at(A, 0));
    first.decode(at(A, 3_000));
    codeOf(() => first.decode(at(B, 0)));
    const second = speedwireProtocol({ sideBySide });
    second.decode(at(B, 10_000));
    expect(second.decode(at(B, 13_000))?.identity?.serial).toBe(String(B));
  });

  it("is found where its ticker stands still", () => {
    const protocol = speedwireProtocol();
    const found = Array.from({ length: 20 }, () => protocol.decode(at(A, 5)));
    expect(found.slice(0, -1).every((one) => one === undefined)).toBe(true);
    expect(found.at(-1)?.identity?.serial).toBe(String(A));
  });

  it("remembers no more serial numbers than a network can have", () => {
    const protocol = speedwireProtocol({ serial: A });
    for (let other = 1; other < 2_000; other += 1) {
      const speaks = (): unknown => protocol.decode(at(B + other, other));
      expect(["none", "speedwire-serial"]).toContain(codeOf(speaks));
    }
    expect(protocol.decode(at(A, 0))?.identity?.serial).toBe(String(A));
  });
});

describe("the order of Speedwire telegrams", () => {
  const protocolWith = () => speedwireProtocol({ serial: METER.serial });
  const at = (tickerMs: number, power = 0): Uint8Array =>
    telegram({ ...METER, tickerMs, values: { ...METER.values, "1.4": power } });

  it("drops the same one that came by another interface", () => {
    const protocol = protocolWith();
    expect(protocol.decode(at(1_000))).toBeDefined();
    expect(protocol.decode(at(1_000))).toBeUndefined();
    expect(protocol.decode(at(1_000, 7))).toBeDefined();
  });

  it("drops one that another overtook, also around the wrap", () => {
    const protocol = protocolWith();
    protocol.decode(at(500));
    expect(protocol.decode(at(0xffff_ffff))).toBeUndefined();
    expect(protocol.decode(at(499))).toBeUndefined();
    expect(protocol.decode(at(501))).toBeDefined();
  });

  it("goes on with a meter that began to count anew", () => {
    const protocol = protocolWith();
    protocol.decode(at(86_400_000));
    expect(protocol.decode(at(3_000))).toBeDefined();
  });
});
