import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../attest/bytes.ts";
import type { CborMap } from "../../attest/cbor.ts";
import { OBJECT_TYPES, type ObjectType, parseObject } from "../../attest/cose.ts";
import { sealedFromJson, sealedToJson } from "../../attest/pretty.ts";
import { objectFromJson, objectToJson } from "../../attest/pretty-object.ts";
import { Problem } from "../../attest/problem.ts";
import { evidenceExample } from "./evidence-example.ts";
import { countersigned, revocation, rotation, statement } from "./key-life-kit.ts";
import {
  assembled,
  changed,
  mapOf,
  OBJECT_FIELDS,
  objectOver,
  payloadOf,
  plain,
  squeezed,
  subset,
  TYPES,
} from "./pretty-kit.ts";
import { problemOf, refusalOf } from "./refusal.ts";

const example = await evidenceExample();
const parts = { kid: new Uint8Array(32).fill(1), signature: new Uint8Array(64).fill(2) };
const anyPayload = mapOf(fc.nat(12), subset(3));

function bytesOf(name: string): Uint8Array {
  return fromHex(example.get(name) ?? "", name);
}

/** A payload of the record with one value exchanged, or one key more or less. */
function spoiled(type: ObjectType): fc.Arbitrary<CborMap> {
  return fc.tuple(payloadOf(type), anyPayload, fc.nat(9)).map(([payload, other, key]) => {
    const mixed = new Map([...payload, ...other]);
    mixed.delete(key);
    return mixed;
  });
}

