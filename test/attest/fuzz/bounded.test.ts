import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../attest/bytes.ts";
import { allocatedBy } from "./allocated.ts";
import { itemAt, MAJOR, pathsOf, readItems, replaceAt, writeItems } from "./cbor-tree.ts";
import { namedRefusalOf } from "./codes.ts";
import { decodersOf } from "./decoders.ts";
import { evidenceOf } from "./evidence.ts";
import { TURNING_POINTS } from "./mutate-tree.ts";
import { isLong, PATIENCE_MS } from "./runs.ts";
import { hollow } from "./suites.ts";
import { verifiersOf } from "./verifiers.ts";

/** Bytes made for each byte read, whatever these say, and for the first one. */
const PER_BYTE = 24;
const AT_ONCE = 32_768;
/** The longest message and file, or an eighth of it. */
const LONGEST = isLong ? 1_048_576 : 131_072;

const evidence = await evidenceOf(hollow);
const { suite } = evidence.world;

interface Taker {
  readonly name: string;
  readonly samples: readonly Uint8Array[];
  readonly take: (bytes: Uint8Array) => unknown;
  /** Nothing without a signature means anything to it. */
  readonly refuses: boolean;
}

const takers: readonly Taker[] = [
  ...decodersOf(evidence).map(({ name, samples, read }) => ({
    ...{ name: `decoder of ${name}`, samples, refuses: false },
    take: read,
  })),
  ...verifiersOf(evidence).map(({ name, samples, verify }) => ({
    ...{ name: `verifier of: ${name}`, samples, refuses: true },
    take: (bytes: Uint8Array) => verify(suite, bytes),
  })),
];

function requireFrugal({ name, take }: Taker, bytes: Uint8Array): string | undefined {
  let code: string | undefined;
  const allocated = allocatedBy(() => {
    code = namedRefusalOf(() => take(bytes));
  });
  if (allocated > AT_ONCE + PER_BYTE * bytes.length)
    expect(`${allocated} bytes for ${bytes.length}: ${name}`).toBe("less");
  return code;
}

/** Lengths that are claimed of strings, lists and maps. */
const LENGTHS = TURNING_POINTS.filter((length) => length > 300n);
/** Of all heads and lengths every one in a long run (KILOWITNESS_FUZZ_RUNS), otherwise a few. */
const STRIDE = isLong ? 1 : 307;

/** The object with one length in it claimed to be another one. */
function* overstated(bytes: Uint8Array): Generator<Uint8Array> {
  const items = readItems(bytes) ?? [];
  let places = 0;
  for (const path of pathsOf(items)) {
    const item = itemAt(items, path);
    if (item === undefined || item.major < MAJOR.bytes || item.major > MAJOR.map) continue;
    for (const argument of LENGTHS)
      if (places++ % STRIDE === 0) yield writeItems(replaceAt(items, path, [{ ...item, argument }]));
  }
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Depth and length as cheap as can be had. */
const BOMBS: readonly (readonly [string, Uint8Array])[] = [
  ["lists in one another", new Uint8Array(LONGEST).fill(0x81)],
  ["maps in one another", new Uint8Array(LONGEST).map((_, at) => (at % 2 === 0 ? 0xa1 : 0x00))],
  ["lists of indefinite length", new Uint8Array(LONGEST).fill(0x9f)],
  ["tags of tags", new Uint8Array(LONGEST).fill(0xd2)],
  ["floors of long lists", Uint8Array.of(0x99, 16, 0, 0x99, 16, 0, 0x99, 16, 0, 0x99, 16, 0)],
  ["a list as long as a file", Uint8Array.of(0x9a, 0, 16, 0, 0, 0)],
  ["bytes as long as a file", Uint8Array.of(0x5a, 0, 16, 0, 0, 0)],
  ["a long list of empty maps", concatBytes(Uint8Array.of(0x99, 16, 0), new Uint8Array(4096).fill(0xa0))],
  ["as many bytes as there are numbers", Uint8Array.of(0x5b, ...Array<number>(8).fill(0xff))],
  ["as many elements as there are numbers", Uint8Array.of(0x9b, ...Array<number>(8).fill(0xff))],
  ["as many pairs as a double counts", Uint8Array.of(0xbb, 0, 0x1f, ...Array<number>(6).fill(0xff))],
  ["brackets", utf8("[".repeat(LONGEST / 2) + "]".repeat(LONGEST / 2))],
  ["brackets that stay open", utf8("[".repeat(LONGEST))],
  ["braces", utf8(`${'{"a":'.repeat(LONGEST / 8)}1${"}".repeat(LONGEST / 8)}`)],
  ["a number of many digits", new Uint8Array(LONGEST).fill(0x39)],
  ["an open text", concatBytes(Uint8Array.of(0x22), new Uint8Array(LONGEST).fill(0x5c))],
  ["nothing but zeros", new Uint8Array(LONGEST)],
];

describe.each(takers)("the $name", (taker) => {
  it("makes nothing for a length that is only claimed", { timeout: PATIENCE_MS }, () => {
    let tried = 0;
    for (const sample of taker.samples) {
      for (const bytes of overstated(sample)) {
        requireFrugal(taker, bytes);
        tried += 1;
      }
    }
    if (isLong) console.log(`fuzz: the ${taker.name}: ${tried} lengths claimed`);
  });

  it("stands depth and length as they are", { timeout: PATIENCE_MS }, () => {
    const begin = taker.samples[0]?.subarray(0, 2) ?? new Uint8Array(0);
    for (const [what, bomb] of BOMBS) {
      for (const bytes of [bomb, concatBytes(begin, bomb)]) {
        const code = requireFrugal(taker, bytes);
        if (taker.refuses && code === undefined) expect(what).toBe("refused");
      }
    }
  });
});
