import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { concatBytes, toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Sha256Lanes } from "../../attest/sha256-lanes.ts";
import type { Parts } from "../../attest/suite.ts";
import { Frontier } from "../../attest/tree.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

function opened(single = nativeSuite.sha256): Sha256Lanes {
  const lanes = Sha256Lanes.open(single);
  if (lanes === undefined) throw new Error("no WebAssembly here");
  return lanes;
}

function partsOf(messages: readonly Uint8Array[]): Parts {
  let end = 0;
  const ends = Uint32Array.from(messages, ({ length }) => {
    end += length;
    return end;
  });
  return { bytes: concatBytes(...messages), ends };
}

function hashes(lanes: Sha256Lanes, prefix: number, messages: readonly Uint8Array[]): string[] {
  const out = new Uint8Array(32 * messages.length);
  lanes.hash(prefix, partsOf(messages), out);
  return messages.map((_, at) => toHex(out.subarray(32 * at, 32 * (at + 1))));
}

function expected(prefix: number, messages: readonly Uint8Array[]): string[] {
  return messages.map((message) =>
    createHash("sha256").update(Uint8Array.of(prefix)).update(message).digest("hex"),
  );
}

describe("SHA-256 four at a time", () => {
  it("is that of FIPS 180-2's example of one block, at every place of four", () => {
    const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const lanes = opened();
    for (let at = 0; at < 4; at++) {
      const messages = Array.from({ length: 4 }, (_, i) => Uint8Array.of(98, i === at ? 99 : 0));
      expect(hashes(lanes, 97, messages)[at]).toBe(abc);
    }
  });

  it("is that of node:crypto for every length up to 600 bytes and around every block", () => {
    const messages = Array.from({ length: 600 }, (_, length) => new Uint8Array(length).fill(length));
    const lanes = opened();
    for (const of of [messages, messages.toReversed(), messages.flatMap((message) => Array(4).fill(message))])
      expect(hashes(lanes, 0, of)).toEqual(expected(0, of));
  });

  it("is that of node:crypto for any messages side by side, more than fit at a time among them", () => {
    const lanes = opened();
    const message = fc.oneof(
      { weight: 12, arbitrary: fc.uint8Array({ minLength: 60, maxLength: 110 }) },
      { weight: 2, arbitrary: fc.uint8Array({ maxLength: 520, size: "max" }) },
      { weight: 1, arbitrary: fc.nat(40_000).map((length) => new Uint8Array(length).fill(length)) },
    );
    const many = fc.tuple(fc.array(message, { maxLength: 40, size: "max" }), fc.constantFrom(1, 1, 1, 40));
    fc.assert(
      fc.property(fc.nat(255), many, (prefix, [messages, times]) => {
        const all = Array.from({ length: times }, () => messages).flat();
        expect(hashes(lanes, prefix, all)).toEqual(expected(prefix, all));
      }),
      { numRuns: 60 },
    );
  });

  it("leaves hardly anything to the other way of hashing", () => {
    let single = 0;
    const lanes = opened((bytes) => {
      single += 1;
      return nativeSuite.sha256(bytes);
    });
    single = 0;
    const messages = Array.from({ length: 2000 }, (_, at) =>
      new Uint8Array(at % 7 === 0 ? 150 : 87).fill(at),
    );
    expect(hashes(lanes, 0, messages)).toEqual(expected(0, messages));
    expect(single).toBeLessThan(5);
  });

  it("is not there where it would not be the hash that it should be", () => {
    expect(Sha256Lanes.open((bytes) => nativeSuite.sha256(bytes.subarray(1)))).toBeUndefined();
  });

  it.each([
    ["missing", undefined],
    ["forbidden", { Module: forbidden, Instance: forbidden }],
  ])("is not there where WebAssembly is %s, and trees grow without it", (_, webAssembly) => {
    vi.stubGlobal("WebAssembly", webAssembly);
    expect(Sha256Lanes.open(nativeSuite.sha256)).toBeUndefined();
    const { sha256Parts: _parts, ...oneByOne } = nativeSuite;
    const trees = [nativeSuite, oneByOne].map((suite) => new Frontier(suite));
    for (const tree of trees) tree.appendAll(new Uint8Array(32 * 77).fill(5));
    expect(trees[0]?.root()).toEqual(trees[1]?.root());
  });
});

function forbidden(): never {
  throw new EvalError("WebAssembly is not allowed by the page's policy");
}
