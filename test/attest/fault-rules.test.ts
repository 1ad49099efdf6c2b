import { describe, expect, it } from "vitest";
import { buildFalseLeafFault } from "../../attest/fault-build.ts";
import { suspectSeqs } from "../../attest/fault-choice.ts";
import { RULE_WORDS } from "../../attest/fault-rule-words.ts";
import { LEAF_RULES } from "../../attest/fault-rules.ts";
import { verifyFault } from "../../attest/fault-verify.ts";
import {
  CLOSE_SHAPE,
  DISCONTINUITY,
  type IntervalClose,
  REGISTER,
  TIME_QUALITY,
  type Unplaced,
} from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import { KIND_FIELDS } from "../../attest/leaf-fields.ts";
import { LogRules } from "../../attest/log-rules.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import {
  bytesOf,
  fallingReading,
  falseLastLeaf,
  lastOf,
  ruleOf,
  shortLog,
  showing,
  signedHistory,
  withLeaf,
} from "./fault-forge.ts";
import { INTERVAL_MS, openedLog, suite } from "./fault-kit.ts";
import { refusalOf } from "./refusal.ts";

describe("the rules for leaves", () => {
  it("have a code each and words for each code", () => {
    const codes = LEAF_RULES.map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    expect(Object.keys(RULE_WORDS).sort()).toEqual([...codes, "leaf-seq", "leaf-unlawful"].sort());
  });
});

describe("bytes that are no leaf", () => {
  const salt = new Uint8Array(16);
  const leaf = encodeLeaf({
    ...{ kind: "tamper", seq: 16, timeMs: 5, timeQuality: 3, salt },
    input: "",
    state: 1,
  });
  /** As {@link leaf}, with other bytes from an offset on. */
  const withBytes = (offset: number, ...bytes: number[]): Uint8Array => {
    const copy = leaf.slice();
    copy.set(bytes, offset);
    return copy;
  };

  it.each([
    ["cut short", leaf.slice(0, -1)],
    ["nothing", new Uint8Array(0)],
    ["longer than a leaf", new Uint8Array(4097)],
    ["with a byte behind it", Uint8Array.of(...leaf, 0)],
    ["a number", Uint8Array.of(5)],
    ["not in its shortest form", Uint8Array.of(0xa1, 0x18, 0x00, 0x05)],
    ["of kind 0, written out", withBytes(2, 0)],
    ["of a kind that can never be", Uint8Array.of(0xa1, 0, 0x18, 64)],
    ["of a kind that can never be, with a byte behind it", Uint8Array.of(0xa1, 0, 0x18, 64, 0)],
    ["of an unknown kind, with a byte behind it", Uint8Array.of(...withBytes(2, 19), 0)],
    ["of an unknown time quality, with a byte behind it", Uint8Array.of(...withBytes(8, 5), 0)],
    ["without what its kind must have", Uint8Array.of(0xa1, 0, 8)],
  ])("are shown as they are: %s", async (_, bytes) => {
    const log = shortLog();
    const file = await falseLastLeaf(log, [...bytesOf(log), bytes]);
    expect(verifyFault(suite, file)).toMatchObject({
      finding: { rule: "leaf-unlawful", leaves: [16], size: 17 },
    });
  });

  it.each([
    ["an unknown kind", withBytes(2, 19)],
    ["a time quality that is not known", withBytes(8, 5)],
    ["a key that is not known, and little else that is right", Uint8Array.of(0xa2, 0, 8, 0x18, 40, 1)],
    [
      "an unknown key",
      encodeLeaf({
        ...{ kind: "opaque", number: 40, seq: 16, timeMs: 5, timeQuality: 3, salt },
        body: new Map([[9, 1]]),
      }).map((byte, at) => (at === 2 ? 0x18 : at === 3 ? 0x1e : byte)),
    ],
  ])("may be a later version's: %s", async (_, bytes) => {
    const log = shortLog();
    const history = await signedHistory(log, [...bytesOf(log), bytes]);
    const build = (): unknown => buildFalseLeafFault(suite, log.rules.identity, { history, seqs: [16] });
    expect(refusalOf(build)).toBe("fault-newer");
    expect(refusalOf(() => verifyFault(suite, showing(log, history, [15, 16])))).toMatch(/^(leaf-|field$)/);
  });

  it("are also those of a leaf that says it is elsewhere", async () => {
    const log = shortLog();
    const { bytes } = log.leaves[9] ?? {};
    if (bytes === undefined) throw new Error("no leaf 9");
    const file = await falseLastLeaf(log, [...bytesOf(log), bytes]);
    expect(verifyFault(suite, file)).toMatchObject({
      finding: { rule: "leaf-seq", leaves: [16], expected: "16", got: "9" },
    });
  });
});

