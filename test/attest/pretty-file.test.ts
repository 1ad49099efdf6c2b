import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { sealedFromJson, sealedToJson } from "../../attest/pretty.ts";
import { decodeProof } from "../../attest/proof.ts";
import { nodeA, openedLog, proofOf, readQuarters } from "./proof-kit.ts";
import { refusalOf } from "./refusal.ts";

const VECTORS = join(import.meta.dirname, "../../attest/vectors");

async function plainProof(): Promise<Uint8Array> {
  const log = readQuarters(openedLog(), 2);
  await log.checkpoint();
  await log.receive(nodeA, log.timeMs + 500);
  return proofOf(log, 0, 2);
}

/** Every proof and fault file of the published vectors, good and bad. */
function publishedFiles(): [string, Uint8Array][] {
  const names = readdirSync(VECTORS).filter((name) => /^(bad-)?(proof|fault)-.*\.json$/.test(name));
  return names.map((name) => {
    const { input } = JSON.parse(readFileSync(join(VECTORS, name), "utf8"));
    return [name, fromHex(input.proof ?? input.fault, name)];
  });
}

describe("files as JSON", () => {
  it("show a proof by its parts, and lead back to the same bytes", async () => {
    const bytes = await plainProof();
    const text = sealedToJson(bytes);
    expect(toHex(sealedFromJson(text))).toBe(toHex(bytes));
    const shown = JSON.parse(text);
    const [part] = decodeProof(bytes).parts;
    expect(Object.keys(shown)).toEqual(["format", "parts"]);
    expect(Object.keys(shown.parts[0])).toEqual(["checkpoint", "manifests", "leaves", "hashes", "receipts"]);
    expect(shown.parts[0].checkpoint.type).toBe("kilowitness/1 checkpoint");
    expect(shown.parts[0].leaves[0].kind).toBe("intervalClose");
    expect(shown.parts[0].hashes.join("")).toBe(toHex(part?.hashes ?? new Uint8Array(0)));
  });

  it("lead back to the same bytes for every published file that can be read at all", () => {
    const refused = new Set(["proof-format", "fault-format", "field", "unknown-key"]);
    let shown = 0;
    for (const [name, bytes] of publishedFiles()) {
      const code = refusalOf(() => sealedToJson(bytes));
      if (code !== undefined) expect([name, refused.has(code), code]).toEqual([name, true, code]);
      else {
        shown += 1;
        expect([name, toHex(sealedFromJson(sealedToJson(bytes)))]).toEqual([name, toHex(bytes)]);
      }
    }
    expect(shown).toBeGreaterThan(20);
  });

  it("has one text for one file", async () => {
    const text = sealedToJson(await plainProof());
    const shown = JSON.parse(text);
    const raw = decodeProof(await plainProof()).parts[0];
    shown.parts[0].leaves = toHex(raw?.leaves ?? new Uint8Array(0));
    expect(refusalOf(() => sealedFromJson(JSON.stringify(shown)))).toBe("json-form");
    shown.parts[0].leaves = [];
    shown.parts[0].hashes = [shown.parts[0].hashes.join("")];
    expect(refusalOf(() => sealedFromJson(JSON.stringify(shown)))).toBe("json-hex");
    const single = JSON.parse(text).parts[0].leaves.slice(0, 1);
    expect(refusalOf(() => sealedFromJson(JSON.stringify(single)))).toBe("json-form");
    const odd = text.replace("kilowitness/1 proof", "kilowitness/2 proof");
    expect(refusalOf(() => sealedFromJson(odd))).toBe("json-form");
    const more = text.replace('"parts"', '"pieces": [], "parts"');
    expect(refusalOf(() => sealedFromJson(more))).toBe("json-property");
  });
});
