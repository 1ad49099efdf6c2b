import { describe, expect, it } from "vitest";
import { OBJECT_TYPES } from "../../../attest/cose.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { lineSchema } from "../../../drivers/line/address.ts";
import { neighbours, statement } from "../../../firmware-bridge/coprocessor/conformance/statement.ts";
import { CoprocessorLines } from "../../../firmware-bridge/coprocessor/lines.ts";
import { SeenNonces } from "../../../firmware-bridge/coprocessor/nonces.ts";
import { CoprocessorSigner } from "../../../firmware-bridge/coprocessor/signer.ts";
import type { GroupHandler } from "../../../firmware-bridge/simulated/smp-server.ts";
import { closeLater } from "../../kit/close-later.ts";
import { lineTo, microcontroller } from "../smp/kit.ts";
import { signedWith } from "./broken-ed25519.ts";
import { PLACE, QUICK } from "./kit.ts";
import { KEY, plainFirmware } from "./plain-key.ts";

const [ONE = new Uint8Array(0), OTHER = new Uint8Array(0)] = neighbours(KEY);

async function signerOf(group: GroupHandler): Promise<CoprocessorSigner> {
  const mcu = microcontroller({ bufferBytes: 1_024, groups: new Map([[64, group]]) });
  const lines = new CoprocessorLines(() => lineTo((bytes) => mcu.receive(bytes)), QUICK);
  const line = lines.lease(lineSchema.parse(PLACE));
  return closeLater(await CoprocessorSigner.open({ line, suite: nativeSuite, signing: QUICK }));
}

describe("a signer whose coprocessor", () => {
  it("uses one nonce for two messages hands out the first signature, and no other one", async () => {
    const signer = await signerOf(plainFirmware({ sign: signedWith(() => new Uint8Array(0)) }));
    const first = await signer.sign(ONE);
    await expect(signer.sign(OTHER)).rejects.toMatchObject({ code: "signer-nonce" });
    await expect(signer.sign(statement(OBJECT_TYPES.rotation, KEY))).rejects.toMatchObject({
      code: "signer-nonce",
    });
    expect(await signer.sign(ONE)).toEqual(first);
  });

  it("uses a nonce of the beginning of a message is found by statements that begin alike", async () => {
    const sign = signedWith((message) => message.subarray(0, 100));
    const signer = await signerOf(plainFirmware({ sign }));
    await signer.sign(ONE);
    await signer.sign(statement(OBJECT_TYPES.rotation, KEY));
    await expect(signer.sign(OTHER)).rejects.toMatchObject({ code: "signer-nonce" });
  });

  it("is right gets everything signed, one message again and again", async () => {
    const signer = await signerOf(plainFirmware());
    const signatures = [];
    for (const message of [...neighbours(KEY), ...neighbours(KEY)])
      signatures.push(await signer.sign(message));
    expect(new Set(signatures.map((one) => Buffer.from(one).toString("hex"))).size).toBe(
      neighbours(KEY).length,
    );
  });

  it("says another start with its key than with its signatures gives none", async () => {
    const signer = await signerOf(plainFirmware({ boots: { key: 2 } }));
    await expect(signer.sign(ONE)).rejects.toMatchObject({
      code: "signer-refused",
      message: expect.stringContaining("boot: the answer is not as the protocol has it; expected 1"),
    });
  });

  it("was started anew goes on", async () => {
    const boots = { key: 1, sign: 1 };
    const signer = await signerOf(plainFirmware({ boots }));
    await signer.sign(ONE);
    boots.key = boots.sign = 2;
    await signer.sign(OTHER);
  });
});

describe("first halves that were seen", () => {
  it("are forgotten when they are old, and never mistaken", () => {
    const seen = new SeenNonces(nativeSuite);
    const half = (number: number): Uint8Array => {
      const signature = new Uint8Array(64);
      new DataView(signature.buffer).setUint32(0, number);
      return signature;
    };
    for (let number = 0; number < 1_025; number += 1) expect(seen.isFresh(half(number), ONE)).toBe(true);
    expect(seen.isFresh(half(1_024), OTHER)).toBe(false);
    expect(seen.isFresh(half(1_024), ONE)).toBe(true);
    expect(seen.isFresh(half(1), OTHER)).toBe(false);
    expect(seen.isFresh(half(0), OTHER)).toBe(true);
  });

  it("are compared without the second ones", () => {
    const seen = new SeenNonces(nativeSuite);
    expect(seen.isFresh(new Uint8Array(64), ONE)).toBe(true);
    expect(seen.isFresh(new Uint8Array(64).fill(1, 32), OTHER)).toBe(false);
    expect(seen.isFresh(new Uint8Array(64).fill(1, 31), OTHER)).toBe(true);
  });
});
