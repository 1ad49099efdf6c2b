import { describe, expect, it } from "vitest";
import { asciiBytes, concatBytes, toHex } from "../../attest/bytes.ts";
import { decodeCborMap, encodeCbor } from "../../attest/cbor.ts";
import {
  decodeFault,
  encodeFault,
  FAULT_FIELDS,
  isFaultFile,
  joinObjects,
  splitObjects,
} from "../../attest/fault.ts";
import { buildForkFault, buildTwoEpochsFault } from "../../attest/fault-build.ts";
import { verifyFault } from "../../attest/fault-verify.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import { Problem } from "../../attest/problem.ts";
import type { Suite } from "../../attest/suite.ts";
import {
  bytesOf,
  forks,
  historyOf,
  sampleFaults,
  shortLog,
  signedHistory,
  twoEpochs,
} from "./fault-forge.ts";
import { device, openedLog, suite } from "./fault-kit.ts";
import { openEpoch } from "./fault-world.ts";
import { flippedBits, refusalOf } from "./refusal.ts";

const samples = await sampleFaults();
const names = [...samples.keys()];

function sample(name: string): Uint8Array {
  const bytes = samples.get(name);
  if (bytes === undefined) throw new Error(`no sample ${name}`);
  return bytes;
}

/** A file with some of its keys exchanged, or taken away by undefined. */
function changedFile(
  name: string,
  changes: Readonly<Record<number, Uint8Array | string | number | undefined>>,
): Uint8Array {
  const map = new Map(decodeCborMap(sample(name), { maxDepth: 2, maxLength: 1_048_576 }));
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) map.delete(Number(key));
    else map.set(Number(key), value);
  }
  return encodeCbor(map);
}

const verified = new Map<string, boolean>();

/** Most signatures are those of the whole file, checked once; no key is refused for its shape, which costs most. */
const patient: Suite = {
  ...suite,
  checkPublicKey: () => true,
  verifySignature: (key, message, signature) => {
    const name = [key, message, signature].map((bytes) => String.fromCharCode(...bytes)).join("/");
    const known = verified.get(name) ?? suite.verifySignature(key, message, signature);
    if (known) verified.set(name, known);
    return known;
  },
};

const verifies = (bytes: Uint8Array): string | undefined => refusalOf(() => verifyFault(suite, bytes));

describe("a fault file", () => {
  it.each(names)("%s: is small, comes back as it went, and says what it is", (name) => {
    const bytes = sample(name);
    expect(bytes.length).toBeLessThan(2500);
    expect(encodeFault(decodeFault(bytes))).toEqual(bytes);
    expect(isFaultFile(bytes)).toBe(true);
    expect(verifies(bytes)).toBeUndefined();
  });

  it("is told from other files by its first bytes", () => {
    const proof = encodeCbor(
      new Map<number, string | number>([
        [0, "kilowitness/1 proof"],
        [1, 5],
      ]),
    );
    const later = encodeCbor(
      new Map<number, string | number>([
        [1, 5],
        [2, "kilowitness/1 fault"],
      ]),
    );
    for (const bytes of [proof, later, new Uint8Array(0), asciiBytes("kilowitness/1 fault", "text")])
      expect(isFaultFile(bytes)).toBe(false);
  });

  it("is refused in another format, with another name, or with what it does not need", () => {
    const fork = "fork, two roots";
    expect(verifies(changedFile(fork, { 0: "kilowitness/1 proof" }))).toBe("fault-format");
    expect(verifies(changedFile(fork, { 1: "spoon" }))).toBe("fault-format");
    expect(verifies(changedFile(fork, { 1: undefined }))).toBe("fault-format");
    expect(verifies(changedFile(fork, { 12: 3 }))).toBe("unknown-key");
    expect(verifies(changedFile(fork, { 11: 3 }))).toBe("fault-format");
    expect(verifies(changedFile(fork, { 6: undefined }))).toBe("field");
    expect(verifies(changedFile(fork, { 3: new Uint8Array(32) }))).toBe("key-invalid");
    expect(verifies(changedFile(fork, { 2: "other network" }))).toBe("network-name");
    expect(verifies(changedFile(fork, { 4: 2 ** 32 }))).toBe("bytes-integer");
    expect(verifies(concatBytes(sample(fork), Uint8Array.of(0)))).toBe("fault-format");
    expect(verifies(new Uint8Array(1_048_577))).toBe("fault-format");
  });

  it.each(names)("%s: with any one bit flipped is refused", (name) => {
    let tried = 0;
    for (const flipped of flippedBits(sample(name))) {
      const code = refusalOf(() => verifyFault(patient, flipped));
      if (code === undefined) throw new Error(`accepted with bit ${tried} flipped`);
      tried += 1;
    }
    expect(tried).toBe(8 * sample(name).length);
  });

  it("has every key once in each kind, and one meaning for each key", () => {
    const meanings = new Map<number, Set<string>>();
    for (const fields of Object.values(FAULT_FIELDS)) {
      const keys = Object.values(fields).map(({ key }) => key);
      expect(new Set(keys).size).toBe(keys.length);
      for (const [name, { key }] of Object.entries(fields)) {
        const side = name.replace(/^(?:other|later)/, "").toLowerCase();
        meanings.set(key, (meanings.get(key) ?? new Set()).add(side));
      }
    }
    expect([...meanings].filter(([key, means]) => key < 6 && means.size > 1)).toEqual([]);
  });

  it("joins objects and takes them apart again, and nothing else", () => {
    const objects = [Uint8Array.of(1), new Uint8Array(0), new Uint8Array(5000).fill(7)];
    expect(splitObjects(joinObjects(objects))).toEqual(objects);
    expect(refusalOf(() => splitObjects(Uint8Array.of(0x41)))).toBe("fault-format");
    expect(refusalOf(() => splitObjects(Uint8Array.of(0x01)))).toBe("fault-format");
  });
});

