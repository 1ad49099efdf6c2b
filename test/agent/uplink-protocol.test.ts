import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fromHex } from "../../attest/bytes.ts";
import { type CborMap, type CborValue, encodeCbor } from "../../attest/cbor.ts";
import { decodeMessage } from "../../attest/messages.ts";

const TEXT = readFileSync(new URL("../../docs/stream-protocol.md", import.meta.url), "utf8");

interface Field {
  readonly key: number;
  readonly type: string;
  readonly optional: boolean;
}

interface Rule {
  readonly name: string;
  readonly number: number;
  readonly fields: readonly Field[];
}

/** `name = { 0: number, 1: type, ? 2: type }`, as the page has them. */
function rules(): Rule[] {
  return [...TEXT.matchAll(/^(\w+) += \{ 0: (\d+), (.*) \}$/gm)].map(([, name = "", number, body = ""]) => ({
    ...{ name, number: Number(number) },
    fields: body.split(", ").map((part) => {
      const [, mark = "", key, type = ""] = /^(\? )?(\d+): (\w+)$/.exec(part) ?? [];
      return { key: Number(key), type, optional: mark !== "" };
    }),
  }));
}

/** For each type of the page: the largest value that it allows, and one that it does not. */
const VALUES: Readonly<Record<string, readonly [good: CborValue, bad: CborValue]>> = {
  key: [new Uint8Array(32), new Uint8Array(31)],
  nonce: [new Uint8Array(32), new Uint8Array(33)],
  hash: [new Uint8Array(32), new Uint8Array(0)],
  digest: [new Uint8Array(16), new Uint8Array(32)],
  cose: [new Uint8Array(300), 1],
  bstr: [new Uint8Array(5000), "text"],
  text128: ["é".repeat(64), `${"é".repeat(64)}x`],
  text1024: ["x".repeat(1024), "x".repeat(1025)],
  uint53: [Number.MAX_SAFE_INTEGER, -1],
  int53: [-Number.MAX_SAFE_INTEGER, "1"],
};

function sample(rule: Rule): Map<number, CborValue> {
  const values = rule.fields.map(({ key, type }): [number, CborValue] => [key, VALUES[type]?.[0] ?? type]);
  return new Map([[0, rule.number], ...values]);
}

function isTaken(map: CborMap): boolean {
  try {
    decodeMessage(encodeCbor(map));
    return true;
  } catch {
    return false;
  }
}

describe("the page of the stream protocol", () => {
  it("has every message, each once", () => {
    const numbers = rules().map(({ number }) => number);
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect(isTaken(new Map([[0, 16]]))).toBe(false);
  });

  it.each(rules())("says of $name what the codec takes", (rule) => {
    const whole = sample(rule);
    expect(decodeMessage(encodeCbor(whole)).type).toBe(rule.name);
    for (const { key, type, optional } of rule.fields) {
      const without = new Map([...whole].filter(([other]) => other !== key));
      expect(isTaken(without), `without ${key}`).toBe(optional);
      const bad = new Map(whole).set(key, VALUES[type]?.[1] ?? "");
      expect(isTaken(bad), `${key} that is no ${type}`).toBe(false);
    }
    expect(isTaken(new Map([...whole, [40, 1]]))).toBe(false);
  });

  it("shows the bytes of a message", () => {
    const block = /^a5 {2,}map of 5\n(?: .*\n)+/m.exec(TEXT)?.[0] ?? "";
    const hex = block.replace(/ {2,}(?:map|\d+:).*$/gm, "").replace(/\s/g, "");
    expect(hex.length / 2).toBe(40);
    expect(decodeMessage(fromHex(hex, "example"))).toEqual({
      ...{ type: "live", channel: "roof/inverter", atMs: Date.parse("2026-11-01T12:00:00Z") },
      ...{ powerMw: -1_234_000, exportMwh: 2_500_000 },
    });
  });
});
