import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";

/** A small builder of MCUboot images for tests, of its own arithmetic; `imgtool.test.ts` compares it with the real signer. */

export interface TlvRecipe {
  readonly type: number;
  readonly value: Uint8Array;
  /** What the TLV says its length is. */
  readonly length?: number;
}

export interface ImageRecipe {
  readonly variant?: "digest" | "pure";
  readonly body?: Uint8Array;
  readonly magic?: number;
  readonly loadAddress?: number;
  readonly headerSize?: number;
  /** Bytes between the 32 of the header and the body. */
  readonly filler?: Uint8Array;
  /** What the header says, where that differs from what is there. */
  readonly saysImageSize?: number;
  readonly saysProtectedSize?: number;
  readonly flags?: number;
  readonly version?: readonly [major: number, minor: number, revision: number, build: number];
  readonly protectedTlvs?: readonly TlvRecipe[];
  readonly protectedInfo?: AreaInfo;
  readonly unprotectedInfo?: AreaInfo;
  readonly seed?: Uint8Array;
  readonly keyAs?: "hash" | "whole" | "none";
  /** Changes the TLVs of the unprotected area after the signature was made. */
  readonly reseal?: (tlvs: readonly TlvRecipe[]) => readonly TlvRecipe[];
  readonly trailing?: Uint8Array;
}

/** What an area says of itself, where that differs from what is there. */
export interface AreaInfo {
  readonly magic?: number;
  readonly size?: number;
}

export const SEED: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
export const BODY: Uint8Array = Uint8Array.from({ length: 20 }, (_, i) => (i * 7 + 3) & 0xff);

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >>> 8);
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function securityCounter(value: number): TlvRecipe {
  return { type: 0x50, value: u32(value) };
}

function privateKey(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

/** The 44 bytes of SubjectPublicKeyInfo, as OpenSSL writes them. */
export function spkiOf(seed: Uint8Array): Uint8Array {
  return new Uint8Array(createPublicKey(privateKey(seed)).export({ format: "der", type: "spki" }));
}

export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return spkiOf(seed).slice(-32);
}

/** Header, body and protected area: what the signature is about. */
export function signedPart(recipe: ImageRecipe): Uint8Array {
  const body = recipe.body ?? BODY;
  const filler = recipe.filler ?? new Uint8Array(0);
  const tlvs = recipe.protectedTlvs ?? [];
  const isProtected = recipe.protectedTlvs !== undefined;
  const area = isProtected ? buildArea(tlvs, { magic: 0x6908, ...recipe.protectedInfo }) : new Uint8Array(0);
  const [major, minor, revision, build] = recipe.version ?? [1, 2, 3, 4];
  return join(
    u32(recipe.magic ?? 0x96f3b83d),
    u32(recipe.loadAddress ?? 0),
    u16(recipe.headerSize ?? 32 + filler.length),
    u16(recipe.saysProtectedSize ?? area.length),
    u32(recipe.saysImageSize ?? body.length),
    u32(recipe.flags ?? 0),
    Uint8Array.of(major, minor),
    u16(revision),
    u32(build),
    u32(0),
    filler,
    body,
    area,
  );
}

function buildArea(tlvs: readonly TlvRecipe[], info: AreaInfo): Uint8Array {
  const content = join(
    ...tlvs.flatMap(({ type, value, length }) => [u16(type), u16(length ?? value.length), value]),
  );
  return join(u16(info.magic ?? 0x6907), u16(info.size ?? content.length + 4), content);
}

/** The four TLVs at most that seal a signed part, in the order in which the real signer writes them. */
export function sealTlvs(signed: Uint8Array, recipe: ImageRecipe): readonly TlvRecipe[] {
  const isPure = recipe.variant === "pure";
  const hash = (bytes: Uint8Array): Uint8Array =>
    new Uint8Array(
      createHash(isPure ? "sha512" : "sha256")
        .update(bytes)
        .digest(),
    );
  const seed = recipe.seed ?? SEED;
  const signature = sign(null, isPure ? signed : hash(signed), privateKey(seed));
  const keys: Record<"hash" | "whole" | "none", readonly TlvRecipe[]> = {
    hash: [{ type: 0x01, value: hash(spkiOf(seed)) }],
    whole: [{ type: 0x02, value: spkiOf(seed) }],
    none: [],
  };
  return [
    { type: isPure ? 0x12 : 0x10, value: hash(signed) },
    ...(isPure ? [{ type: 0x25, value: Uint8Array.of(1) }] : []),
    ...keys[recipe.keyAs ?? "hash"],
    { type: 0x24, value: new Uint8Array(signature) },
  ];
}

/** A signed image; whatever the recipe bends in the signed part is bent before it is signed. */
export function buildImage(recipe: ImageRecipe = {}): Uint8Array {
  const signed = signedPart(recipe);
  const seal = sealTlvs(signed, recipe);
  const area = buildArea(recipe.reseal?.(seal) ?? seal, recipe.unprotectedInfo ?? {});
  return join(signed, area, recipe.trailing ?? new Uint8Array(0));
}