describe("a fork", () => {
  it("is shown by two roots of one size, or by two leaves at one index", async () => {
    const { roots, leaves } = await forks();
    expect(verifyFault(suite, roots)).toMatchObject({
      fault: "fork",
      finding: { rule: "two-roots", size: 17 },
    });
    expect(verifyFault(suite, leaves)).toMatchObject({
      fault: "fork",
      finding: { rule: "two-leaves", index: 16, sizes: [17, 18] },
    });
    expect(decodeFault(roots)).not.toHaveProperty("leaf");
  });

  it.each([0, 1, 2, 5, 15])("is built at the first of its differing leaves, leaf %i", async (index) => {
    const log = shortLog();
    const leaves = bytesOf(log);
    const extensions = new Map([[64, Uint8Array.of(1)]]);
    const changed = log.leaves.map(({ leaf }) =>
      encodeLeaf(leaf.seq < index ? leaf : { ...leaf, extensions }),
    );
    const one = await signedHistory(log, leaves);
    const other = await signedHistory(log, [...changed, Uint8Array.of(0xa0)]);
    const file = buildForkFault(suite, log.rules.identity, { one, other });
    expect(verifyFault(suite, file)).toMatchObject({
      finding: { rule: "two-leaves", index, sizes: [16, 17] },
    });
  });

  it("is none between a log and its beginning", async () => {
    const log = shortLog();
    await log.checkpoint();
    log.read({ importMwh: 5_000_000 });
    await log.checkpoint();
    const sides = { one: historyOf(log), other: historyOf(log, 16) };
    expect(refusalOf(() => buildForkFault(suite, log.rules.identity, sides))).toBe("fault-nothing");
    const same = { one: historyOf(log), other: historyOf(log) };
    expect(refusalOf(() => buildForkFault(suite, log.rules.identity, same))).toBe("fault-nothing");
  });
});

describe("two epochs", () => {
  it("are shown by a checkpoint above what the later one says was signed", async () => {
    expect(verifyFault(suite, await twoEpochs())).toMatchObject({
      fault: "two-epochs",
      finding: { rule: "signed-after-close", size: 17, oldSignedSize: 16, laterEpoch: 2, laterSize: 2 },
    });
  });

  const cases = [
    ["at that size", { sure: true, goesOn: false }],
    ["without knowing what was signed", { sure: false, goesOn: true }],
  ] as const;
  it.each(cases)("are none %s", async (_, { sure, goesOn }) => {
    const old = shortLog();
    await old.checkpoint();
    const later = openedLog({ epoch: 2 });
    openEpoch(later, old, sure);
    await later.checkpoint();
    if (goesOn) old.read({ importMwh: 2_000_000 });
    const { bytes: checkpoint } = await old.checkpoint();
    const build = (epoch: number): string | undefined =>
      refusalOf(() =>
        buildTwoEpochsFault(suite, old.rules.identity, { checkpoint, later: { ...historyOf(later), epoch } }),
      );
    expect(build(2)).toBe("fault-nothing");
    expect(build(3)).toBe("cose-kid");
  });

  it("are none where what was receipted is above what is said to be signed", async () => {
    const old = shortLog();
    await old.checkpoint();
    const later = openedLog({ epoch: 2 });
    const { logId } = old.rules;
    later.append({
      kind: "epochOpen",
      ...later.time(),
      oldLogId: logId,
      oldSize: 20,
      oldSignedSize: 5,
      reason: "",
    });
    await later.checkpoint();
    const { bytes: checkpoint } = old.checkpoints[0] ?? {};
    if (checkpoint === undefined) throw new Error("no checkpoint");
    const files = { checkpoint, later: { ...historyOf(later), epoch: 2 } };
    expect(refusalOf(() => buildTwoEpochsFault(suite, old.rules.identity, files))).toBe("fault-nothing");
  });
});

describe("a device key", () => {
  it("is the one of the header, whose log the checkpoint must carry", () => {
    for (const name of names) {
      expect(toHex(verifyFault(suite, sample(name)).identity.deviceKey)).toBe(toHex(device.publicKey));
      expect(verifies(changedFile(name, { 2: "example-grid" }))).toBe("cose-kid");
      expect(verifies(changedFile(name, { 4: 9 }))).toBe("cose-kid");
    }
  });
});

describe("a file that shows nothing", () => {
  it("is told from one that is damaged by its code", () => {
    expect(() => verifyFault(suite, changedFile("fork, two roots", { 6: sampleCheckpoint() }))).toThrow(
      Problem,
    );
    expect(verifies(changedFile("fork, two roots", { 6: sampleCheckpoint() }))).toBe("fault-nothing");
  });
});

function sampleCheckpoint(): Uint8Array {
  return decodeFault(sample("fork, two roots")).checkpoint;
}
