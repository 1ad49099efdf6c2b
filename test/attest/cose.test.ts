import { describe, expect, it } from "vitest";
import { z } from "zod";
import { concatBytes, fromHex, toHex } from "../../attest/bytes.ts";
import { type CborMap, decodeCborAt, encodeCbor } from "../../attest/cbor.ts";
import { OBJECT_TYPES, openObject, parseObject, signObject, sigStructure } from "../../attest/cose.ts";
import { nativeSuite } from "../../attest/native.ts";
import { portableSuite } from "../../attest/portable.ts";
import { testSigner } from "../kit/log-builder.ts";
import { describeVectors, listVectors, readVectors, reportCount } from "../kit/vectors.ts";
import { flippedBits, problemOf, refusalOf } from "./refusal.ts";

const hex = (text: string): Uint8Array => fromHex(text, "test");
const suites = [
  ["native", nativeSuite],
  ["portable", portableSuite],
] as const;
const signer = testSigner(1);
const kid = signer.publicKey;
const payload: CborMap = new Map([[1, 42]]);
const SIGNATURE = hex(`5840${"11".repeat(64)}`);

/** A COSE_Sign1 put together by hand, with one part exchanged. */
function assembled(
  parts: Partial<Record<"head" | "header" | "unprotected" | "payload" | "signature" | "tail", string>>,
): Uint8Array {
  const header = new Map<number, number | string | Uint8Array>([
    [1, -19],
    [4, kid],
    [16, OBJECT_TYPES.receipt],
  ]);
  return concatBytes(
    hex(parts.head ?? "d284"),
    parts.header === undefined ? encodeCbor(encodeCbor(header)) : hex(parts.header),
    hex(parts.unprotected ?? "a0"),
    parts.payload === undefined ? encodeCbor(encodeCbor(payload)) : hex(parts.payload),
    parts.signature === undefined ? SIGNATURE : hex(parts.signature),
    hex(parts.tail ?? ""),
  );
}

/** The protected header as a byte string, from its values. */
function headerOf(...pairs: [number, number | string | Uint8Array][]): string {
  return toHex(encodeCbor(encodeCbor(new Map(pairs))));
}

const vectorShape = z.object({
  title: z.string(),
  fail: z.boolean().optional(),
  input: z
    .object({
      sign0: z
        .object({ key: z.record(z.string(), z.unknown()) })
        .loose()
        .optional(),
    })
    .loose(),
  intermediates: z.object({ ToBeSign_hex: z.string().optional() }),
  output: z.object({ cbor: z.string() }),
});

