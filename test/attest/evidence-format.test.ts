import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { asciiBytes, concatBytes, fromHex, toHex, u32be } from "../../attest/bytes.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { OBJECT_TYPES } from "../../attest/cose.ts";
import { LEAF_KINDS } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { sealedToJson } from "../../attest/pretty.ts";
import { decodeProof } from "../../attest/proof.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { openReceipt } from "../../attest/receipt.ts";
import { leafHash } from "../../attest/tree.ts";
import { judge } from "../../attest/verdict.ts";
import { leafCddl } from "./evidence-cddl.ts";
import { evidenceExample } from "./evidence-example.ts";

const ROOT = join(import.meta.dirname, "../..");
const text = readFileSync(join(ROOT, "docs/evidence-format.md"), "utf8");
const example = await evidenceExample();

/** The fenced blocks of one kind, by name. */
function blocks(kind: string): ReadonlyMap<string, string> {
  const found = text.matchAll(new RegExp(`^\`\`\`${kind} (\\S+)\\n(.*?)\\n\`\`\`$`, "gms"));
  return new Map([...found].map(([, name = "", body = ""]) => [name, body]));
}

const hexBlocks = new Map([...blocks("hex")].map(([name, body]) => [name, body.replaceAll("\n", "")]));

function bytesOf(name: string): Uint8Array {
  return fromHex(hexBlocks.get(name) ?? example.get(name) ?? "", name);
}

/** The bytes of a block whose lines carry a comment behind two or more spaces. */
function annotated(body: string): string {
  const bytes = body.split("\n").map((line) => /^([0-9a-f ]*?)(?: {2,}|$)/.exec(line)?.[1] ?? "?");
  return bytes.join("").replaceAll(" ", "");
}

describe("the example of the evidence format", () => {
  it("has the bytes that the code makes", () => {
    expect(hexBlocks.size).toBeGreaterThan(6);
    for (const [name, hex] of hexBlocks) expect([name, hex]).toEqual([name, example.get(name)]);
  });

  it("explains every byte of what it takes apart", () => {
    const notes = blocks("notes");
    expect([...notes.keys()]).toEqual(["reading", "checkpoint"]);
    for (const [name, body] of notes) expect([name, annotated(body)]).toEqual([name, example.get(name)]);
  });

  it("says how long they are", () => {
    for (const name of ["reading", "checkpoint", "receipt", "proof"])
      expect(text).toContain(`${bytesOf(name).length} bytes`);
    const leaves = ["log-manifest", "channel-manifest", "close"].map((name) => bytesOf(name).length);
    const parts = [bytesOf("checkpoint").length, bytesOf("receipt").length, ...leaves];
    const hashes = decodeProof(bytesOf("proof")).parts[0]?.hashes.length ?? 0;
    const rest = bytesOf("proof").length - hashes - parts.reduce((sum, part) => sum + part);
    expect(text).toContain(`the lengths of what follows | ${rest} |`);
    expect(text).toContain(`hashes of the tree | ${hashes} |`);
  });

  it("shows the reading as the JSON that leads back to it", () => {
    expect(blocks("json").get("reading")).toBe(sealedToJson(bytesOf("reading")));
  });

  it("has the log id and the leaf hash of its definitions", () => {
    const tag = asciiBytes("kilowitness/1 log\0example-grid\0", "tag");
    const id = nativeSuite.sha256(concatBytes(tag, bytesOf("device-key"), u32be(1)));
    expect(toHex(id)).toBe(hexBlocks.get("log-id"));
    expect(toHex(leafHash(nativeSuite, bytesOf("reading")))).toBe(hexBlocks.get("reading-hash"));
  });

  it("means what it says that it means", () => {
    expect(decodeLeaf(bytesOf("reading"))).toMatchObject({
      ...{ kind: "reading", seq: 5, channel: 1, timeMs: Date.UTC(2026, 0, 5, 12, 15), timeQuality: 3 },
      ...{ importMwh: 1_234_597_750, exportMwh: 89_000, activePowerMw: 123_000 },
    });
    expect(decodeLeaf(bytesOf("close"))).toMatchObject({
      ...{ kind: "intervalClose", t0Ms: Date.UTC(2026, 0, 5, 12), t1Ms: Date.UTC(2026, 0, 5, 12, 15) },
      ...{ openingImportMwh: 1_234_567_000, closingImportMwh: 1_234_597_750, count: 3, shape: 2 },
      ...{ openingExportMwh: 89_000, closingExportMwh: 89_000, openingSeq: 2, closingSeq: 5, manifestSeq: 1 },
    });
    const deviceKey = bytesOf("device-key");
    const logId = bytesOf("log-id");
    const checkpoint = openCheckpoint(nativeSuite, bytesOf("checkpoint"), { deviceKey, logId });
    expect(checkpoint).toMatchObject({ size: 8, root: bytesOf("root"), bootCount: 1 });
    expect(openReceipt(nativeSuite, bytesOf("receipt"), bytesOf("node-key"))).toMatchObject({
      manifestHash: checkpoint.manifestHash,
      size: 8,
    });
  });

  it("has a proof that verifies to the energy that the text works out", () => {
    const policy = { deviceKeys: [bytesOf("device-key")], nodeKeys: [bytesOf("node-key")], witnesses: 1 };
    const verdict = judge(nativeSuite, verifyProof(nativeSuite, bytesOf("proof")), policy);
    expect(verdict).toMatchObject({
      standing: "witnessed",
      network: "example-grid",
      import: { wh: 30 },
      export: { wh: 0 },
    });
    expect(text).toContain("= 30 Wh of import");
  });
});