describe("a log as a whole", () => {
  it("begins with its manifest, which is of this log", async () => {
    const log = shortLog();
    const reading = encodeLeaf({ ...lastOf(log, "reading"), seq: 0 });
    expect(ruleOf(await falseLastLeaf(log, [reading]))).toBe("manifest-missing");
    for (const changes of [{ network: "other" }, { epoch: 2 }, { deviceKey: new Uint8Array(32) }])
      expect(
        ruleOf(await falseLastLeaf(log, [encodeLeaf({ ...lastOf(log, "logManifest"), ...changes })])),
      ).toBe("manifest-identity");
    const short = encodeLeaf({ ...lastOf(log, "logManifest"), intervalMs: 999 });
    expect(ruleOf(await falseLastLeaf(log, [short]))).toBe("manifest-interval");
  });

  it("has one manifest", async () => {
    const log = shortLog();
    expect(ruleOf(await falseLastLeaf(log, withLeaf(log, lastOf(log, "logManifest"))))).toBe(
      "manifest-twice",
    );
  });

  it("is what its checkpoint says of the first and of the last leaf", async () => {
    const log = shortLog();
    const build = async (changes: object): Promise<string> => {
      const history = await signedHistory(log, bytesOf(log), changes);
      return ruleOf(buildFalseLeafFault(suite, log.rules.identity, { history, seqs: [15] }));
    };
    expect(await build({ manifestHash: new Uint8Array(32) })).toBe("checkpoint-manifest");
    expect(await build({ lastLeafMs: log.timeMs + 1 })).toBe("checkpoint-time");
  });
});

describe("a contradiction far behind", () => {
  it("is proven with the leaves between and no more, under a later checkpoint", async () => {
    const log = shortLog();
    const leaves = withLeaf(log, fallingReading(log));
    const history = await signedHistory(log, [...leaves, ...leaves, ...leaves]);
    const file = buildFalseLeafFault(suite, log.rules.identity, { history, seqs: [16] });
    expect(verifyFault(suite, file)).toMatchObject({
      finding: {
        rule: "register-drop",
        leaves: [15, 16],
        property: "importMwh",
        expected: "1008400 or more",
        got: "5",
      },
    });
  });

  it("is not shown while a leaf between the two is left out", async () => {
    const log = shortLog();
    log.append({ kind: "tamper", ...log.time(), input: "lid", state: 1 });
    const history = await signedHistory(log, withLeaf(log, fallingReading(log)));
    expect(ruleOf(showing(log, history, [15, 16, 17]))).toBe("register-drop");
    expect(refusalOf(() => verifyFault(suite, showing(log, history, [15, 17])))).toBe("fault-nothing");
  });
});

/** A log whose closes together carry every property that a close can have. */
function richLog(): LogBuilder {
  const log = openedLog();
  log.manifest({ registers: BOTH, samplingMs: 5000 });
  readTimes(log, 30);
  log.discontinuity({ importMwh: 999, exportMwh: 7 }, { classification: DISCONTINUITY.settingsChanged });
  readTimes(log, 30);
  log.append({ kind: "opaque", number: 33, ...log.time(), body: new Map() });
  log.stepClock(log.timeMs + 77_000);
  readTimes(log, 8);
  log.manifest({ registers: BOTH, firmware: "2" });
  log.timeMs += 2 * INTERVAL_MS;
  readTimes(log, 30);
  log.stepClock(1000, TIME_QUALITY.sinceBoot);
  readTimes(log, 8);
  log.stepClock(1_800_000_000_000, TIME_QUALITY.ntp);
  readTimes(log, 14);
  return log;
}

const BOTH = REGISTER.import | REGISTER.export;

function readTimes(log: LogBuilder, count: number): void {
  for (let i = 0; i < count; i++) {
    log.timeMs += 5000;
    const { last } = log.state();
    const values = { importMwh: (last?.importMwh ?? 0) + 999, exportMwh: (last?.exportMwh ?? 0) + 7 };
    log.read({ ...values, activePowerMw: i % 40, status: 1 + (i % 8) });
  }
}

const rich = richLog();
const closes = rich.leaves.flatMap(({ leaf }) => (leaf.kind === "intervalClose" ? [leaf] : []));
const fields = Object.keys(KIND_FIELDS.intervalClose).filter((name) => name !== "channel");

