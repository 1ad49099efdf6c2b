import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Field } from "../../attest/field.ts";
import { CLOSE_SHAPE, DISCONTINUITY, type IntervalClose, type Leaf, REGISTER } from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import { KIND_FIELDS } from "../../attest/leaf-fields.ts";
import { LogRules, restoreRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { EPOCH_MS, LogBuilder } from "../kit/log-builder.ts";
import { refusalOf } from "./refusal.ts";

/** A close as the log holds it, and the rules as they were before it. */
interface Close {
  readonly leaf: IntervalClose;
  readonly rules: LogRules;
}

/** A log whose closes together carry every property that a close can have. */
function closesWithEverything(): Close[] {
  const log = new LogBuilder({ suite: nativeSuite, startMs: EPOCH_MS - 5000 });
  log.manifest({ registers: REGISTER.import | REGISTER.export });
  read(log, 200);
  log.discontinuity({ importMwh: 999, exportMwh: 7 }, { classification: DISCONTINUITY.settingsChanged });
  read(log, 200);
  log.stepClock(log.timeMs + 77_000);
  log.timeMs += 1_000_000;
  read(log, 500);
  log.append({ kind: "opaque", number: 40, ...log.time(), body: new Map() });
  read(log, 200);
  const rules = new LogRules(nativeSuite, log.rules.identity);
  return log.leaves.flatMap(({ leaf, bytes }) => {
    const found = leaf.kind === "intervalClose" ? [{ leaf, rules: rules.clone() }] : [];
    rules.apply(leaf, bytes);
    return found;
  });
}

function read(log: LogBuilder, count: number): void {
  for (let i = 0; i < count; i++) {
    log.timeMs += 5000;
    const { last } = log.state();
    const values = { importMwh: (last?.importMwh ?? 0) + 999, exportMwh: (last?.exportMwh ?? 0) + 7 };
    log.read({ ...values, activePowerMw: i % 40, status: 1 + (i % 8) });
  }
}

const closes = closesWithEverything();
const fields = Object.entries<Field>(KIND_FIELDS.intervalClose).filter(([name]) => name !== "channel");

/** `leaf` with another value of `name`, or with the value left out where that is possible. */
function changed(leaf: IntervalClose, name: string, by: number): IntervalClose | undefined {
  const values = new Map<string, unknown>(Object.entries(leaf));
  const value = values.get(name);
  const optional = fields.find(([field]) => field === name)?.[1].optional === true;
  if (by === 0 && (!optional || value === undefined)) return undefined;
  if (by === 0) values.delete(name);
  else if (value instanceof Uint8Array) values.set(name, flippedBit(value, by));
  else values.set(name, Number(value ?? 0) + by);
  // Only one value has become another one of its type.
  return Object.fromEntries(values) as unknown as IntervalClose;
}

function flippedBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  const at = Math.abs(bit) % (8 * copy.length);
  copy[at >> 3] = (copy[at >> 3] ?? 0) ^ (1 << (at & 7));
  return copy;
}

function codeOf({ rules }: Close, leaf: Leaf): string | undefined {
  return refusalOf(() => rules.clone().apply(leaf, encodeLeaf(leaf)));
}

describe("a close that differs in one field", () => {
  it("is taken when it does not differ, with every property of a close somewhere among them", () => {
    for (const close of closes) expect(codeOf(close, close.leaf)).toBeUndefined();
    const present = new Set(closes.flatMap(({ leaf }) => Object.keys(leaf)));
    expect(fields.map(([name]) => name).filter((name) => !present.has(name))).toEqual([]);
    const shapes = closes.map(({ leaf }) => leaf.shape ?? 0).reduce((all, shape) => all | shape);
    expect(shapes).toBe(CLOSE_SHAPE.coarse | CLOSE_SHAPE.opensChain | CLOSE_SHAPE.endsChain);
  });

  it.each(fields.map(([name]) => name))("%s is refused", (name) => {
    const by = fc.oneof(fc.constantFrom(-1, 0, 1), fc.integer({ min: -2_000_000, max: 2_000_000 }));
    let tried = 0;
    fc.assert(
      fc.property(fc.constantFrom(...closes), by, (close, difference) => {
        const leaf = changed(close.leaf, name, difference);
        if (leaf === undefined) return;
        tried += 1;
        // Below zero the codec refuses it already; a shape that ends the chain is compared with another close.
        expect(["leaf-mismatch", "close-unexpected", "field"]).toContain(codeOf(close, leaf));
      }),
    );
    expect(tried).toBeGreaterThan(20);
  });

  it("is refused for another channel's number and for an earlier time", () => {
    for (const close of closes) {
      expect(codeOf(close, { ...close.leaf, channel: 2 })).toBe("channel-unknown");
      expect(codeOf(close, { ...close.leaf, timeMs: 0 })).toBe("time-backwards");
    }
  });
});