describe("the definitions of the evidence format", () => {
  it("are the tables that the codec runs on", () => {
    expect(text).toContain(leafCddl());
  });

  it("name every kind, type and number that the code has", () => {
    for (const [kind, number] of Object.entries(LEAF_KINDS)) {
      const words = kind.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
      expect(text).toContain(`| ${number} | ${words} |`);
    }
    for (const type of Object.values(OBJECT_TYPES)) expect(text).toContain(`| \`${type}\` |`);
  });

  it("name every fault code of attest/, and no code that nothing throws", () => {
    const thrown = codesOf("attest");
    const named = new Set([...text.matchAll(/`([a-z]+(?:-[a-z]+)*)`/g)].map(([, code = ""]) => code));
    expect([...thrown].filter((code) => !named.has(code))).toEqual([]);
    const table = text.slice(text.indexOf("## Fault codes"), text.indexOf("## Not in this version"));
    const rules = text.slice(text.indexOf("## Rules of a log"), text.indexOf("## Limits"));
    const listed = [...`${rules}${table}`.matchAll(/`([a-z]+-[a-z-]+)`/g)].map(([, code = ""]) => code);
    const known = new Set([...wordsOf("attest"), ...wordsOf("attest/flexibility"), ...codesOf("network")]);
    expect(listed.filter((code) => !known.has(code))).toEqual([]);
    expect(thrown.size).toBeGreaterThan(60);
  });
});

/** The codes of every Problem that the files of a room make. */
function codesOf(room: string): ReadonlySet<string> {
  return matchesOf(room, /(?:Problem|refuse)\(\s*"([a-z0-9-]+)"/g);
}

/** Every text of a room's files that could be a code: some are chosen, or stand in tables of rules. */
function wordsOf(room: string): ReadonlySet<string> {
  return matchesOf(room, /"([a-z0-9-]+)"/g);
}

function matchesOf(room: string, pattern: RegExp): ReadonlySet<string> {
  const files = readdirSync(join(ROOT, room)).filter((name) => name.endsWith(".ts"));
  const sources = files.map((name) => readFileSync(join(ROOT, room, name), "utf8"));
  const found = sources.flatMap((source) => [...source.matchAll(pattern)]);
  return new Set(found.map(([, code = ""]) => code));
}
