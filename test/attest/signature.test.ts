import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { asciiBytes, fromHex, toHex } from "../../attest/bytes.ts";
import * as native from "../../attest/native.ts";
import * as portable from "../../attest/portable.ts";
import { Problem } from "../../attest/problem.ts";
import { requireSame, requireVerified } from "../../attest/signature.ts";
import { describeVectors, readVectors, reportCount } from "../kit/vectors.ts";
import { accepts, flip, oneVerdict, suites, type Triple } from "./signature-kit.ts";

const hex = z.string().transform((text) => fromHex(text, "vector"));

const profileFile = z.object({
  vectors: z.array(
    z.object({
      src: z.string(),
      pk: hex,
      msg: hex,
      sig: hex,
      keyOk: z.boolean(),
      profileS: z.boolean(),
      zip215: z.boolean(),
    }),
  ),
});

/** Verdicts of the collation, to look up the cases whose own files give none. */
function readCollation(): Map<string, boolean> {
  const { vectors } = readVectors("ed25519-profile-vectors.json", profileFile);
  return new Map(
    vectors.map(({ pk, msg, sig, profileS }) => [name({ key: pk, message: msg, signature: sig }), profileS]),
  );
}

function name({ key, message, signature }: Triple): string {
  return `${toHex(key)} ${toHex(message)} ${toHex(signature)}`;
}

describeVectors("profile S on public vectors", () => {
  it.each(suites)("gives the collated verdicts: %s", (title, suite) => {
    const { vectors } = readVectors("ed25519-profile-vectors.json", profileFile);
    for (const { src, pk, msg, sig, keyOk, profileS } of vectors) {
      expect(suite.checkPublicKey(pk), `key of ${src}`).toBe(keyOk);
      expect(accepts(suite, { key: pk, message: msg, signature: sig }), src).toBe(profileS);
    }
    expect(vectors.length).toBe(1282);
    expect(vectors.filter((vector) => vector.profileS && !vector.zip215)).toEqual([]);
    reportCount(`profile S, ${title}`, vectors.length);
  });

  it("gives one verdict on each signature, also under keys that would be refused", () => {
    const { vectors } = readVectors("ed25519-profile-vectors.json", profileFile);
    const valid = vectors.filter(({ pk, msg, sig }) => oneVerdict({ key: pk, message: msg, signature: sig }));
    reportCount(`signature alone, both suites: ${valid.length} accepted of`, vectors.length);
  });

  it.each(suites)("agrees with Wycheproof: %s", (title, suite) => {
    const test = z.object({ tcId: z.number(), msg: hex, sig: hex, result: z.enum(["valid", "invalid"]) });
    const group = z.object({ publicKey: z.object({ pk: hex }), tests: z.array(test) });
    const file = z.object({ numberOfTests: z.number(), testGroups: z.array(group) });
    const { numberOfTests, testGroups } = readVectors("wycheproof/ed25519_test.json", file);
    let count = 0;
    for (const { publicKey, tests } of testGroups) {
      for (const { tcId, msg, sig, result } of tests) {
        const verdict = accepts(suite, { key: publicKey.pk, message: msg, signature: sig });
        expect(verdict, `tcId ${tcId}`).toBe(result === "valid");
        count++;
      }
    }
    expect(count).toBe(numberOfTests);
    reportCount(`Wycheproof, ${title}`, count);
  });
});

describeVectors("profile S on vectors that carry no verdict of ours", () => {
  function agreeOn(triples: readonly Triple[]): number {
    const collation = readCollation();
    for (const triple of triples) {
      oneVerdict(triple);
      const expected = collation.get(name(triple));
      for (const [title, suite] of suites) expect(accepts(suite, triple), title).toBe(expected);
    }
    return triples.length;
  }

  it("speccheck: only a mixed-order key, which the key check refuses, passes the signature's rules", () => {
    const shape = z.array(z.object({ message: hex, pub_key: hex, signature: hex }));
    const cases = readVectors("speccheck/cases.json", shape).map(({ message, pub_key, signature }) => ({
      key: pub_key,
      message,
      signature,
    }));
    reportCount("speccheck", agreeOn(cases));
    const alone = cases.map((triple) => (oneVerdict(triple) ? "V" : "x")).join("");
    expect(alone).toBe("xxxVxxxxxxxx");
    expect(cases.length).toBe(12);
  });

  it("CCTV: every edge case of points", () => {
    const shape = z.array(
      z.object({ key: hex, sig: hex, msg: z.string(), flags: z.array(z.string()).nullable() }),
    );
    const cases = readVectors("cctv/ed25519vectors.json", shape).map(({ key, sig, msg }) => ({
      key,
      message: asciiBytes(msg, "msg"),
      signature: sig,
    }));
    reportCount("CCTV", agreeOn(cases));
    expect(cases.length).toBe(914);
  });

  it("ZIP215: none is accepted, since every key has a small order", () => {
    const shape = z.array(z.object({ vk_bytes: hex, sig_bytes: hex, valid_zip215: z.boolean() }));
    const cases = readVectors("noble/zip215.json", shape).map(({ vk_bytes, sig_bytes }) => ({
      key: vk_bytes,
      message: asciiBytes("Zcash", "msg"),
      signature: sig_bytes,
    }));
    reportCount("ZIP215", agreeOn(cases));
    expect(cases.filter((triple) => accepts(portable.portableSuite, triple))).toEqual([]);
    expect(cases.length).toBe(196);
  });
});

