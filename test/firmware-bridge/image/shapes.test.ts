import { describe, expect, it } from "vitest";
import { verifyImage } from "../../../firmware-bridge/image/verify-image.ts";
import {
  BODY,
  buildImage,
  type ImageRecipe,
  publicKeyOf,
  SEED,
  sealTlvs,
  securityCounter,
  type TlvRecipe,
  u16,
  u32,
} from "./build.ts";
import { problemOf, type Refused } from "./refused.ts";

/**
 * Every malformed shape, signed by the pinned key where it is bent before the signature, so that the shape alone is what is
 * refused. An image of the builder: header 0, body 32, areas from 52; digest at 56, key at 92, signature at 128, end at 196.
 */

const PUBLIC_KEY = publicKeyOf(SEED);
const OTHER_SEED = SEED.map((byte) => byte ^ 0xff);

function verdict(bytes: Uint8Array, variant: "digest" | "pure" = "digest"): Refused {
  return problemOf(() => verifyImage(bytes, { publicKey: PUBLIC_KEY, variant }));
}

function bytes(length: number, fill = 0): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

function vendor(length: number): TlvRecipe {
  return { type: 0xa0, value: bytes(length, 0x5a) };
}

type Reseal = NonNullable<ImageRecipe["reseal"]>;
const without =
  (type: number): Reseal =>
  (tlvs) =>
    tlvs.filter((tlv) => tlv.type !== type);
const withChanged =
  (type: number, change: (tlv: TlvRecipe) => TlvRecipe): Reseal =>
  (tlvs) =>
    tlvs.map((tlv) => (tlv.type === type ? change(tlv) : tlv));
const withMore =
  (...more: readonly TlvRecipe[]): Reseal =>
  (tlvs) => [...tlvs, ...more];
const cut = (tlv: TlvRecipe): TlvRecipe => ({ ...tlv, value: tlv.value.slice(0, -1) });
const flip = (tlv: TlvRecipe): TlvRecipe => ({
  ...tlv,
  value: tlv.value.map((b, i) => (i === 9 ? b ^ 1 : b)),
});

const ourName = (tlv: TlvRecipe): TlvRecipe => ({
  ...tlv,
  value: sealTlvs(bytes(0), {}).find(({ type }) => type === tlv.type)?.value ?? bytes(0),
});

type Case = readonly [name: string, recipe: ImageRecipe, code: string, offset: number];

const HEADER: readonly Case[] = [
  ["the first format's magic", { magic: 0x96f3b83c }, "image-magic", 0],
  ["erased flash", { magic: 0xffff_ffff }, "image-magic", 0],
  ["a header of 31 bytes", { headerSize: 31 }, "image-header-size", 8],
  ["a header of no bytes", { headerSize: 0 }, "image-header-size", 8],
  ["a header that takes the body", { headerSize: 65535 }, "image-truncated", 0],
  ["no body", { body: bytes(0) }, "image-empty", 12],
  ["a body of no size", { saysImageSize: 0 }, "image-empty", 12],
  ["a body that ends far behind the file", { saysImageSize: 0x7fff_ffff }, "image-truncated", 0],
  ["sizes that wrap in 32 bits", { saysImageSize: 0xffff_fff0 }, "image-size", 12],
  [
    "sizes that wrap with the protected area",
    { saysImageSize: 0xffff_ffff - 32, saysProtectedSize: 1 },
    "image-size",
    12,
  ],
  ["sizes that just do not wrap", { saysImageSize: 0xffff_ffff - 32 }, "image-truncated", 0],
  ["AES-128", { flags: 0x04 }, "image-encrypted", 16],
  ["AES-256", { flags: 0x08 }, "image-encrypted", 16],
  ["LZMA1", { flags: 0x200 }, "image-compressed", 16],
  ["LZMA2", { flags: 0x400 }, "image-compressed", 16],
  ["LZMA with the ARM filter", { flags: 0x800 }, "image-compressed", 16],
  ["not bootable", { flags: 0x10 }, "image-not-bootable", 16],
  ["position independent", { flags: 0x01 }, "image-flags", 16],
  ["an unknown flag", { flags: 0x1000 }, "image-flags", 16],
  ["the highest flag", { flags: 0x8000_0000 }, "image-flags", 16],
  ["in RAM and in flash", { flags: 0x120 }, "image-flags", 16],
];