describe("the JSON of a signed object", () => {
  it("is, for the checkpoint of the evidence format, what its notes say", () => {
    expect(sealedToJson(bytesOf("checkpoint"))).toBe(`{
  "type": "kilowitness/1 checkpoint",
  "kid": "69e87ab5f15d5da59991eac26717c97070bce09e88d474dac7cf9b1fa4a05bbf",
  "payload": {
    "size": 8,
    "root": "7274398658df9851236804c7e0ba63e087c21d3f47208e13d7f6ee2df28a46c4",
    "lastLeafMs": ${0x19b8e199580},
    "issuedAtMs": ${0x19b8e199580},
    "timeQuality": 3,
    "bootCount": 1,
    "manifestHash": "c13396ce9c69254f100bee84f9126f8c0f5a2a23b18e8692d1a078921d6b7b6b"
  },
  "signature": "${example.get("checkpoint")?.slice(-128)}"
}`);
  });

  it("leads back to the bytes of objects that were really signed", async () => {
    const signed = [bytesOf("checkpoint"), bytesOf("receipt"), await statement(), await countersigned()];
    for (const bytes of [...signed, await rotation(), await revocation()]) {
      expect(toHex(objectFromJson(objectToJson(bytes)))).toBe(toHex(bytes));
      expect(toHex(sealedFromJson(sealedToJson(bytes)))).toBe(toHex(bytes));
    }
  });

  it.each(TYPES)("of type %s says the properties of its record, and leads back", (type) => {
    fc.assert(
      fc.property(objectOver(type, payloadOf(type)), (bytes) => {
        const json = objectToJson(bytes);
        const { kid, payload, signature } = parseObject(bytes);
        const record = Object.entries(OBJECT_FIELDS[type]).map(([name, { key }]) => [name, payload.get(key)]);
        const said = { kid, payload: Object.fromEntries(record), signature };
        expect(JSON.parse(json)).toEqual({ type: OBJECT_TYPES[type], ...Object(plain(said)) });
        expect(toHex(objectFromJson(json))).toBe(toHex(bytes));
      }),
      { numRuns: 60 },
    );
  });

  it.each(TYPES)("of type %s leads back whatever its payload is", (type) => {
    fc.assert(
      fc.property(objectOver(type, fc.oneof(anyPayload, spoiled(type))), (bytes) => {
        expect(toHex(objectFromJson(objectToJson(bytes)))).toBe(toHex(bytes));
      }),
      { numRuns: 60 },
    );
  });

  it("shows the acceptance inside a rotation, and in hexadecimal only what is no object", async () => {
    const bytes = await rotation();
    const json = objectToJson(bytes);
    const { acceptance } = JSON.parse(json).payload;
    expect(acceptance).toMatchObject({
      type: OBJECT_TYPES.acceptance,
      payload: { lastEpoch: 3, lastSize: 500 },
    });
    const inner = parseObject(bytes).payload.get(1);
    const inHex = JSON.stringify({ ...JSON.parse(json), payload: { acceptance: plain(inner) } });
    expect(problemOf(() => objectFromJson(inHex))).toMatchObject({
      ...{ code: "json-form", detail: { where: "$.payload.acceptance" } },
    });
    const none = assembled(OBJECT_TYPES.rotation, new Map([[1, Uint8Array.of(0xd2)]]), parts);
    expect(JSON.parse(objectToJson(none)).payload).toEqual({ acceptance: "d2" });
  });

  it("shows objects inside each other as deep as 8192 bytes go", () => {
    let bytes: Uint8Array = new Uint8Array(0);
    for (let next = bytes; next.length <= 8192; ) {
      bytes = next;
      next = assembled(OBJECT_TYPES.rotation, new Map([[1, bytes]]), parts);
    }
    const json = objectToJson(bytes);
    expect(json.match(/"acceptance": \{/g)?.length).toBeGreaterThan(40);
    expect(toHex(objectFromJson(json))).toBe(toHex(bytes));
  });

  it("is taken in one form only, up to white space, whatever is changed", () => {
    let taken = 0;
    const objects = TYPES.map((type) => objectOver(type, fc.oneof(payloadOf(type), spoiled(type))));
    const cases = fc
      .oneof(...objects)
      .map(objectToJson)
      .chain(changed);
    fc.assert(
      fc.property(cases, (json) => {
        const bytes = readOrRefused(json);
        if (bytes === undefined) return;
        taken += 1;
        expect(squeezed(json)).toBe(squeezed(objectToJson(bytes)));
      }),
      { numRuns: 4000 },
    );
    expect(taken).toBeGreaterThan(400);
    expect(taken).toBeLessThan(3000);
  });

  it("is not made of what is no object, or of a type that nobody registered", () => {
    expect(refusalOf(() => objectToJson(bytesOf("reading")))).toBe("cose-shape");
    const unknown = assembled("kilowitness/1 wish", new Map([[1, 1]]), parts);
    expect(refusalOf(() => objectToJson(unknown))).toBe("cose-type");
  });
});

describe("objectFromJson refuses", () => {
  const sound = objectToJson(bytesOf("receipt"));
  const keyed = objectToJson(assembled(OBJECT_TYPES.receipt, new Map([[1, 1]]), parts));
  const long = sound.replace(/"payload": \{.*?\}/s, `"payload": {"1": "${"x".repeat(8200)}"}`);

  it("nothing of what the cases below are changed from", () => {
    expect(toHex(objectFromJson(sound))).toBe(example.get("receipt"));
    expect(objectToJson(objectFromJson(keyed))).toBe(keyed);
  });

  it.each<[string, string, { code: string; where: string; expected?: unknown; got?: unknown }]>([
    [
      "a type that nobody registered",
      sound.replace("1 receipt", "1 wish"),
      { code: "cose-type", where: "$.type", got: '"kilowitness/1 wish"' },
    ],
    [
      "a type that is a number",
      sound.replace(/"type": ".*?"/, '"type": 1'),
      { code: "json-type", where: "$.type" },
    ],
    [
      "a kid of 31 bytes",
      sound.replace('"kid": "81', '"kid": "'),
      {
        ...{ code: "json-hex", where: "$.kid", expected: "32 bytes", got: "31 bytes" },
      },
    ],
    [
      "a signature of 65 bytes",
      sound.replace('"signature": "', '"signature": "00'),
      {
        ...{ code: "json-hex", where: "$.signature", expected: "64 bytes", got: "65 bytes" },
      },
    ],
    [
      "no signature",
      sound.replace(/,\s*"signature": ".*"/, ""),
      {
        ...{ code: "json-missing", where: "$.signature", got: "nothing" },
      },
    ],
    [
      "a payload that is a list",
      sound.replace(/"payload": \{.*?\}/s, '"payload": []'),
      {
        ...{ code: "json-type", where: "$.payload", expected: "a map", got: "a list of 0" },
      },
    ],
    [
      "a payload without one property",
      sound.replace(/"size": 8,/, ""),
      {
        ...{ code: "json-missing", where: "$.payload.size", expected: '"size"' },
      },
    ],
    [
      "a payload with one more",
      sound.replace('"size": 8,', '"size": 8, "extra": 1,'),
      {
        ...{ code: "json-property", where: "$.payload.extra", got: "1" },
      },
    ],
    [
      "a name among keys",
      keyed.replace('"1": 1', '"1": 1, "size": 8'),
      {
        ...{ code: "json-property", where: "$.payload.1" },
      },
    ],
    [
      "the keys of a record that has names",
      sound.replace(/"payload": \{.*?\}/s, (payload) =>
        ["manifestHash", "size", "root", "receivedAtMs", "ruleVersion"].reduce(
          (text, name, at) => text.replace(`"${name}"`, `"${at + 1}"`),
          payload.replaceAll(/"([0-9a-f]{64})"/g, '{"hex": "$1"}'),
        ),
      ),
      { code: "json-form", where: "$.payload" },
    ],
    [
      "a hash of 31 bytes",
      sound.replace('"root": "72', '"root": "'),
      {
        ...{ code: "field", where: "$.payload.root", expected: "32 bytes", got: "31 bytes" },
      },
    ],
    [
      "an object where bytes32 belong",
      sound.replace(/"root": ".*?"/, `"root": ${sound}`),
      {
        ...{ code: "field", where: "$.payload.root", expected: "32 bytes" },
      },
    ],
    ["more than 8192 bytes", long, { code: "cose-shape", where: "$", expected: "at most 8192 bytes" }],
    [
      "a payload nested too deep",
      keyed.replace('"1": 1', '"1": [[[[]]]]'),
      {
        ...{ code: "json-depth", where: "$.payload.1[0][0][0]" },
      },
    ],
  ])("%s", (_, json, { code, ...detail }) => {
    expect(problemOf(() => objectFromJson(json))).toMatchObject({ code, detail });
  });
});

function readOrRefused(json: string): Uint8Array | undefined {
  try {
    return objectFromJson(json);
  } catch (thrown) {
    if (thrown instanceof Problem) return undefined;
    throw thrown;
  }
}
