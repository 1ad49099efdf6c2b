import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../attest/bytes.ts";
import { signCheckpoint } from "../../attest/checkpoint.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { encodeAnyLeaf } from "../../attest/leaf-codec.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { portableSuite } from "../../attest/portable.ts";
import { type Batch, type VerifiedBatch, verifyBatch } from "../../attest/stream-verifier.ts";
import { LogBuilder } from "../kit/log-builder.ts";
import { outcomeOf } from "./refusal.ts";
import { MINUTE } from "./rules-kit.ts";
import { slowlyVerify } from "./slow-verifier.ts";
import { naiveRoot } from "./tree-kit.ts";

/**
 * The stream verifier against one without its short cuts (readings judged in place, hashes four at a time, tree by
 * levels): whatever is sent, both take it with the same result or refuse it in the same words.
 */

const signer = nativeSigner(new Uint8Array(32).fill(11));
/** The native suite with the hashes one after another, as where there is no WebAssembly. */
const { sha256Parts: _, ...oneByOne } = nativeSuite;
const SUITES = [nativeSuite, oneByOne];

type Happening = (log: LogBuilder) => void;

const reads: fc.Arbitrary<Happening> = fc
  .record({
    channel: fc.constantFrom(1, 2),
    count: fc.integer({ min: 1, max: 12 }),
    stepMs: fc.constantFrom(0, 5000, 20_000),
    risesMwh: fc.nat(1000),
    power: fc.option(fc.integer({ min: -5000, max: 5000 })),
    status: fc.option(fc.integer({ min: 1, max: 2 ** 32 })),
    details: fc.option(fc.constantFrom("evidence", "phases", "extension" as const)),
  })
  .map((of) => (log) => {
    for (let i = 0; i < of.count; i++) {
      log.timeMs += of.stepMs;
      const last = log.state(of.channel).last;
      log.read(
        {
          importMwh: (last?.importMwh ?? 1_000_000) + of.risesMwh,
          ...(of.channel === 2 ? { exportMwh: last?.exportMwh ?? 0 } : {}),
          ...(of.power === null ? {} : { activePowerMw: of.power - i }),
          ...(of.status === null ? {} : { status: of.status }),
          ...(of.details === "evidence" ? { evidence: new Uint8Array(16).fill(i) } : {}),
          ...(of.details === "phases"
            ? { voltageMv: [230_000, 231_000, 229_000], currentMa: [1, 2, 3] }
            : {}),
          ...(of.details === "extension" ? { extensions: new Map([[64, new Uint8Array(i)]]) } : {}),
        },
        of.channel,
      );
    }
  });
const others: fc.Arbitrary<Happening> = fc.constantFrom<Happening>(
  (log) => log.stepClock(log.timeMs + 1000),
  (log) => log.stepClock(log.timeMs - MINUTE),
  (log) => log.flexibility(),
  (log) => log.manifest({ serial: String(log.leaves.length) }),
  (log) => log.append({ kind: "tamper", ...log.time(), input: "lid", state: 1 }),
  (log) => log.append({ kind: "reading", channel: 1, ...log.time(), activePowerMw: 5 }),
  (log) =>
    log.append({ kind: "opaque", number: 40, ...log.time(), body: new Map([[20, new Uint8Array(600)]]) }),
  (log) => {
    log.timeMs += 50 * MINUTE;
  },
);
const history = fc.array(fc.oneof({ weight: 4, arbitrary: reads }, { weight: 1, arbitrary: others }), {
  maxLength: 9,
  size: "max",
});

function logOf(happenings: readonly Happening[]): LogBuilder {
  const log = new LogBuilder({ suite: nativeSuite, signer });
  log.manifest();
  log.manifest({ channel: 2, registers: 3, name: "second" });
  // What the rules refuse the builder does not write; the rest goes on.
  for (const happen of happenings) outcomeOf(() => happen(log));
  return log;
}