const AREAS: readonly Case[] = [
  ["a body one byte shorter than said", { saysImageSize: 19 }, "image-area-magic", 51],
  ["a body one byte longer than said", { saysImageSize: 21 }, "image-area-magic", 53],
  ["another magic", { unprotectedInfo: { magic: 0x6906 } }, "image-area-magic", 52],
  ["two protected areas", { protectedTlvs: [], unprotectedInfo: { magic: 0x6908 } }, "image-area-magic", 56],
  ["an area smaller than its info", { unprotectedInfo: { size: 3 } }, "image-area-size", 54],
  ["an area of no size", { unprotectedInfo: { size: 0 } }, "image-area-size", 54],
  ["an area longer than the file", { unprotectedInfo: { size: 145 } }, "image-truncated", 52],
  ["an area that ends within a value", { unprotectedInfo: { size: 143 } }, "image-tlv-length", 130],
  ["an area that ends before its last TLV", { unprotectedInfo: { size: 76 } }, "image-trailing", 128],
  ["an area that ends within a TLV's header", { unprotectedInfo: { size: 79 } }, "image-tlv-header", 128],
  ["a body where the area should be", { protectedTlvs: [], saysImageSize: 8 }, "image-protected-missing", 40],
  [
    "a protected area the header does not know",
    { protectedTlvs: [vendor(4)], saysProtectedSize: 0 },
    "image-protected-unannounced",
    52,
  ],
  ["no protected area but a size of it", { saysProtectedSize: 12 }, "image-protected-missing", 52],
  [
    "a protected area smaller than the header says",
    { protectedTlvs: [vendor(4)], saysProtectedSize: 13 },
    "image-protected-size",
    54,
  ],
  [
    "a protected area larger than the header says",
    { protectedTlvs: [vendor(4)], saysProtectedSize: 11 },
    "image-protected-size",
    54,
  ],
  [
    "a protected area that says another size",
    { protectedTlvs: [vendor(4)], saysProtectedSize: 12, protectedInfo: { size: 16 } },
    "image-protected-size",
    54,
  ],
  [
    "a protected area smaller than its info",
    { protectedTlvs: [], saysProtectedSize: 2, protectedInfo: { size: 2 } },
    "image-protected-size",
    54,
  ],
  [
    "a protected area that takes the unprotected one",
    { protectedTlvs: [vendor(4)], saysProtectedSize: 156, protectedInfo: { size: 156 } },
    "image-tlv-length",
    66,
  ],
  ["a byte behind", { trailing: Uint8Array.of(7) }, "image-trailing", 196],
  ["a TLV behind", { trailing: Uint8Array.of(0x10, 0, 0x20, 0) }, "image-trailing", 196],
  ["an erased byte behind", { trailing: bytes(1, 0xff) }, "image-slot-dump", 196],
  ["zeros behind", { trailing: bytes(60) }, "image-slot-dump", 196],
];

