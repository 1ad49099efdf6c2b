import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CborValue } from "../../attest/cbor.ts";
import { countersigned, payloadOf, revocation, rotation, statement } from "./key-life-kit.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/evidence-format.md"), "utf8");
const rotated = payloadOf(await rotation());
const acceptance = rotated.get(1);
if (!(acceptance instanceof Uint8Array)) throw new Error("a rotation holds an acceptance");

/** The CDDL type that a value of these objects has. */
function typeOf(value: CborValue): string {
  if (typeof value === "number") return "uint53";
  if (typeof value === "string") return "text128";
  return value instanceof Uint8Array && value.length === 32 ? "bytes32" : "bstr";
}

describe("the definitions of a key's life", async () => {
  it.each([
    ["enrolment", payloadOf(await statement())],
    ["countersignature", payloadOf(await countersigned())],
    ["rotation", rotated],
    ["acceptance", payloadOf(acceptance)],
    ["revocation", payloadOf(await revocation())],
  ])("say which keys and types a signed %s has", (name, payload) => {
    const body = new RegExp(`^${name} = \\{\\n(.*?)^\\}$`, "ms").exec(text)?.[1] ?? "";
    const defined = [...body.matchAll(/^ {2}(\d+) => (\w+), +; \S/gm)].map(([, key, type]) => [
      Number(key),
      type,
    ]);
    expect(defined).toEqual([...payload].map(([key, value]) => [key, typeOf(value)]));
    expect(defined.length).toBe(body.trimEnd().split("\n").length);
  });
});
