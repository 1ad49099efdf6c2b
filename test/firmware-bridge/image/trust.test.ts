import { Point } from "@noble/ed25519";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../attest/bytes.ts";
import { versionText } from "../../../firmware-bridge/image/header.ts";
import { type ImageTrust, verifyImage } from "../../../firmware-bridge/image/verify-image.ts";
import { buildImage, type ImageRecipe, publicKeyOf, SEED, securityCounter } from "./build.ts";
import { problemOf, type Refused } from "./refused.ts";

const PUBLIC_KEY = publicKeyOf(SEED);
const TRUST = { publicKey: PUBLIC_KEY, variant: "digest" } as const;

function verdict(recipe: ImageRecipe, trust: Partial<ImageTrust> = {}): Refused {
  return problemOf(() => verifyImage(buildImage(recipe), { ...TRUST, ...trust }));
}

/** Our key with a point of order 8 added: some verifiers would take its signatures, others not. */
function mixedOrder(): string {
  return Point.fromBytes(PUBLIC_KEY).add(Point.fromHex(ORDER_8)).toHex();
}

const ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";

describe("the pinned key", () => {
  it.each([
    ["the identity", `01${"00".repeat(31)}`],
    ["order 2", `ec${"ff".repeat(30)}7f`],
    ["order 4", "00".repeat(32)],
    ["order 8", ORDER_8],
    ["a second encoding of the identity", `ee${"ff".repeat(30)}7f`],
    ["mixed order", mixedOrder()],
    ["31 bytes", "11".repeat(31)],
    ["nothing", ""],
  ])("is refused: %s", (_, hex) => {
    expect(verdict({}, { publicKey: new Uint8Array(Buffer.from(hex, "hex")) })).toEqual({
      code: "image-public-key",
    });
  });
});

describe("the signature", () => {
  /** L, the order of the base point, little-endian (RFC 8032, 5.1). */
  const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

  function plusOrder(signature: Uint8Array): Uint8Array {
    const s = signature.slice(32).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n) + ORDER;
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => Number((s >> BigInt(8 * i)) & 0xffn));
    return new Uint8Array([...signature.slice(0, 32), ...bytes]);
  }

  it("is refused with S beyond the order, which lax verifiers accept", () => {
    const reseal: ImageRecipe["reseal"] = (tlvs) =>
      tlvs.map((tlv) => (tlv.type === 0x24 ? { ...tlv, value: plusOrder(tlv.value) } : tlv));
    expect(verdict({ reseal })).toEqual({ code: "image-signature", offset: 128 });
  });

  it("of one image is none for another", () => {
    const first = buildImage({ version: [1, 0, 0, 0] });
    const reseal: ImageRecipe["reseal"] = (tlvs) =>
      tlvs.map((tlv) => (tlv.type === 0x24 ? { ...tlv, value: first.slice(-64) } : tlv));
    expect(verdict({ version: [1, 0, 0, 1], reseal })).toEqual({ code: "image-signature", offset: 128 });
  });
});

describe("the security counter", () => {
  const withCounter = (value: number): ImageRecipe => ({ protectedTlvs: [securityCounter(value)] });

  it.each([
    ["above", 8, 7, { code: "accepted" }],
    ["equal", 7, 7, { code: "accepted" }],
    ["below", 6, 7, { code: "image-security-counter", offset: 56 }],
    ["the greatest", 0xffff_ffff, 0xffff_ffff, { code: "accepted" }],
    ["beyond what 31 bits hold", 0x8000_0000, 0x7fff_ffff, { code: "accepted" }],
    ["zero", 0, 0, { code: "accepted" }],
    ["against a bound that is no number", 5, Number.NaN, { code: "image-security-counter", offset: 56 }],
  ])("%s", (_, counter, least, expected) => {
    expect(verdict(withCounter(counter), { minSecurityCounter: least })).toEqual(expected);
  });

  it("must be there once one is asked for", () => {
    expect(verdict({}, { minSecurityCounter: 0 })).toEqual({
      code: "image-security-counter-missing",
      offset: 52,
    });
    expect(verdict({ protectedTlvs: [] }, { minSecurityCounter: 0 })).toEqual({
      code: "image-security-counter-missing",
      offset: 52,
    });
  });

  it("is compared only after the signature", () => {
    const forged = buildImage(withCounter(1));
    forged[60] = 9; // the counter's own lowest byte
    expect(problemOf(() => verifyImage(forged, { ...TRUST, minSecurityCounter: 5 }))).toMatchObject({
      code: "image-digest",
    });
  });
});