const signers = [
  ["portable", portable.portableSigner],
  ["native", native.nativeSigner],
  ["busy", native.nativeBusySigner],
] as const;

describe.each(signers)("%s signer", (title, signerOf) => {
  it("refuses a seed of another length", () => {
    for (const length of [0, 31, 33, 64]) {
      expect(() => signerOf(new Uint8Array(length))).toThrow(
        expect.objectContaining({ code: "signer-seed" }),
      );
    }
  });

  it("does not change when the caller wipes the seed", () => {
    const seed = new Uint8Array(32).fill(9);
    const signer = signerOf(seed);
    const before = signer.sign(Uint8Array.of(1));
    seed.fill(0);
    expect(signer.sign(Uint8Array.of(1))).toEqual(before);
  });

  describeVectors("RFC 8032, 7.1", () => {
    it("gives the published keys and signatures", () => {
      const shape = z.array(z.object({ priv: hex, pub: hex, msg: hex, sig: hex }));
      const vectors = readVectors("noble/rfc8032-ed25519.json", shape);
      for (const { priv, pub, msg, sig } of vectors) {
        expect(toHex(signerOf(priv).publicKey)).toBe(toHex(pub));
        expect(toHex(signerOf(priv).sign(msg))).toBe(toHex(sig));
        expect(accepts(portable.portableSuite, { key: pub, message: msg, signature: sig })).toBe(true);
      }
      expect(vectors.length).toBe(4);
      reportCount(`RFC 8032 signing, ${title}`, vectors.length);
    });
  });
});

describe("sign, verify, then use", () => {
  it("never lets a signature out that does not verify", () => {
    const signer = native.nativeSigner(new Uint8Array(32).fill(3));
    const message = Uint8Array.of(1, 2, 3);
    const signature = signer.sign(message);
    const signed = { publicKey: signer.publicKey, message, signature };
    expect(requireVerified(native.nativeSuite, signed)).toBe(signature);
    const faulty = { ...signed, signature: flip(signature, 300) };
    expect(() => requireVerified(native.nativeSuite, faulty)).toThrow(Problem);
  });

  it("never lets a signature out that came out differently the second time", () => {
    const signature = native.nativeSigner(new Uint8Array(32).fill(3)).sign(Uint8Array.of(1));
    expect(requireSame(signature, signature.slice())).toBe(signature);
    for (const bit of [0, 300, 511])
      expect(() => requireSame(signature, flip(signature, bit))).toThrow(
        expect.objectContaining({ code: "signer-fault" }),
      );
  });

  it("makes the same signatures where it is done twice, with and without the check of each 64th", () => {
    const seed = new Uint8Array(32).fill(5);
    const [once, twice] = [native.nativeSigner(seed), native.nativeBusySigner(seed)];
    for (let i = 0; i < 130; i++) expect(twice.sign(Uint8Array.of(i))).toEqual(once.sign(Uint8Array.of(i)));
  });

  it("both signers make the same key and signature", () => {
    const input = fc.tuple(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ maxLength: 300 }),
    );
    fc.assert(
      fc.property(input, ([seed, message]) => {
        const [a, b] = [portable.portableSigner(seed), native.nativeSigner(seed)];
        expect(b.publicKey).toEqual(a.publicKey);
        expect(b.sign(message)).toEqual(a.sign(message));
      }),
      { numRuns: 20 },
    );
  });
});

describe("hashes", () => {
  it("both suites agree with the published SHA-256 of abc", () => {
    const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for (const [, suite] of suites) expect(toHex(suite.sha256(asciiBytes("abc", "input")))).toBe(expected);
  });

  it("HMAC-SHA-256 gives RFC 4231, case 2, and is the same in both", () => {
    const expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const key = asciiBytes("Jefe", "key");
    const data = asciiBytes("what do ya want for nothing?", "data");
    for (const { hmacSha256 } of [portable, native]) expect(toHex(hmacSha256(key, data))).toBe(expected);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array(), (anyKey, anyData) => {
        expect(native.hmacSha256(anyKey, anyData)).toEqual(portable.hmacSha256(anyKey, anyData));
        expect(native.nativeSuite.sha256(anyData)).toEqual(portable.portableSuite.sha256(anyData));
      }),
    );
  });
});