const TLVS: readonly Case[] = [
  [
    "a protected TLV that spills into the other area",
    { protectedTlvs: [{ ...vendor(4), length: 5 }] },
    "image-tlv-length",
    58,
  ],
  [
    "a protected TLV of 65535 bytes",
    { protectedTlvs: [vendor(0), { ...vendor(4), length: 65535 }] },
    "image-tlv-length",
    62,
  ],
  [
    "a protected area with three bytes too many",
    { protectedTlvs: [{ ...vendor(7), length: 4 }] },
    "image-tlv-header",
    64,
  ],
  [
    "a digest in the protected area",
    { protectedTlvs: [{ type: 0x10, value: bytes(32) }] },
    "image-tlv-protected",
    56,
  ],
  [
    "a key in it",
    { protectedTlvs: [vendor(0), { type: 0x01, value: bytes(32) }] },
    "image-tlv-protected",
    60,
  ],
  ["a signature in it", { protectedTlvs: [{ type: 0x24, value: bytes(64) }] }, "image-tlv-protected", 56],
  [
    "the pure marker in it",
    { protectedTlvs: [{ type: 0x25, value: bytes(1, 1) }] },
    "image-tlv-protected",
    56,
  ],
  ["an empty TLV at its end", { protectedTlvs: [vendor(0), vendor(0)] }, "image-tlv-empty", 60],
  [
    "two security counters",
    { protectedTlvs: [securityCounter(1), securityCounter(1)] },
    "image-tlv-twice",
    64,
  ],
  [
    "a security counter of three bytes",
    { protectedTlvs: [{ type: 0x50, value: bytes(3) }] },
    "image-security-counter-length",
    58,
  ],
  ["an unprotected security counter", { reseal: withMore(securityCounter(9)) }, "image-tlv-unprotected", 196],
  [
    "an unprotected dependency",
    { reseal: withMore({ type: 0x40, value: bytes(12) }) },
    "image-tlv-unprotected",
    196,
  ],
  ["an unprotected TLV of the maker", { reseal: withMore(vendor(0)) }, "image-tlv-unprotected", 196],
  ["an RSA signature", { reseal: withMore({ type: 0x20, value: bytes(256) }) }, "image-tlv-unprotected", 196],
  ["an encrypted key", { reseal: withMore({ type: 0x33, value: bytes(80) }) }, "image-tlv-unprotected", 196],
  [
    "a type beyond a byte",
    { reseal: withMore({ type: 0x124, value: bytes(64) }) },
    "image-tlv-unprotected",
    196,
  ],
  ["the pure marker", { reseal: withMore({ type: 0x25, value: bytes(1, 1) }) }, "image-variant", 196],
  ["another digest", { reseal: withMore({ type: 0x11, value: bytes(48) }) }, "image-variant", 196],
  ["two digests", { reseal: (tlvs) => [...tlvs, ...tlvs.slice(0, 1)] }, "image-tlv-twice", 196],
  ["two signatures", { reseal: (tlvs) => [...tlvs, ...tlvs.slice(-1)] }, "image-tlv-twice", 196],
  ["a key and its hash", { reseal: withMore({ type: 0x02, value: bytes(44) }) }, "image-tlv-twice", 196],
];

const SEALS: readonly Case[] = [
  ["no digest", { reseal: without(0x10) }, "image-digest-missing", 52],
  ["nothing at all", { reseal: () => [] }, "image-digest-missing", 52],
  ["no signature", { reseal: without(0x24) }, "image-signature-missing", 52],
  ["a short digest", { reseal: withChanged(0x10, cut) }, "image-digest-length", 58],
  ["a short signature", { reseal: withChanged(0x24, cut) }, "image-signature-length", 130],
  [
    "the key behind the signature",
    { reseal: (t) => [t[0], t[2], t[1]].filter((x) => x !== undefined) },
    "image-key-order",
    160,
  ],
  [
    "a hash of no bytes of the key",
    { reseal: withChanged(0x01, (t) => ({ ...t, value: bytes(0) })) },
    "image-key",
    92,
  ],
  ["a short hash of the key", { reseal: withChanged(0x01, cut) }, "image-key", 92],
  ["another key's hash", { reseal: withChanged(0x01, flip) }, "image-key", 92],
  ["another key", { seed: OTHER_SEED }, "image-key", 92],
  ["another key, whole", { seed: OTHER_SEED, keyAs: "whole" }, "image-key", 92],
  ["a key that is not named", { keyAs: "none" }, "image-key-missing", 52],
  [
    "another key under our name",
    { seed: OTHER_SEED, reseal: withChanged(0x01, ourName) },
    "image-signature",
    128,
  ],
  ["another digest", { reseal: withChanged(0x10, flip) }, "image-digest", 56],
  ["another signature", { reseal: withChanged(0x24, flip) }, "image-signature", 128],
];