/** What is done to the leaves before the device signs over them: a device may sign anything. */
type Lie = (leaves: Uint8Array[], log: LogBuilder, any: number) => void;
const lies: Readonly<Record<string, Lie>> = {
  nothing: () => undefined,
  "a bit": (leaves, _log, any) => replace(leaves, any, (bytes) => flipped(bytes, any)),
  "a byte in the salt": (leaves, _log, any) =>
    replace(leaves, any, (bytes) => bytes.with(bytes.length - 1, any & 255)),
  "left out": (leaves, _log, any) => void leaves.splice(any % leaves.length, 1),
  doubled: (leaves, _log, any) =>
    void leaves.splice(any % leaves.length, 0, leaves[any % leaves.length] ?? new Uint8Array(0)),
  exchanged: (leaves, _log, any) => void leaves.push(...leaves.splice(any % leaves.length, 1)),
  cut: (leaves, _log, any) => replace(leaves, any, (bytes) => bytes.subarray(0, any % bytes.length)),
  "a byte more": (leaves, _log, any) =>
    replace(leaves, any, (bytes) => concatBytes(bytes, Uint8Array.of(any & 255))),
  "left out without a trace": (leaves, log, any) => {
    const first = log.leaves.length - leaves.length;
    const sent = log.leaves.slice(first);
    const others = sent.flatMap(({ leaf }, at) => (leaf.kind === "reading" ? [] : [at]));
    const kept = sent.toSpliced(others[any % others.length] ?? any % leaves.length, 1);
    const bytes = kept.map(({ leaf }, at) => encodeAnyLeaf({ ...leaf, seq: first + at }));
    leaves.splice(0, leaves.length, ...bytes);
  },
  "a key more": (leaves, _log, any) =>
    replace(leaves, any, ([head = 0, ...rest]) => Uint8Array.of(head + 1, ...rest, 24, 63, 0)),
  "another value": changeValue,
  "another value again": changeValue,
  "and again": changeValue,
};

function changeValue(leaves: Uint8Array[], log: LogBuilder, any: number): void {
  const sent = log.leaves.slice(-leaves.length);
  const readings = sent.flatMap(({ leaf }, at) => (leaf.kind === "reading" ? [{ leaf, at }] : []));
  const chosen = readings[any % readings.length];
  if (chosen !== undefined) leaves[chosen.at] = encodeAnyLeaf(changed(chosen.leaf, any));
}

function changed(leaf: Extract<Leaf, { kind: "reading" }>, any: number): Leaf {
  const values: readonly Partial<typeof leaf>[] = [
    { importMwh: Math.max(0, (leaf.importMwh ?? 0) - 1) },
    { importMwh: (leaf.importMwh ?? 0) + 1 },
    { exportMwh: 7 },
    { timeMs: leaf.timeMs - 1 },
    { timeMs: leaf.timeMs + 46 * MINUTE },
    { timeQuality: any % 5 },
    { channel: any % 4 },
    { seq: leaf.seq + 1 },
    { activePowerMw: -(2 ** 53 - 1) },
  ];
  return { ...leaf, ...values[(any >>> 8) % values.length] };
}

function replace(leaves: Uint8Array[], any: number, by: (bytes: Uint8Array) => Uint8Array): void {
  const at = any % leaves.length;
  const bytes = leaves[at];
  if (bytes !== undefined) leaves[at] = by(bytes.slice());
}

function flipped(bytes: Uint8Array, any: number): Uint8Array {
  const at = (any >> 3) % bytes.length;
  return bytes.with(at, (bytes[at] ?? 0) ^ (1 << (any & 7)));
}

/** Rules behind the first leaves of a log, and the rest of it as a batch with a lie in it, honestly signed over. */
interface Case {
  readonly rules: LogRules;
  readonly before: readonly Uint8Array[];
  readonly batch: Batch;
}

