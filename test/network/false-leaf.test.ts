import { describe, expect, it } from "vitest";
import { decodeCborMap, encodeCbor } from "../../attest/cbor.ts";
import type { Checkpoint } from "../../attest/checkpoint.ts";
import type { Unplaced } from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import { bytesOf, fallingReading, lastOf, shortLog } from "../attest/fault-forge.ts";
import { openedLog } from "../attest/fault-kit.ts";
import { EPOCH_MS, type LogBuilder } from "../kit/log-builder.ts";
import { court, shown, signed, unsigned } from "./fault-kit.ts";

/** What a device signs behind a lawful log. */
interface Lie {
  readonly leaves: readonly Uint8Array[];
  readonly checkpoint?: Partial<Checkpoint>;
}

/** Tells a lie, with which code the node refuses it, and which rule the file shows to be broken. */
type Lying = readonly [lie: (log: LogBuilder) => Lie, code: string, rule: string];

function honestLog(): LogBuilder {
  return shortLog().readMany(5, { stepMs: 5000, risesMwh: 700 });
}

function reading(log: LogBuilder, changes: object = {}): Uint8Array {
  const { timeMs, timeQuality } = log.time();
  return log.place({ kind: "reading", channel: 1, timeMs, timeQuality, importMwh: 2_000_000, ...changes })
    .bytes;
}

/** One leaf, and the checkpoint says its time. */
function alone(log: LogBuilder, leaf: Unplaced): Lie {
  return { leaves: [log.place(leaf).bytes], checkpoint: { lastLeafMs: leaf.timeMs } };
}

function closeOfOneMore(log: LogBuilder): Lie {
  log.timeMs += 30_000;
  log.closeDue();
  const close = lastOf(log, "intervalClose");
  log.leaves.pop();
  return { leaves: [encodeLeaf({ ...close, count: close.count + 1 })] };
}

/** A map of one key whose value takes a byte too many. */
const NOT_SHORTEST = Uint8Array.of(0xa1, 1, 0x18, 5);
const earlier = (log: LogBuilder): Lie => alone(log, { ...fallingReading(log), timeMs: log.timeMs - 1 });

const LIES: Readonly<Record<string, Lying>> = {
  "a falling register": [(log) => alone(log, fallingReading(log)), "register-drop", "register-drop"],
  "a time that goes back": [earlier, "time-backwards", "time-backwards"],
  "a pause not stated": [
    (log) => alone(log, { ...fallingReading(log), timeMs: log.timeMs + 600_000 }),
    ...(["gap-missing", "gap-missing"] as const),
  ],
  "a clock that is lost without a step": [
    (log) => ({ leaves: [reading(log, { timeQuality: 0 })] }),
    ...(["time-quality", "time-quality"] as const),
  ],
  "a close that counts one more": [closeOfOneMore, "leaf-mismatch", "close-count"],
  "a second manifest": [(log) => alone(log, lastOf(log, "logManifest")), "manifest-twice", "manifest-twice"],
  "a leaf of another place": [
    (log) => ({ leaves: [encodeLeaf({ ...lastOf(log, "reading"), seq: 5 })] }),
    ...(["seq", "leaf-seq"] as const),
  ],
  "bytes that are no leaf": [
    () => ({ leaves: [Uint8Array.of(0xa1, 1)] }),
    ...(["cbor-truncated", "leaf-unlawful"] as const),
  ],
  "another encoding, and a leaf behind it": [
    (log) => ({ leaves: [NOT_SHORTEST, reading(log)] }),
    ...(["cbor-not-shortest", "leaf-unlawful"] as const),
  ],
  "a false time of the last leaf": [
    (log) => ({ leaves: [reading(log)], checkpoint: { lastLeafMs: 5 } }),
    ...(["checkpoint-time", "checkpoint-time"] as const),
  ],
  "a false manifest": [
    (log) => ({ leaves: [reading(log)], checkpoint: { manifestHash: new Uint8Array(32) } }),
    ...(["checkpoint-manifest", "checkpoint-manifest"] as const),
  ],
};
const lies = Object.entries(LIES).map(([name, lying]) => [name, ...lying] as const);
const falseLeaves = lies.filter(([, , , rule]) => !rule.startsWith("checkpoint-"));

