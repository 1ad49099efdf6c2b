import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { fromHex, toHex } from "../../../attest/bytes.ts";
import { versionText } from "../../../firmware-bridge/image/header.ts";
import { type VerifiedImage, verifyImage } from "../../../firmware-bridge/image/verify-image.ts";
import { buildImage, type ImageRecipe, publicKeyOf, securityCounter } from "./build.ts";
import { problemOf } from "./refused.ts";

/** Images that MCUboot's own signer made: the builder must agree to the byte, the verifier on what they say. */

const expectation = z.strictObject({
  version: z.string(),
  imageSize: z.number(),
  runsFrom: z.string(),
  loadAddress: z.number(),
  securityCounter: z.number().optional(),
  protectedTypes: z.array(z.number()),
  digest: z.string(),
});

const vectors = z
  .strictObject({
    source: z.string(),
    seed: z.string(),
    publicKeyHash: z.string(),
    body: z.string(),
    good: z.array(
      z.strictObject({
        name: z.string(),
        options: z.string(),
        variant: z.enum(["digest", "pure"]),
        expect: expectation,
        image: z.string(),
      }),
    ),
    refused: z.array(
      z.strictObject({
        name: z.string(),
        options: z.string(),
        code: z.string(),
        offset: z.number(),
        image: z.string(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, "imgtool.json"), "utf8")));

const SEED = fromHex(vectors.seed, "seed");
const BODY = fromHex(vectors.body, "body");
const PUBLIC_KEY = publicKeyOf(SEED);

/** The same options in the builder's words. */
const RECIPES: Readonly<Record<string, ImageRecipe>> = {
  digest: {},
  "digest-counter": { protectedTlvs: [securityCounter(7)] },
  "digest-full-key": { keyAs: "whole" },
  "digest-rom-fixed": { flags: 0x100, loadAddress: 0x1_0000 },
  "digest-ram-load": { flags: 0x20, loadAddress: 0x2000_0000 },
  "digest-filler-zero": { filler: new Uint8Array(32) },
  pure: { variant: "pure" },
  "pure-counter": { variant: "pure", protectedTlvs: [securityCounter(0xffff_ffff)] },
  "pure-full-key": { variant: "pure", keyAs: "whole" },
};

function shown(image: VerifiedImage): z.output<typeof expectation> {
  return {
    version: versionText(image.version),
    imageSize: image.imageSize,
    runsFrom: image.runsFrom,
    loadAddress: image.loadAddress,
    ...(image.securityCounter === undefined ? {} : { securityCounter: image.securityCounter }),
    protectedTypes: image.protectedTlvs.map(({ type }) => type),
    digest: toHex(image.digest),
  };
}

describe("images of imgtool", () => {
  it.each(vectors.good)("$name is verified as its options say", ({ image, variant, expect: expected }) => {
    const verified = verifyImage(fromHex(image, "image"), { publicKey: PUBLIC_KEY, variant });
    expect(shown(verified)).toEqual(expected);
  });

  it.each(vectors.good)("$name is no image of the other variant", ({ image, variant }) => {
    const other = variant === "pure" ? "digest" : "pure";
    expect(
      problemOf(() => verifyImage(fromHex(image, "image"), { publicKey: PUBLIC_KEY, variant: other })),
    ).toMatchObject({ code: "image-variant" });
  });

  it.each(vectors.refused)("$name is refused with $code", ({ image, code, offset }) => {
    const trust = { publicKey: PUBLIC_KEY, variant: "digest" } as const;
    expect(problemOf(() => verifyImage(fromHex(image, "image"), trust))).toEqual({ code, offset });
  });

  it("names the key by the hash that imgtool prints for it", () => {
    const image = fromHex(vectors.good[0]?.image ?? "", "image");
    const { keyHash } = verifyImage(image, { publicKey: PUBLIC_KEY, variant: "digest" });
    expect(toHex(keyHash ?? new Uint8Array(0))).toBe(vectors.publicKeyHash);
  });
});

describe("the builder of the tests", () => {
  const same = vectors.good.filter(({ name }) => name in RECIPES);

  it("has a recipe for all but the one with a boot record", () => {
    expect(same.map(({ name }) => name)).toEqual(Object.keys(RECIPES));
    expect(vectors.good.length - same.length).toBe(1);
  });

  it.each(same)("makes $name to the byte as imgtool does", ({ name, image }) => {
    const recipe = RECIPES[name] ?? {};
    expect(toHex(buildImage({ ...recipe, body: BODY, seed: SEED }))).toBe(image);
  });
});
