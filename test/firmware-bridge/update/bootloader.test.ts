import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { fromHex } from "../../../attest/bytes.ts";
import { verifyImage } from "../../../firmware-bridge/image/verify-image.ts";
import { type BootVariant, bootCheck, HASH_OF } from "../../../firmware-bridge/simulated/bootloader.ts";
import { readImage } from "../../../firmware-bridge/simulated/mcuboot-image.ts";
import { buildImage, publicKeyOf, SEED, securityCounter } from "../image/build.ts";
import { codeOf, microcontroller, seen, update, verified } from "./kit.ts";
import { bytesOf, NEW, OLD, signed } from "./kit-images.ts";

const PUBLIC_KEY = publicKeyOf(SEED);
const VARIANTS: readonly BootVariant[] = ["digest", "pure"];

/** Images of MCUboot's own signer. */
const { good, seed } = z
  .object({
    seed: z.string(),
    good: z.array(
      z.object({
        name: z.string(),
        variant: z.enum(VARIANTS),
        expect: z.object({ version: z.string(), digest: z.string() }),
        image: z.string(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, "../image/imgtool.json"), "utf8")));

/** Behind a header of 32 bytes, a body of 60 and a protected trailer of 12. */
const HIGH_BYTE_OF_TRAILER = 32 + 60 + 12 + 3;

function slotWith(image: Uint8Array): Uint8Array {
  const slot = new Uint8Array(4_096).fill(0xff);
  slot.set(image);
  return slot;
}

describe("the simulated bootloader", () => {
  const keys = [publicKeyOf(fromHex(seed, "seed"))];

  it.each(good)(
    "reads $name of imgtool as imgtool wrote it, and starts it only where its key is named by hash",
    (one) => {
      const slot = slotWith(fromHex(one.image, one.name));
      const hash = fromHex(one.expect.digest, one.name);
      expect(readImage(slot, HASH_OF[one.variant])).toEqual({
        version: one.expect.version,
        hash,
        whole: true,
      });
      const other = one.variant === "pure" ? "digest" : "pure";
      expect(readImage(slot, HASH_OF[other])).toBeUndefined();
      expect(bootCheck({ publicKeys: keys, variant: one.variant })(slot)).toBe(
        !one.name.endsWith("full-key"),
      );
      expect(bootCheck({ publicKeys: keys, variant: other })(slot)).toBe(false);
      expect(
        bootCheck({ publicKeys: [PUBLIC_KEY.map((byte) => byte ^ 1)], variant: one.variant })(slot),
      ).toBe(false);
    },
  );

  it.each(VARIANTS)("starts no %s image of which a byte was changed, nor one that is cut off", (variant) => {
    const image = buildImage({ variant, protectedTlvs: [securityCounter(7)], body: bytesOf(60, 5) });
    const check = bootCheck({ publicKeys: [PUBLIC_KEY], variant });
    const starts = (bytes: Uint8Array): boolean =>
      readImage(slotWith(bytes), HASH_OF[variant])?.whole === true && check(slotWith(bytes));
    expect(starts(image)).toBe(true);
    for (let at = 0; at < image.length; at += 1) {
      // A trailer that says that it is much longer holds the same, and erased flash behind it.
      if (at === HIGH_BYTE_OF_TRAILER) continue;
      const changed = image.map((byte, place) => (place === at ? byte ^ 0x11 : byte));
      expect([at, starts(changed)]).toEqual([at, false]);
    }
    for (let length = 0; length < image.length; length += 1)
      expect([length, starts(image.subarray(0, length))]).toEqual([length, false]);
  });

  it("does not start an image that is stored whole with a bad signature: it erases it, and the old one stays", async () => {
    const forged = signed([1, 1, 0, 0], bytesOf(5_000, 2)).slice();
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    const mcu = microcontroller();
    const image = { ...verified(NEW), bytes: forged };
    expect(await codeOf(update(mcu, { image }))).toBe("update-not-started");
    expect([seen(mcu), mcu.slots.image(1)]).toEqual(["old none", undefined]);
    await expect(update(mcu)).resolves.toMatchObject({ outcome: "confirmed" });
  });

  it("goes back where the new image was not confirmed, and only to one that it may start", () => {
    const mcu = microcontroller();
    mcu.slots.write(1, 0, NEW);
    mcu.slots.setPending("test");
    mcu.restart();
    expect(seen(mcu)).toBe("new revert");
    mcu.slots.write(1, OLD.length - 1, Uint8Array.of((OLD.at(-1) ?? 0) ^ 1));
    mcu.restart();
    expect(seen(mcu)).toBe("new none");
  });
});

describe("an update of the pure variant", () => {
  const pure = (version: readonly [number, number, number, number], seed: number): Uint8Array =>
    buildImage({ variant: "pure", version, body: bytesOf(3_000, seed), protectedTlvs: [securityCounter(3)] });
  const image = verifyImage(pure([1, 1, 0, 0], 2), { publicKey: PUBLIC_KEY, variant: "pure" });
  const running = pure([1, 0, 0, 0], 1);
  const verifies = bootCheck({ publicKeys: [PUBLIC_KEY], variant: "pure" });

  it("is stored, tested, checked and confirmed by its SHA-512", async () => {
    const mcu = microcontroller({ image: running, hash: "sha512", verifies });
    const result = await update(mcu, { image });
    expect(result).toMatchObject({ outcome: "confirmed", before: { version: "1.0.0" } });
    expect(result.running.hash).toHaveLength(64);
    expect(result.running.hash).toEqual(image.digest);
    mcu.restart();
    expect([mcu.slots.image(0)?.version, mcu.slots.swap]).toEqual(["1.1.0", "none"]);
  });

  it("is refused where the firmware is built for SHA-256, and the other way round, before anything is sent", async () => {
    const digest = microcontroller();
    await expect(update(digest, { image, noWayBack: true })).rejects.toMatchObject({
      code: "update-hash-length",
      detail: { expected: "SHA-256, 32 bytes", got: "SHA-512, 64 bytes" },
    });
    expect([seen(digest), digest.slots.flash(1).every((byte) => byte === 0xff)]).toEqual(["old none", true]);
    const built = microcontroller({ image: running, hash: "sha512", verifies });
    await expect(update(built)).rejects.toMatchObject({
      code: "update-hash-length",
      detail: { expected: "SHA-512, 64 bytes", got: "SHA-256, 32 bytes" },
    });
    expect(built.slots.flash(1).every((byte) => byte === 0xff)).toBe(true);
  });
});
