import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CborValue, encodeCbor } from "../../attest/cbor.ts";
import {
  decodeMessage,
  encodeMessage,
  MAX_MESSAGE_BYTES,
  type Message,
  refusal,
} from "../../attest/messages.ts";
import { Problem } from "../../attest/problem.ts";
import { problemOf, refusalOf } from "./refusal.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const text = fc.string({ unit: "grapheme", maxLength: 10 });
const uint = fc.maxSafeNat();
const type = <T extends Message["type"]>(name: T): fc.Arbitrary<T> => fc.constant(name);

const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: type("open"),
    network: text,
    deviceKey: bytes32,
    deviceNonce: bytes32,
    agentVersion: text,
  }),
  fc.record({ type: type("nodeHello"), nodeKey: bytes32, nodeNonce: bytes32, hello: bytes }),
  fc.record({ type: type("deviceHello"), hello: bytes }),
  fc.record(
    { type: type("welcome"), epoch: uint, checkpoint: bytes, receipt: bytes, countersignature: bytes },
    { requiredKeys: ["type"] },
  ),
  fc.record({ type: type("batch"), epoch: uint, firstSeq: uint, leaves: bytes, checkpoint: bytes }),
  fc.record({ type: type("receipt"), receipt: bytes }),
  fc.record({ type: type("refusal"), code: text, message: text }),
  fc.record({ type: type("enrolmentRequest"), nonce: bytes32 }),
  fc.record(
    { type: type("enrolment"), statement: bytes, codeProof: bytes32 },
    { requiredKeys: ["type", "statement"] },
  ),
  fc.record(
    {
      ...{ type: type("live"), channel: text, atMs: uint, powerMw: fc.maxSafeInteger() },
      ...{ importMwh: fc.maxSafeInteger(), exportMwh: fc.maxSafeInteger(), stateOfChargePpm: uint },
    },
    { requiredKeys: ["type", "channel", "atMs"] },
  ),
  fc.record({ type: type("frameRequest"), digest: bytes16 }),
  fc.record({ type: type("frame"), digest: bytes16, bytes }, { requiredKeys: ["type", "digest"] }),
  fc.record({ type: type("order"), order: bytes }),
  fc.record({ type: type("orderRefused"), digest: bytes32, code: text, message: text }),
  fc.record({ type: type("dispatchList"), list: bytes }),
);
const encoded = (...pairs: [number, CborValue][]): Uint8Array => encodeCbor(new Map(pairs));

describe("messages", () => {
  it("are read back as they were written", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
      { numRuns: 500 },
    );
  });

  it("are read or refused with a Problem, whatever was done to their bytes", () => {
    let [taken, refused] = [0, 0];
    fc.assert(
      fc.property(
        anyMessage,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (message, edits) => {
          const changed = encodeMessage(message);
          for (const [place, byte] of edits) changed[place % changed.length] = byte;
          try {
            expect(encodeMessage(decodeMessage(changed))).toEqual(changed);
            taken += 1;
          } catch (thrown) {
            if (!(thrown instanceof Problem)) throw thrown;
            refused += 1;
          }
        },
      ),
      { numRuns: 3000 },
    );
    expect(Math.min(taken, refused)).toBeGreaterThan(100);
  });

  it("are refused with a Problem when they are any bytes at all", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (any) => {
        expect(refusalOf(() => decodeMessage(any))).toBeDefined();
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ["no type", encoded([1, "x"]), "message-type"],
    ["type 0", encoded([0, 0]), "message-type"],
    ["type 16", encoded([0, 16]), "message-type"],
    ["a type that is text", encoded([0, "batch"]), "message-type"],
    ["an array", encodeCbor([1]), "cbor-type"],
    ["an unknown key", encoded([0, 6], [1, Uint8Array.of(1)], [2, 1]), "unknown-key"],
    ["a missing key", encoded([0, 6]), "field"],
    ["a receipt that is text", encoded([0, 6], [1, "r"]), "field"],
    [
      "a negative epoch",
      encoded([0, 5], [1, -1], [2, 0], [3, Uint8Array.of(1)], [4, Uint8Array.of(1)]),
      "field",
    ],
    ["maps in one another", encoded([0, 6], [1, new Map([[1, new Map()]])]), "cbor-depth"],
    ["nothing", new Uint8Array(0), "cbor-truncated"],
    ["more than a mebibyte", new Uint8Array(MAX_MESSAGE_BYTES + 1), "message-size"],
    ["a code above 128 bytes", encoded([0, 7], [1, "x".repeat(129)], [2, ""]), "field"],
    ["a text above 1024 bytes", encoded([0, 7], [1, "x"], [2, "x".repeat(1025)]), "field"],
  ])("%s is refused", (_, message, code) => {
    expect(refusalOf(() => decodeMessage(message))).toBe(code);
  });

  it("the reason does not repeat what a stranger sent at length", () => {
    const problem = problemOf(() => decodeMessage(encoded([0, new Uint8Array(500_000)])));
    expect([problem.code, problem.message.length < 200]).toEqual(["message-type", true]);
  });

  it("a refusal fits the wire whatever its text, also where the cut goes through a surrogate pair", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 600, size: "max" }), (message) => {
        expect(decodeMessage(encodeMessage(refusal("some-code", message)))).toMatchObject({
          code: "some-code",
        });
      }),
    );
    const cut = decodeMessage(encodeMessage(refusal("some-code", `${"x".repeat(255)}😀`)));
    expect(cut).toMatchObject({ message: `${"x".repeat(255)}\ufffd` });
  });
});