const PURE: readonly Case[] = [
  ["no marker", { reseal: without(0x25) }, "image-variant", 52],
  [
    "a marker of 0",
    { reseal: withChanged(0x25, (t) => ({ ...t, value: bytes(1) })) },
    "image-pure-marker",
    124,
  ],
  [
    "a marker of 2",
    { reseal: withChanged(0x25, (t) => ({ ...t, value: bytes(1, 2) })) },
    "image-pure-marker",
    124,
  ],
  [
    "an empty marker",
    { reseal: withChanged(0x25, (t) => ({ ...t, value: bytes(0) })) },
    "image-pure-marker",
    124,
  ],
  ["no digest", { reseal: without(0x12) }, "image-digest-missing", 52],
  [
    "a digest of 32 bytes",
    { reseal: withChanged(0x12, (t) => ({ ...t, value: bytes(32) })) },
    "image-digest-length",
    58,
  ],
  ["SHA-256 beside", { reseal: withMore({ type: 0x10, value: bytes(32) }) }, "image-variant", 265],
  ["another digest", { reseal: withChanged(0x12, flip) }, "image-digest", 56],
  ["another signature", { reseal: withChanged(0x24, flip) }, "image-signature", 197],
  ["another key", { seed: OTHER_SEED }, "image-key", 129],
  [
    "SHA-256 of the key",
    { reseal: withChanged(0x01, (t) => ({ ...t, value: bytes(32) })) },
    "image-key",
    129,
  ],
];

describe.each([
  ["header", HEADER],
  ["areas", AREAS],
  ["TLVs", TLVS],
  ["seal", SEALS],
])("what is wrong with the %s", (_, cases) => {
  it.each(cases)("%s", (_name, recipe, code, offset) => {
    expect(verdict(buildImage(recipe))).toEqual({ code, offset });
  });
});

describe("what is wrong with a pure image", () => {
  it.each(PURE)("%s", (_name, recipe, code, offset) => {
    expect(verdict(buildImage({ ...recipe, variant: "pure" }), "pure")).toEqual({ code, offset });
  });

  it("is refused where the signature is over the digest", () => {
    const digestSigned = buildImage();
    const signature = digestSigned.slice(-64);
    const reseal = withChanged(0x24, (tlv) => ({ ...tlv, value: signature }));
    expect(verdict(buildImage({ variant: "pure", reseal }), "pure")).toEqual({
      code: "image-signature",
      offset: 197,
    });
  });
});

describe("slots that were read back", () => {
  const magics = ["77c295f360d2ef7f3552500f2cb67980", "20002de15d29410b8d77679c110f1f8a"];

  it.each(magics)("are told by the trailer %s", (magic) => {
    const trailing = new Uint8Array([...bytes(40, 0xff), 1, ...bytes(7, 0xff), ...Buffer.from(magic, "hex")]);
    expect(verdict(buildImage({ trailing }))).toEqual({ code: "image-slot-dump", offset: 196 });
  });

  it("are an image in front of other bytes where neither is there", () => {
    const trailing = new Uint8Array([...bytes(40, 0xff), ...u32(1), ...u16(2)]);
    expect(verdict(buildImage({ trailing }))).toEqual({ code: "image-trailing", offset: 196 });
  });
});

describe("files that are no image", () => {
  it.each([
    ["nothing", bytes(0), "image-truncated"],
    ["three bytes", Uint8Array.of(0x3d, 0xb8, 0xf3), "image-truncated"],
    ["Intel HEX", new TextEncoder().encode(":020000040000FA\n"), "image-magic"],
    ["ELF", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 1, 1), "image-magic"],
    ["the body alone", BODY, "image-magic"],
    ["a magic alone", u32(0x96f3b83d), "image-truncated"],
  ])("%s", (_, file, code) => {
    expect(verdict(file)).toEqual({ code, offset: 0 });
  });
});