describe("leaves that a device has signed against the rules", () => {
  it.each(lies)("are kept with a file that shows it: %s", async (_, lie, code, rule) => {
    const at = court();
    const log = honestLog();
    const honest = bytesOf(log);
    expect(await at.send(await signed(log, honest))).toBe("accepted");
    const { leaves, checkpoint = {} } = lie(log);
    const batch = await signed(log, [...honest, ...leaves], { firstSeq: honest.length, checkpoint });
    expect(await at.send(batch)).toBe(code);
    expect(await shown(at)).toEqual([rule]);
    const size = honest.length + leaves.length;
    const detail = expect.stringMatching(new RegExp(`^${code}: `));
    expect(await at.faults()).toMatchObject([
      { kind: "false-leaf", epoch: 1, size, ours: null, theirs: batch.checkpoint, detail },
    ]);
    const before = at.version();
    expect(await at.send(batch)).toBe(code);
    expect(at.version()).toBe(before);
  });

  it.each(falseLeaves)("accuse nobody under a checkpoint that is not over them: %s", async (_, lie) => {
    const at = court();
    const log = honestLog();
    const honest = bytesOf(log);
    await at.send(await signed(log, honest));
    const before = at.version();
    const { leaves } = lie(log);
    const others = leaves.map((_leaf, i) => reading(log, { importMwh: 3_000_000 + i }));
    const { checkpoint } = await signed(log, [...honest, ...others]);
    const batch = { ...unsigned(log, [...honest, ...leaves], honest.length), checkpoint };
    expect(await at.send(batch)).not.toBe("accepted");
    expect(at.version()).toBe(before);
  });

  it("are kept where they would have opened a log", async () => {
    const at = court();
    const log = honestLog();
    const manifest = { ...lastOf(log, "logManifest"), epoch: 7 };
    const renamed = [encodeLeaf(manifest), ...bytesOf(log).slice(1)];
    expect(await at.send(await signed(log, renamed))).toBe("manifest-identity");
    const headless = openedLog({ epoch: 2 });
    headless.leaves.pop();
    expect(await at.send(await signed(headless, [reading(headless)]))).toBe("manifest-missing");
    expect(await shown(at)).toEqual(["manifest-identity", "manifest-missing"]);
    expect(await at.store.newestHead(log.signer.publicKey)).toBeUndefined();
  });

  it("are found across batches, in a log of many subtrees", async () => {
    const at = court();
    const log = honestLog().readMany(700, { stepMs: 5000, risesMwh: 7 });
    const leaves = [...bytesOf(log), log.place(fallingReading(log)).bytes];
    const last = leaves.length - 1;
    for (let firstSeq = 0; firstSeq < last; firstSeq += 37) {
      const end = Math.min(firstSeq + 37, last);
      const lastLeafMs = log.leaves[end - 1]?.leaf.timeMs ?? 0;
      const batch = await signed(log, leaves.slice(0, end), { firstSeq, checkpoint: { lastLeafMs } });
      expect(await at.send(batch)).toBe("accepted");
    }
    expect(await at.send(await signed(log, leaves, { firstSeq: last }))).toBe("register-drop");
    expect(await shown(at)).toEqual(["register-drop"]);
  });
});

/** What a later version may allow, and what the format has no rule for: name, leaf, the code of the refusal. */
const UNPROVABLE: readonly (readonly [string, (log: LogBuilder) => Uint8Array, string])[] = [
  ["a kind of a later version", (log) => changedLeaf(log, 0, 25), "leaf-kind"],
  ["a key of a later version", (log) => changedLeaf(log, 50, 1), "leaf-unknown-key"],
  ["a quality of a later version", (log) => changedLeaf(log, 3, 5), "leaf-time-quality"],
  ["a channel without a manifest", (log) => reading(log, { channel: 9 }), "channel-unknown"],
];

/** A reading, one of whose keys has another value. */
function changedLeaf(log: LogBuilder, key: number, value: number): Uint8Array {
  return encodeCbor(new Map(decodeCborMap(reading(log))).set(key, value));
}

