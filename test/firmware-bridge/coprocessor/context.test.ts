import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../attest/bytes.ts";
import { encodeCbor } from "../../../attest/cbor.ts";
import { OBJECT_TYPES, sigStructure } from "../../../attest/cose.ts";
import { nativeSigner } from "../../../attest/native.ts";
import { LEAST_MESSAGE_BYTES } from "../../../firmware-bridge/coprocessor/protocol.ts";
import { signableType } from "../../../firmware-bridge/simulated/coprocessor-context.ts";
import { SEED } from "./kit.ts";
import { ALL_TYPES, deviceMessages, messageOf } from "./objects.ts";

const own = nativeSigner(SEED);
const LOG = new Uint8Array(32).fill(0x55);
const OF_DEVICES = ["acceptance", "checkpoint", "enrolment", "hello", "rotation"];
const messages = await deviceMessages(own);

/** What is signed of an object with this header, whatever it is. */
function withHeader(entries: readonly (readonly [number, number | string | Uint8Array])[]): Uint8Array {
  return sigStructure(encodeCbor(new Map(entries)), encodeCbor(new Map([[1, 5]])));
}

/** The same with a byte more within the protected header, behind the type. */
function longer(message: Uint8Array): Uint8Array {
  const headerEnd = 14 + (message[13] ?? 0);
  const changed = concatBytes(message.subarray(0, headerEnd), Uint8Array.of(0), message.subarray(headerEnd));
  changed[13] = (changed[13] ?? 0) + 1;
  return changed;
}

describe("what a coprocessor may sign", () => {
  it("is every object of a device's life, at its longest and within what every coprocessor takes", () => {
    expect([...messages.keys()].sort()).toEqual(OF_DEVICES);
    for (const [name, message] of messages) {
      expect(signableType(message, own.publicKey), name).toMatch(/^kilowitness\/1 /);
      expect(message.length, name).toBeLessThanOrEqual(LEAST_MESSAGE_BYTES);
    }
  });

  it.each(ALL_TYPES)("is decided by the type and by whose name it carries: %s", async (type) => {
    const ofKey = signableType(await messageOf(type, own.publicKey), own.publicKey);
    const ofLog = signableType(await messageOf(type, LOG), own.publicKey);
    expect(ofKey).toBe(OF_DEVICES.includes(type) ? OBJECT_TYPES[type] : undefined);
    expect(ofLog).toBe(type === "checkpoint" ? OBJECT_TYPES[type] : undefined);
  });

  it("is a payload of any length, in the shortest form only", async () => {
    for (const length of [0, 20, 200, 300, 900]) {
      const payload = new Map([[1, new Uint8Array(length)]]);
      expect(signableType(await messageOf("checkpoint", LOG, payload), own.publicKey)).toBeDefined();
    }
  });

  const header = [
    [1, -19],
    [4, own.publicKey],
    [16, OBJECT_TYPES.hello],
  ] as const;
  const hello = withHeader(header);
  it.each<[string, Uint8Array]>([
    ["another context", Buffer.from(hello).fill("MAC01", 2, 7)],
    ["another algorithm", withHeader([[1, -8], ...header.slice(1)])],
    ["a header with more", withHeader([...header, [17, 1]])],
    ["a header without a type", withHeader(header.slice(0, 2))],
    ["a longer type", withHeader([...header.slice(0, 2), [16, `${OBJECT_TYPES.hello}s`]])],
    [
      "a short key",
      withHeader([
        [1, -19],
        [4, own.publicKey.subarray(1)],
        [16, OBJECT_TYPES.hello],
      ]),
    ],
    ["a header that goes on behind its type", longer(hello)],
    ["bytes behind it", concatBytes(hello, Uint8Array.of(0))],
    ["bytes before it", concatBytes(Uint8Array.of(0xd2), hello)],
    ["nothing", new Uint8Array(0)],
    ["a hash", new Uint8Array(32).fill(3)],
    ["text", Buffer.from("kilowitness/1 checkpoint")],
  ])("is not %s", (_name, message) => {
    expect(signableType(hello, own.publicKey)).toBe(OBJECT_TYPES.hello);
    expect(signableType(message, own.publicKey)).toBeUndefined();
  });

  it("is nothing that was cut, wherever", () => {
    for (const message of messages.values())
      for (let length = 0; length < message.length; length += 1)
        expect(signableType(message.subarray(0, length), own.publicKey)).toBeUndefined();
  });

  it("is no other bytes: what it lets pass is what the evidence format would write", () => {
    const [message = new Uint8Array(0)] = messages.values();
    const flips = fc.tuple(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(fc.array(flips, { minLength: 1, maxLength: 3 }), (changes) => {
        const changed = message.slice();
        for (const [at, mask] of changes) changed[at] = (changed[at] ?? 0) ^ mask;
        const type = signableType(changed, own.publicKey);
        if (type === undefined) return;
        // Signature1, header and the frame of the payload stand before and around what was changed.
        const kid = changed.slice(20, 52);
        const header = encodeCbor(
          new Map<number, number | string | Uint8Array>([
            [1, -19],
            [4, kid],
            [16, type],
          ]),
        );
        const payload = changed.slice(14 + header.length + 3);
        expect(Buffer.from(sigStructure(header, payload))).toEqual(Buffer.from(changed));
      }),
      { numRuns: 500 },
    );
  });
});