describe("rules kept and restored", () => {
  it("go on as if nothing had happened, from every leaf of a log", () => {
    for (const { rules, leaf } of closes) {
      const restored = restoreRules(nativeSuite, rules.identity, rules.toText());
      expect(restored.toText()).toBe(rules.toText());
      expect([...restored.channels]).toEqual([...rules.channels]);
      expect(restored.size).toBe(rules.size);
      expect(restored.root()).toEqual(rules.root());
      expect(restored.apply(leaf, encodeLeaf(leaf))).toEqual(rules.clone().apply(leaf, encodeLeaf(leaf)));
    }
  });

  it("keep byte strings as byte strings, and nothing of extensions", () => {
    const log = new LogBuilder({ suite: nativeSuite });
    const extensions = new Map([[64, Uint8Array.of(1)]]);
    log.manifest({ extensions, profileDigest: new Uint8Array(32).fill(3) });
    const restored = restoreRules(nativeSuite, log.rules.identity, log.rules.toText());
    expect(restored.channels.get(1)).toEqual(log.rules.channels.get(1));
    expect(restored.channels.get(1)?.manifest.profileDigest).toEqual(new Uint8Array(32).fill(3));
    expect(restored.manifestHash).toEqual(log.rules.manifestHash);
  });

  it("are refused in another version or outline", () => {
    const { rules } = closes[0] ?? {};
    if (rules === undefined) throw new Error("no closes");
    const text = rules.toText();
    const restore = (changed: string): string | undefined =>
      refusalOf(() => restoreRules(nativeSuite, rules.identity, changed));
    expect(restore(text.replace('"version":1', '"version":2'))).toBe("rules-version");
    expect(restore('{"version":1}')).toBe("rules-version");
    expect(restore("[]")).toBe("rules-version");
    expect(restore(text.slice(1))).toBe("json");
    expect(restore(text.replace(/"size":\d+/, '"size":3'))).toBe("tree-frontier");
    expect(restore(text.replace(/("peaks":\[")../, "$1.."))).toBe("json");
  });

  it("are refused whatever single value of them is of another type, and by no other code", () => {
    const { rules } = closes[1] ?? {};
    if (rules === undefined) throw new Error("no closes");
    const codes = new Map<string, number>();
    for (const changed of changedValues(JSON.parse(rules.toText()))) {
      const text = JSON.stringify(changed);
      const code = refusalOf(() => restoreRules(nativeSuite, rules.identity, text)) ?? "taken";
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    // Taken are those that only lack what need not be there.
    expect([...codes.keys()].sort()).toEqual(["json", "rules-version", "taken", "tree-frontier"]);
    expect(codes.get("rules-version")).toBeGreaterThan(5 * (codes.get("taken") ?? 0));
  });

  it("a clone and its original do not know of each other", () => {
    const { rules, leaf } = closes[1] ?? {};
    if (rules === undefined || leaf === undefined) throw new Error("no closes");
    const before = rules.toText();
    const clone = rules.clone();
    clone.apply(leaf, encodeLeaf(leaf));
    expect(rules.toText()).toBe(before);
    const after = clone.toText();
    expect(after).not.toBe(before);
    rules.clone().apply(leaf, encodeLeaf(leaf));
    expect(clone.toText()).toBe(after);
  });
});

/** Copies of plain data in which one value, at any depth, is left out or is a list. */
function* changedValues(value: unknown): Generator<unknown> {
  if (typeof value !== "object" || value === null) return;
  for (const [name, item] of Object.entries(value)) {
    const rest = (other: readonly unknown[]): unknown =>
      Array.isArray(value)
        ? value.toSpliced(Number(name), 1, ...other)
        : { ...value, [name]: other.length === 0 ? undefined : other[0] };
    yield rest([]);
    yield rest([["other"]]);
    for (const changed of changedValues(item)) yield rest([changed]);
  }
}