async function caseOf(
  log: LogBuilder,
  cut: number,
  lie: readonly [name: string, any: number],
): Promise<Case> {
  const rules = new LogRules(nativeSuite, log.rules.identity);
  const bytes = log.leaves.map((placed) => placed.bytes);
  const first = cut % bytes.length;
  for (const placed of log.leaves.slice(0, first)) rules.apply(placed.leaf, placed.bytes);
  const before = bytes.slice(0, first);
  const leaves = bytes.slice(first);
  lies[lie[0]]?.(leaves, log, lie[1]);
  const { timeMs } = log.rules.lastTime;
  const checkpoint = await signCheckpoint(signer, rules.logId, {
    ...{ size: first + leaves.length, root: naiveRoot([...before, ...leaves]) },
    ...{ lastLeafMs: timeMs, issuedAtMs: timeMs, timeQuality: 3, bootCount: 1 },
    manifestHash: log.rules.manifestHash,
  });
  return { rules, before, batch: { leaves: concatBytes(...leaves), checkpoint } };
}

function resultOf(verify: () => VerifiedBatch): unknown {
  return outcomeOf(() => {
    const { rules, checkpoint, leaves } = verify();
    return { rules: rules.toText(), checkpoint, leaves };
  });
}

describe("the stream verifier and one without short cuts", () => {
  it("say the same of whatever a device signs", async () => {
    const seen = new Map<string, number>();
    const lie = fc.tuple(fc.constantFrom(...Object.keys(lies)), fc.nat());
    const cuts = fc.oneof(fc.nat(4), fc.nat());
    await fc.assert(
      fc.asyncProperty(
        history,
        cuts,
        fc.array(lie, { minLength: 4, maxLength: 8 }),
        async (happenings, cut, told) => {
          const log = logOf(happenings);
          for (const each of [["nothing", 0] as const, ...told]) {
            const { rules, before, batch } = await caseOf(log, cut, each);
            const expected = resultOf(() => slowlyVerify(rules, batch, before));
            const text = rules.toText();
            for (const suite of SUITES) {
              const own = new LogRules(suite, rules.identity);
              for (const placed of log.leaves.slice(0, rules.size)) own.apply(placed.leaf, placed.bytes);
              expect(resultOf(() => verifyBatch(suite, own, batch))).toEqual(expected);
              expect(own.toText()).toBe(text);
            }
            note(seen, expected);
          }
        },
      ),
      { numRuns: 120 },
    );
    const codes = ["taken", "seq", "gap-missing", "channel-unknown", "leaf-unknown-key", "cbor-truncated"];
    expect([...seen.keys()]).toEqual(expect.arrayContaining(codes));
    console.log(`batches: ${[...seen].map(([code, count]) => `${count} ${code}`).join(", ")}`);
  });

  it("say the same of a batch whose bytes were changed on the way", async () => {
    const log = logOf([]);
    log.readMany(70, { stepMs: 20_000, risesMwh: 50 });
    const { rules, before, batch } = await caseOf(log, 5, ["nothing", 0]);
    const change = fc.tuple(fc.nat(batch.leaves.length - 1), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (changes) => {
        const leaves = batch.leaves.slice();
        for (const [at, mask] of changes) leaves[at] = (leaves[at] ?? 0) ^ mask;
        const sent = { ...batch, leaves };
        expect(resultOf(() => verifyBatch(nativeSuite, rules, sent))).toEqual(
          resultOf(() => slowlyVerify(rules, sent, before)),
        );
      }),
      { numRuns: 400 },
    );
  });

  it("agree in a browser's suite, too", async () => {
    const log = logOf([]);
    log.readMany(40, { stepMs: 60_000, risesMwh: 50 });
    const { rules, before, batch } = await caseOf(log, 0, ["nothing", 0]);
    const own = new LogRules(portableSuite, rules.identity);
    expect(resultOf(() => verifyBatch(portableSuite, own, batch))).toEqual(
      resultOf(() => slowlyVerify(rules, batch, before)),
    );
  });
});

function note(seen: Map<string, number>, outcome: unknown): void {
  const code =
    typeof outcome === "object" && outcome !== null && "code" in outcome ? String(outcome.code) : "taken";
  seen.set(code, (seen.get(code) ?? 0) + 1);
}
