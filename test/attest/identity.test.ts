import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { checkNetworkName, leafSalt, logIdOf } from "../../attest/identity.ts";
import * as native from "../../attest/native.ts";
import * as portable from "../../attest/portable.ts";
import { refusalOf } from "./refusal.ts";

const deviceKey = new Uint8Array(32).fill(0x5a);
const network = fc.stringMatching(/^[!-~]{1,64}$/);
const epoch = fc.integer({ min: 1, max: 0xffff_ffff });

describe("log id", () => {
  it("is the hash of tag, network, key and epoch, as its definition has it, with both suites", () => {
    fc.assert(
      fc.property(network, epoch, (name, number) => {
        const defined = createHash("sha256")
          .update(`kilowitness/1 log\0${name}\0`, "latin1")
          .update(deviceKey);
        const bytes = Buffer.alloc(4);
        bytes.writeUInt32BE(number);
        const id = defined.update(bytes).digest("hex");
        const log = { network: name, deviceKey, epoch: number };
        expect(toHex(logIdOf(native.nativeSuite, log))).toBe(id);
        expect(toHex(logIdOf(portable.portableSuite, log))).toBe(id);
      }),
    );
  });

  it("is refused for an epoch that does not fit its four bytes", () => {
    for (const number of [-1, 0, 0.5, 2 ** 32])
      expect(refusalOf(() => logIdOf(native.nativeSuite, { network: "n", deviceKey, epoch: number }))).toBe(
        "bytes-integer",
      );
  });

  it.each(["", "a b", "a\0b", "é", "a\n", "\u007f", "x".repeat(65)])(
    "is refused for the network %j",
    (name) => {
      expect(refusalOf(() => checkNetworkName(name))).toBe("network-name");
      expect(refusalOf(() => logIdOf(native.nativeSuite, { network: name, deviceKey, epoch: 1 }))).toBe(
        "network-name",
      );
    },
  );
});

describe("salt", () => {
  it("is the first half of the HMAC over log id and place, up to the last place there is", () => {
    const saltKey = new Uint8Array(32).fill(1);
    const logId = new Uint8Array(32).fill(2);
    for (const seq of [0, 1, 255, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const place = Buffer.alloc(8);
      place.writeBigUInt64BE(BigInt(seq));
      const whole = createHmac("sha256", saltKey).update(logId).update(place).digest("hex");
      for (const { hmacSha256 } of [native, portable])
        expect(toHex(leafSalt(hmacSha256, { saltKey, logId, seq }))).toBe(whole.slice(0, 32));
    }
  });
});