describe("signed leaves that no file can show to be false", () => {
  it.each(UNPROVABLE)("are refused, and nothing is kept: %s", async (_, leafOf, code) => {
    const at = court();
    const log = honestLog();
    const honest = bytesOf(log);
    await at.send(await signed(log, honest));
    const before = at.version();
    const batch = await signed(log, [...honest, leafOf(log)], { firstSeq: honest.length });
    expect(await at.send(batch)).toBe(code);
    expect(at.version()).toBe(before);
  });
});

describe("what a device can make a node do", () => {
  it("is bounded by the log: sixteen faults, each once", async () => {
    const at = court();
    const log = honestLog();
    const honest = bytesOf(log);
    await at.send(await signed(log, honest));
    for (let bootCount = 1; bootCount <= 20; bootCount++) {
      const leaves = [...honest, log.place(fallingReading(log)).bytes];
      const lie = await signed(log, leaves, { firstSeq: honest.length, checkpoint: { bootCount } });
      expect(await at.send(lie)).toBe("register-drop");
    }
    expect(await at.faults()).toHaveLength(16);
  });

  it("is bounded by what it gets accepted: sixteen looks into its leaves, then none until the log grows", async () => {
    const at = court();
    const log = honestLog();
    const honest = bytesOf(log);
    await at.send(await signed(log, honest));
    const lie = [...honest, log.place(fallingReading(log)).bytes];
    for (let importMwh = 1; importMwh <= 16; importMwh++) {
      const vain = [...honest, reading(log, { channel: 9, importMwh })];
      expect(await at.send(await signed(log, vain, { firstSeq: honest.length }))).toBe("channel-unknown");
    }
    expect(await at.send(await signed(log, lie, { firstSeq: honest.length }))).toBe("register-drop");
    expect(await shown(at)).toEqual([]);
    log.readMany(1, { stepMs: 5000, risesMwh: 7 });
    await at.send(await signed(log, bytesOf(log), { firstSeq: honest.length }));
    const next = [...bytesOf(log), log.place(fallingReading(log)).bytes];
    expect(await at.send(await signed(log, next, { firstSeq: honest.length + 1 }))).toBe("register-drop");
    expect(await shown(at)).toEqual(["register-drop"]);
  });

  it("is bounded by the device where it opens no log, beside the faults of those that are stored", async () => {
    const at = court();
    const log = honestLog();
    const honest = bytesOf(log);
    await at.send(await signed(log, honest));
    for (let epoch = 2; epoch <= 21; epoch++) {
      const other = openedLog({ epoch });
      other.leaves.pop();
      expect(await at.send(await signed(other, [reading(other)]))).toBe("manifest-missing");
    }
    expect(await at.faults()).toHaveLength(16);
    const lie = [...honest, log.place(fallingReading(log)).bytes];
    await at.send(await signed(log, lie, { firstSeq: honest.length }));
    expect(await at.faults()).toHaveLength(17);
    expect(await at.store.device(log.signer.publicKey)).toMatchObject({ faults: 17 });
  });

  /** Channel 2 once, then channel 1 for long, then channel 2 in the past. */
  async function farBack(intervalMs: number): Promise<readonly [string, (string | null)[]]> {
    const at = court();
    const log = openedLog({ intervalMs, startMs: EPOCH_MS });
    for (const channel of [1, 2]) log.manifest({ channel, name: `${channel}` });
    const { timeMs } = log;
    log.read({ importMwh: 5 }, 2);
    log.readMany(700, { stepMs: 1000, risesMwh: 700 });
    const honest = bytesOf(log);
    await at.send(await signed(log, honest));
    const { leaves, checkpoint = {} } = alone(log, {
      ...{ kind: "reading", channel: 2, timeMs: timeMs - 1, timeQuality: log.timeQuality, importMwh: 6 },
    });
    const lie = await signed(log, [...honest, ...leaves], { firstSeq: honest.length, checkpoint });
    return [await at.send(lie), await shown(at)];
  }

  it("is bounded in what is searched for a file: hundreds of readings, not hundreds of closes", async () => {
    expect(await farBack(900_000)).toEqual(["time-backwards", ["time-backwards"]]);
    expect(await farBack(1000)).toEqual(["time-backwards", []]);
  });
});
