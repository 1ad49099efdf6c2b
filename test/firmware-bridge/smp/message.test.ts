import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeSmpMap, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { decodeMessage, encodeMessage, type SmpMessage } from "../../../firmware-bridge/smp/message.ts";
import { hex, shownHex } from "./kit.ts";

const ECHO: SmpMessage = {
  ...{ version: 2, operation: "write", group: 0, sequence: 0, command: 0 },
  body: encodeSmpMap(smpMap({ d: "hello" })),
};

describe("a message", () => {
  it("is as the protocol draws it", () => {
    expect(shownHex(encodeMessage(ECHO))).toBe("0a00000900000000a161646568656c6c6f");
    const list = {
      version: 2,
      operation: "read",
      group: 1,
      sequence: 2,
      command: 0,
      body: hex("a0"),
    } as const;
    expect(shownHex(encodeMessage(list))).toBe("0800000100010200a0");
    expect(shownHex(encodeMessage({ ...list, version: 1, sequence: 0x42 }))).toBe("0000000100014200a0");
  });

  it("of a device is read: zephyrproject-rtos/zephyr issue 44219", () => {
    expect(decodeMessage(hex("0300000b00019401 bf6272630063 6f666600ff"))).toEqual({
      ...{ version: 1, operation: "writeAnswer", group: 1, sequence: 0x94, command: 1 },
      body: hex("bf62726300636f666600ff"),
    });
  });

  it.each([
    ["too short", "0800000100010", "length"],
    ["no operation", "0c00000100010200a0", "operation"],
    ["a reserved version", "1000000100010200a0", "version"],
    ["reserved bits", "2800000100010200a0", "version"],
    ["a body that is missing", "0800000100010200", "length"],
    ["a body that is too long", "0800000100010200a0a0", "length"],
  ])("with %s is refused", (_, text, field) => {
    expect(() => decodeMessage(hex(text))).toThrow(
      expect.objectContaining({ code: "smp-header", message: expect.stringContaining(`header: ${field}`) }),
    );
  });

  it("is read as it was written", () => {
    const message = fc.record({
      version: fc.constantFrom(1, 2),
      operation: fc.constantFrom("read", "readAnswer", "write", "writeAnswer"),
      group: fc.nat(0xffff),
      sequence: fc.nat(0xff),
      command: fc.nat(0xff),
      body: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(message, (one) => {
        expect(decodeMessage(encodeMessage(one))).toEqual(one);
      }),
    );
  });
});