describe("the size", () => {
  it.each([
    [196, "accepted"],
    [195, "image-too-large"],
    [0, "image-too-large"],
    [Number.NaN, "image-too-large"],
  ])("at most %d", (maxBytes, code) => {
    expect(verdict({}, { maxBytes })).toEqual({ code });
  });

  it("is at most 16 MiB unless told", () => {
    const file = new Uint8Array(16 * 1024 * 1024 + 1);
    expect(problemOf(() => verifyImage(file, TRUST))).toEqual({ code: "image-too-large" });
    expect(problemOf(() => verifyImage(file.subarray(1), TRUST))).toEqual({ code: "image-magic", offset: 0 });
  });
});

describe("a verified image", () => {
  const protectedTlvs = [
    securityCounter(3),
    { type: 0x40, value: new Uint8Array(12) },
    { type: 0x40, value: new Uint8Array(12) },
    { type: 0x3f, value: new Uint8Array(0) },
    { type: 0x3f, value: Uint8Array.of(1, 2) },
  ];

  it("tells where everything is, without a hole", () => {
    const { sections } = verifyImage(buildImage({ protectedTlvs, filler: new Uint8Array(480) }), TRUST);
    expect(sections).toEqual([
      { name: "header", offset: 0, size: 512 },
      { name: "body", offset: 512, size: 20 },
      { name: "protected", offset: 532, size: 54 },
      { name: "unprotected", offset: 586, size: 144 },
    ]);
  });

  it("keeps what is signed and not known", () => {
    const image = verifyImage(buildImage({ protectedTlvs }), TRUST);
    expect(image.protectedTlvs.map(({ type, value }) => ({ type, value }))).toEqual(protectedTlvs);
    expect(image.protectedTlvs.map(({ offset }) => offset)).toEqual([56, 64, 80, 96, 100]);
    expect(image.securityCounter).toBe(3);
  });

  it("says nothing that the image does not say", () => {
    const image = verifyImage(buildImage({ keyAs: "whole" }), TRUST);
    expect(image).not.toHaveProperty("securityCounter");
    expect(image).not.toHaveProperty("keyHash");
    expect(image.sections.map(({ name }) => name)).toEqual(["header", "body", "unprotected"]);
  });

  it("has an empty protected area where the signer wrote one", () => {
    expect(verifyImage(buildImage({ protectedTlvs: [] }), TRUST).protectedTlvs).toEqual([]);
  });

  it.each([
    ["0.0.0", [0, 0, 0, 0]],
    ["255.255.65535.4294967295", [255, 255, 65535, 4294967295]],
  ] as const)("names version %s as a server does", (text, version) => {
    expect(versionText(verifyImage(buildImage({ version }), TRUST).version)).toBe(text);
  });

  it.each(["Uint8Array", "Buffer", "a view"])("shares no memory with the bytes handed in: %s", (kind) => {
    const made = buildImage({ protectedTlvs });
    const wide = new Uint8Array(made.length + 2);
    wide.set(made, 1);
    const given = { Uint8Array: made.slice(), Buffer: Buffer.from(made), "a view": wide.subarray(1, -1) }[
      kind
    ];
    const image = verifyImage(given ?? new Uint8Array(0), TRUST);
    const before = JSON.stringify({ ...image, bytes: toHex(image.bytes) });
    given?.fill(0);
    expect(JSON.stringify({ ...image, bytes: toHex(image.bytes) })).toBe(before);
    expect(toHex(image.bytes)).toBe(toHex(made));
  });
});