/** The close with another value of a property, or with none where it is optional. */
function changedClose(close: IntervalClose, name: string, by: number | undefined): IntervalClose | undefined {
  const values = new Map<string, unknown>(Object.entries(close));
  const value = values.get(name);
  if (by === undefined && value === undefined) return undefined;
  if (by === undefined) values.delete(name);
  else if (value instanceof Uint8Array)
    values.set(
      name,
      value.map((byte) => byte ^ 1),
    );
  else values.set(name, Number(value ?? 0) + by);
  // Only one value has become another one of its type, or the codec refuses it.
  const leaf = Object.fromEntries(values) as unknown as IntervalClose;
  return refusalOf(() => encodeLeaf(leaf)) === undefined && (leaf.shape ?? 0) <= 7 ? leaf : undefined;
}

/** For each close the leaves that the state before it points at. */
function suspectsOf(log: LogBuilder): ReadonlyMap<number, readonly number[]> {
  const rules = new LogRules(suite, log.rules.identity);
  const suspects = new Map<number, readonly number[]>();
  for (const { leaf, bytes } of log.leaves) {
    if (leaf.kind === "intervalClose") suspects.set(leaf.seq, suspectSeqs(rules.channels.get(leaf.channel)));
    rules.apply(leaf, bytes);
  }
  return suspects;
}

const suspects = suspectsOf(rich);

describe("a close that says anything else than the leaves before it", () => {
  it("is one of closes that carry every property and every shape", () => {
    const present = new Set(closes.flatMap((close) => Object.keys(close)));
    expect(fields.filter((name) => !present.has(name))).toEqual([]);
    const shapes = closes.reduce((all, { shape = 0 }) => all | shape, 0);
    expect(shapes).toBe(Object.values(CLOSE_SHAPE).reduce((all: number, bit) => all | bit, 0));
  });

  it.each(fields)("is proven false by its %s", async (name) => {
    let tried = 0;
    for (const close of closes) {
      const seqs = [...(suspects.get(close.seq) ?? []), close.seq];
      for (const by of [1, -1, 4, undefined]) {
        const leaf = changedClose(close, name, by);
        if (leaf === undefined) continue;
        tried += 1;
        const leaves = [...bytesOf(rich).slice(0, close.seq), encodeLeaf(leaf)];
        const history = await signedHistory(rich, leaves, { lastLeafMs: leaf.timeMs });
        const file = buildFalseLeafFault(suite, rich.rules.identity, { history, seqs });
        expect(verifyFault(suite, file)).toMatchObject({
          finding: { leaves: expect.arrayContaining([close.seq]) },
        });
        expect(file.length).toBeLessThan(20_000);
      }
    }
    expect(tried).toBeGreaterThanOrEqual(closes.length);
  });
});

describe("a count that goes on from one meter to another", () => {
  it("is proven by two closes and two manifests", async () => {
    const log = shortLog();
    log.breakChain();
    const ended = lastOf(log, "intervalClose");
    const leaves = withLeaf(log, log.manifestLeaf({ serial: "4712" }));
    const manifestSeq = leaves.length - 1;
    const reading: Unplaced = { kind: "reading", channel: 1, ...log.time(), importMwh: 9_000_000 };
    const at = (seq: number): { readonly seq: number; readonly salt: Uint8Array } => ({
      seq,
      salt: new Uint8Array(16),
    });
    leaves.push(encodeLeaf({ ...reading, ...at(manifestSeq + 1) }));
    const { hash } = log.leaves[0] ?? {};
    if (hash === undefined) throw new Error("no log manifest");
    const manifestHash = suite.sha256(Uint8Array.of(0, ...(leaves[manifestSeq] ?? [])));
    const close: IntervalClose = {
      ...ended,
      ...at(manifestSeq + 2),
      ...{ t0Ms: ended.t1Ms, t1Ms: log.timeMs, openingSeq: ended.closingSeq, closingSeq: manifestSeq + 1 },
      ...{ openingImportMwh: ended.closingImportMwh ?? 0, closingImportMwh: 9_000_000 },
      ...{ shape: CLOSE_SHAPE.opensChain | CLOSE_SHAPE.endsChain },
      ...{ count: 1, manifestSeq, manifestHash, previousCloseSeq: ended.seq },
    };
    const { minPowerMw: _min, maxPowerMw: _max, ...powerless } = close;
    leaves.push(encodeLeaf(powerless));
    const file = await falseLastLeaf(log, leaves);
    expect(verifyFault(suite, file)).toMatchObject({
      finding: { rule: "close-meter", property: "serial", leaves: [1, ended.seq, manifestSeq, close.seq] },
    });
  });
});
