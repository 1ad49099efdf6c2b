import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifyImage } from "../../../firmware-bridge/image/verify-image.ts";
import { buildImage, type ImageRecipe, publicKeyOf, SEED, securityCounter, type TlvRecipe } from "./build.ts";
import { problemOf, type Refused } from "./refused.ts";

const PUBLIC_KEY = publicKeyOf(SEED);

function verdict(bytes: Uint8Array, variant: "digest" | "pure" = "digest"): Refused {
  return problemOf(() => verifyImage(bytes, { publicKey: PUBLIC_KEY, variant }));
}

const FULL: ImageRecipe = {
  protectedTlvs: [securityCounter(5), { type: 0xa1, value: Uint8Array.of(1, 2, 3) }],
};

describe.each(["digest", "pure"] as const)("every change of an image, %s", (variant) => {
  const image = buildImage({ ...FULL, variant });

  it("of a single bit is refused, wherever it is", () => {
    expect(verdict(image, variant)).toEqual({ code: "accepted" });
    const accepted: string[] = [];
    for (let bit = 0; bit < image.length * 8; bit++) {
      const changed = image.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (verdict(changed, variant).code === "accepted") accepted.push(`byte ${bit >> 3}, bit ${bit & 7}`);
    }
    expect(accepted).toEqual([]);
  });

  it.each([FULL, {}])("by cutting is refused at every length, %#", (recipe) => {
    const whole = buildImage({ ...recipe, variant });
    const codes = Array.from(whole, (_, length) => verdict(whole.slice(0, length), variant).code);
    expect(new Set(codes)).toEqual(new Set(["image-truncated"]));
  });

  it("by leaving out or doubling a byte is refused everywhere", () => {
    const places = Array.from({ length: image.length }, (_, at) => at);
    const changes = places.flatMap((at) => [
      new Uint8Array([...image.slice(0, at), ...image.slice(at + 1)]),
      new Uint8Array([...image.slice(0, at), ...image.slice(at, at + 1), ...image.slice(at)]),
    ]);
    expect(changes.filter((changed) => verdict(changed, variant).code === "accepted")).toEqual([]);
  });

  it("by noise over a stretch is refused or leaves the bytes as they were", () => {
    fc.assert(
      fc.property(fc.nat(image.length - 1), fc.uint8Array({ minLength: 1, maxLength: 48 }), (at, noise) => {
        const changed = image.slice();
        changed.set(noise.slice(0, image.length - at), at);
        const same = changed.every((byte, i) => byte === image[i]);
        expect(verdict(changed, variant).code === "accepted").toBe(same);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Types around those that mean something, and any others. */
const anyType = fc.oneof(
  fc.constantFrom(0x01, 0x02, 0x10, 0x11, 0x12, 0x24, 0x25, 0x40, 0x50, 0x60, 0x74, 0x75, 0xa0),
  fc.integer({ min: 0, max: 0xffff }),
);
const anyTlv: fc.Arbitrary<TlvRecipe> = fc.record({ type: anyType, value: fc.uint8Array({ maxLength: 12 }) });

/** What the protected area may hold, said once more and in other words than the code's. */
function mayBeProtected(tlvs: readonly TlvRecipe[]): boolean {
  const count = (type: number): number => tlvs.filter((tlv) => tlv.type === type).length;
  const isOutside = [0x01, 0x02, 0x10, 0x11, 0x12, 0x24, 0x25].some((type) => count(type) > 0);
  const isTwice = [0x50, 0x60, 0x74, 0x75].some((type) => count(type) > 1);
  const isShort = tlvs.some(({ type, value }) => type === 0x50 && value.length !== 4);
  const isEmptyAtEnd = tlvs.at(-1)?.value.length === 0;
  return !isOutside && !isTwice && !isShort && !isEmptyAtEnd;
}

describe("TLV areas", () => {
  it("protected: any TLVs that were signed are accepted exactly where their kinds may stand", () => {
    fc.assert(
      fc.property(fc.array(anyTlv, { maxLength: 6 }), (protectedTlvs) => {
        const accepted = verdict(buildImage({ protectedTlvs })).code === "accepted";
        expect(accepted).toBe(mayBeProtected(protectedTlvs));
      }),
      { numRuns: 1000 },
    );
  });

  it("protected: come out as they went in", () => {
    const anyVendor = fc.record({
      type: fc.integer({ min: 0xa0, max: 0xfe }),
      value: fc.uint8Array({ minLength: 1, maxLength: 99 }),
    });
    fc.assert(
      fc.property(fc.array(anyVendor, { maxLength: 20 }), (protectedTlvs) => {
        const image = verifyImage(buildImage({ protectedTlvs }), {
          publicKey: PUBLIC_KEY,
          variant: "digest",
        });
        expect(image.protectedTlvs.map(({ type, value }) => ({ type, value }))).toEqual(protectedTlvs);
      }),
      { numRuns: 200 },
    );
  });

  it("unprotected: nothing can be added, whatever it is and wherever it stands", () => {
    fc.assert(
      fc.property(anyTlv, fc.nat(3), (tlv, at) => {
        const reseal: ImageRecipe["reseal"] = (tlvs) => [...tlvs.slice(0, at), tlv, ...tlvs.slice(at)];
        expect(verdict(buildImage({ reseal })).code).not.toBe("accepted");
      }),
      { numRuns: 1000 },
    );
  });

  it("unprotected: of all orders those are accepted that name the key before the signature", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), (order) => {
        const reseal: ImageRecipe["reseal"] = (tlvs) =>
          order.flatMap((index) => tlvs.slice(index, index + 1));
        const expected = order.indexOf(1) < order.indexOf(2) ? "accepted" : "image-key-order";
        expect(verdict(buildImage({ reseal })).code).toBe(expected);
      }),
      { numRuns: 60 },
    );
  });

  it("of any bytes at all end in an answer, and never in acceptance", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (content, isPure) => {
        const unsigned = buildImage().slice(0, 52);
        const size = content.length + 4;
        const area = [0x07, 0x69, size & 0xff, size >> 8, ...content];
        expect(verdict(new Uint8Array([...unsigned, ...area]), isPure ? "pure" : "digest").code).toMatch(
          /^image-/,
        );
      }),
      { numRuns: 1000 },
    );
  });
});

describe("images of all sizes", () => {
  it("are accepted, and verified at their last byte, too", () => {
    const anySize = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 200_000 }));
    fc.assert(
      fc.property(anySize, fc.nat(600), fc.boolean(), (bodySize, fillerSize, isPure) => {
        const variant = isPure ? "pure" : "digest";
        const body = Uint8Array.from({ length: bodySize }, (_, i) => i & 0xff);
        const image = buildImage({ variant, body, filler: new Uint8Array(fillerSize) });
        const verified = verifyImage(image, { publicKey: PUBLIC_KEY, variant });
        expect([verified.imageSize, verified.sections[0]?.size]).toEqual([bodySize, 32 + fillerSize]);
        const last = 32 + fillerSize + bodySize - 1;
        image[last] = (image[last] ?? 0) ^ 0x80;
        expect(verdict(image, variant).code).toBe("image-digest");
      }),
      { numRuns: 60 },
    );
  });

  it("with an area as large as its size can say", () => {
    const value = new Uint8Array(0xffff - 8);
    expect(verdict(buildImage({ protectedTlvs: [{ type: 0xa0, value }] }))).toEqual({ code: "accepted" });
  });
});