describeVectors("COSE examples", () => {
  it("eddsa-sig-01: the signed bytes and the verdict are the example's, the object is refused for alg -8", () => {
    const vector = readVectors("cose/eddsa-examples/eddsa-sig-01.json", vectorShape);
    const bytes = hex(vector.output.cbor);
    const { header, content, signature } = partsOf(bytes);
    const signed = sigStructure(header, content);
    expect(toHex(signed)).toBe(vector.intermediates.ToBeSign_hex?.toLowerCase());
    const key = hex(z.string().parse(vector.input.sign0?.key["x_hex"]));
    for (const [, suite] of suites) {
      expect(suite.verifySignature(key, signed, signature)).toBe(true);
      expect(suite.verifySignature(key, signed.slice(1), signature)).toBe(false);
    }
    // The example has an unprotected kid; without it the next reason is the algorithm.
    expect(problemOf(() => parseObject(bytes)).code).toBe("cose-shape");
    const adapted = concatBytes(
      hex("d284"),
      encodeCbor(header),
      hex("a0"),
      encodeCbor(encodeCbor(payload)),
      encodeCbor(signature),
    );
    const problem = problemOf(() => parseObject(adapted));
    expect([problem.code, problem.detail.got]).toEqual(["cose-algorithm", "-8"]);
  });

  it("sign1-tests and Ed448: none is an object of this format, each is refused for its shape", () => {
    // ECDSA and Ed448 are not in the allow-list, every example has an unprotected header or no tag 18: what can be
    // compared is that each is refused, and that the first reason is the tag where the tag is what was changed.
    const reasons = new Map<string, string>();
    for (const path of [...listVectors("cose/sign1-tests"), "cose/eddsa-examples/eddsa-sig-02.json"]) {
      const vector = readVectors(path, vectorShape);
      const problem = problemOf(() => parseObject(hex(vector.output.cbor)));
      reasons.set(path.replace(/^.*\//, ""), `${problem.code}: ${problem.message}`);
    }
    reportCount("COSE_Sign1 examples refused", reasons.size);
    expect(reasons.size).toBeGreaterThan(8);
    for (const [name, reason] of reasons)
      expect([name, reason]).toEqual([name, expect.stringMatching(/^cose-shape/)]);
    expect(reasons.get("sign-fail-01.json")).toContain("not a COSE_Sign1"); // tag 998
    expect(reasons.get("sign-pass-03.json")).toContain("not a COSE_Sign1"); // no tag: allowed by RFC 9052, not here
    expect(reasons.get("sign-fail-03.json")).toContain("unprotected header");
  });

  it("sign1-tests: Sig_structure is the example's, with alg -7 read as any other bytes", () => {
    let compared = 0;
    for (const path of listVectors("cose/sign1-tests")) {
      const vector = readVectors(path, vectorShape);
      const wanted = vector.intermediates.ToBeSign_hex?.toLowerCase();
      // Left out: external data, which this format never has; a header changed after signing, which should differ;
      // an empty header written as A0, which RFC 9052 says is signed as an empty string and which is refused here.
      if (wanted === undefined || /fail-0[12346]|fail-07|pass-0[12]/.test(path)) continue;
      const { header, content } = partsOf(concatBytes(hex("d2"), hex(vector.output.cbor)));
      expect(toHex(sigStructure(header, content))).toBe(wanted);
      compared += 1;
    }
    reportCount("COSE_Sign1 Sig_structure of an ECDSA example", compared);
    expect(compared).toBe(1);
  });
});

/** The three byte strings of a tagged COSE_Sign1 whose unprotected header is {4: two bytes}. */
function partsOf(bytes: Uint8Array): { header: Uint8Array; content: Uint8Array; signature: Uint8Array } {
  const header = decodeCborAt(bytes, 2);
  const unprotected = decodeCborAt(bytes, header.end);
  const content = decodeCborAt(bytes, unprotected.end);
  const signature = decodeCborAt(bytes, content.end);
  const own = z.instanceof(Uint8Array);
  return {
    header: own.parse(header.value),
    content: own.parse(content.value),
    signature: own.parse(signature.value),
  };
}

describe("parseObject", () => {
  it("reads the object that the refusals below are changed from", () => {
    const object = parseObject(assembled({}));
    expect(object).toMatchObject({ type: OBJECT_TYPES.receipt, kid, payload });
  });

  it.each([
    ["no tag", { head: "84" }, "cose-shape"],
    ["tag 17", { head: "d184" }, "cose-shape"],
    ["tag 18 in two bytes", { head: "d81284" }, "cose-shape"],
    ["an array of 3", { head: "d283" }, "cose-shape"],
    ["an array of indefinite length", { head: "d29f" }, "cose-shape"],
    ["a header that is a map, not bytes", { header: "a10132" }, "cose-shape"],
    ["an unprotected header", { unprotected: "a10432" }, "cose-shape"],
    ["a detached payload", { payload: "f6" }, "cbor-type"],
    ["a payload that is text", { payload: "6161" }, "cose-shape"],
    ["a payload that holds no map", { payload: "4101" }, "cbor-type"],
    ["a payload that is not deterministic", { payload: "44a1180100" }, "cbor-not-shortest"],
    ["a payload with a tail", { payload: "43a00000" }, "cbor-trailing"],
    ["a signature of 63 bytes", { signature: `583f${"11".repeat(63)}` }, "cose-shape"],
    ["a signature of 65 bytes", { signature: `5841${"11".repeat(65)}` }, "cose-shape"],
    [
      "a signature's length not in its shortest form",
      { signature: `590040${"11".repeat(64)}` },
      "cbor-not-shortest",
    ],
    ["bytes behind it", { tail: "00" }, "cose-shape"],
    ["an empty header", { header: "40" }, "cbor-truncated"],
    ["no algorithm", { header: headerOf([4, kid], [16, "t"]) }, "cose-algorithm"],
    ["alg -8, EdDSA", { header: headerOf([1, -8], [4, kid], [16, "t"]) }, "cose-algorithm"],
    ["alg -7, ES256", { header: headerOf([1, -7], [4, kid], [16, "t"]) }, "cose-algorithm"],
    ["an algorithm by name", { header: headerOf([1, "Ed25519"], [4, kid], [16, "t"]) }, "cose-algorithm"],
    ["no kid", { header: headerOf([1, -19], [16, "t"]) }, "cose-kid"],
    ["a kid of 31 bytes", { header: headerOf([1, -19], [4, kid.slice(1)], [16, "t"]) }, "cose-kid"],
    ["no type", { header: headerOf([1, -19], [4, kid]) }, "cose-type"],
    ["a type by number", { header: headerOf([1, -19], [4, kid], [16, 60]) }, "cose-type"],
    ["a critical header", { header: headerOf([1, -19], [2, 1], [4, kid], [16, "t"]) }, "cose-header"],
  ])("refuses %s", (_, parts, code) => {
    expect(refusalOf(() => parseObject(assembled(parts)))).toBe(code);
  });

  it("refuses an object above its size before reading it", () => {
    expect(refusalOf(() => parseObject(new Uint8Array(8193)))).toBe("cose-shape");
  });

  it("prints what a stranger sent short and on one line", () => {
    const type = `\u001b[2J\n${"x".repeat(5000)}`;
    const problem = problemOf(() =>
      openObject(portableSuite, assembled({ header: headerOf([1, -19], [4, kid], [16, type]) }), {
        type: "receipt",
        key: kid,
      }),
    );
    expect(problem.code).toBe("cose-type");
    expect(problem.message).not.toMatch(/\p{Cc}/u);
    expect(problem.message.length).toBeLessThan(300);
  });
});

describe.each(suites)("signed objects, %s suite", (_, suite) => {
  const expected = { type: "receipt", key: kid } as const;

  it("opens under its key, type and kid, and under no other", async () => {
    const bytes = await signObject(signer, { type: "receipt", kid, payload });
    expect(openObject(suite, bytes, expected)).toEqual(payload);
    const other = testSigner(2).publicKey;
    expect(refusalOf(() => openObject(suite, bytes, { ...expected, type: "checkpoint" }))).toBe("cose-type");
    expect(refusalOf(() => openObject(suite, bytes, { ...expected, kid: other }))).toBe("cose-kid");
    expect(refusalOf(() => openObject(suite, bytes, { ...expected, key: other }))).toBe("cose-kid");
    expect(refusalOf(() => openObject(suite, bytes, { type: "receipt", key: other, kid }))).toBe(
      "cose-signature",
    );
  });

  it("refuses every single flipped bit", async () => {
    const bytes = await signObject(signer, { type: "receipt", kid, payload });
    for (const flipped of flippedBits(bytes))
      expect(refusalOf(() => openObject(suite, flipped, expected))).toBeDefined();
  });
});
