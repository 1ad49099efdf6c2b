import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { concatBytes, toHex } from "../../attest/bytes.ts";
import { decodeSettlementProof, encodeSettlementProof } from "../../attest/flexibility/proof-file.ts";
import { verifySettlement } from "../../attest/flexibility/proof-verify.ts";
import { judgeSettlement, type SettlementVerdict } from "../../attest/flexibility/verdict.ts";
import type { IntervalClose, Leaf } from "../../attest/leaf.ts";
import { decodeLeafAt, encodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { HASH_BYTES } from "../../attest/tree.ts";
import type { AlteredFact, ProofFact } from "./flex-facts.ts";
import { PLAN } from "./flex-plan.ts";

/** Keys that did not come from the file. */
export interface FlexKeys {
  readonly deviceKey: Uint8Array;
  readonly nodeKey: Uint8Array;
}

/** How much energy somebody puts to what was metered. */
const MORE_MWH = 500_000;

/** As `kilowitness verify` takes them. */
export function trustOf({ deviceKey, nodeKey }: FlexKeys): readonly [string, string] {
  return [`device:${toHex(deviceKey)}`, `node:${toHex(nodeKey)}`];
}

/** Reads the file back and has it judged twice: in this process, and by the command in a process of its own. */
export async function checkProof(path: string, keys: FlexKeys): Promise<ProofFact> {
  const bytes = new Uint8Array(readFileSync(path));
  const { part } = decodeSettlementProof(bytes);
  const verdict = judged(bytes, keys);
  return {
    ...{ event: "proof", path, bytes: bytes.length, leaves: leavesOf(part.leaves).length },
    ...{ hashes: part.hashes.length / HASH_BYTES, command: commandOf(path, keys), verdict },
    ...(await verifiedByCommand(path, keys)),
  };
}

/** Writes the same proof with half a kWh less metered in one interval of the event, and has that verified, too. */
export async function checkAltered(
  { path, altered }: { readonly path: string; readonly altered: string },
  keys: FlexKeys,
): Promise<AlteredFact> {
  const { part, ...rest } = decodeSettlementProof(new Uint8Array(readFileSync(path)));
  const leaves = leavesOf(part.leaves);
  const at = leaves.findIndex((leaf) => leaf.kind === "intervalClose" && leaf.t0Ms === PLAN.fromMs);
  const close = leaves[at];
  if (close?.kind !== "intervalClose")
    throw new Problem("demo-proof", "the proof shows no close of the event");
  const false_ = lessImport(close);
  const changed = leaves.map((leaf, index) => encodeLeaf(index === at ? false_ : leaf));
  writeFileSync(
    altered,
    encodeSettlementProof({ ...rest, part: { ...part, leaves: concatBytes(...changed) } }),
  );
  const { status, firstLine } = await verifiedByCommand(altered, keys);
  const code = /\(([a-z-]+)\)/.exec(firstLine)?.[1] ?? "";
  const [beforeMwh, afterMwh] = [close, false_].map(importOf);
  return {
    event: "altered",
    seq: close.seq,
    beforeMwh: beforeMwh ?? 0,
    afterMwh: afterMwh ?? 0,
    status,
    firstLine,
    code,
  };
}

function judged(bytes: Uint8Array, { deviceKey, nodeKey }: FlexKeys): SettlementVerdict {
  const policy = { deviceKeys: [deviceKey], nodeKeys: [nodeKey], witnesses: 1 };
  return judgeSettlement(nativeSuite, verifySettlement(nativeSuite, bytes), policy);
}

function lessImport(close: IntervalClose): IntervalClose {
  return { ...close, closingImportMwh: (close.closingImportMwh ?? 0) - MORE_MWH };
}

function importOf({ openingImportMwh = 0, closingImportMwh = 0 }: IntervalClose): number {
  return closingImportMwh - openingImportMwh;
}

function leavesOf(bytes: Uint8Array): Leaf[] {
  const leaves: Leaf[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { leaf, end } = decodeLeafAt(bytes, at);
    leaves.push(leaf);
    at = end;
  }
  return leaves;
}

function commandOf(path: string, keys: FlexKeys): string {
  const file = /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
  const [device, node] = trustOf(keys);
  return `npx kilowitness verify ${file} --trust ${device} --trust ${node} --witnesses 1`;
}

/** Runs this program's own `verify`, as anybody would. */
async function verifiedByCommand(
  path: string,
  keys: FlexKeys,
): Promise<{ readonly status: number; readonly firstLine: string }> {
  const [, launcher = ""] = process.argv;
  const [device, node] = trustOf(keys);
  const flags = process.execArgv.filter((flag) => !flag.startsWith("--inspect"));
  const args = [...flags, launcher, "verify", path, "--trust", device, "--trust", node, "--witnesses", "1"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
  return { status, firstLine: text.split("\n")[0] ?? "" };
}
