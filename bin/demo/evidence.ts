import { readFileSync, writeFileSync } from "node:fs";
import { extname } from "node:path";
import { fromHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { type EnergyVerdict, judge } from "../../attest/verdict.ts";
import type { NodeClient, NodeInterval } from "./node-client.ts";

/** As `kilowitness verify` asks for unless told otherwise, so that both say the same. */
const WITNESSES = 2;

/** The keys that the demo was told outside of any proof: by the agent itself and by the node's ready line. */
export interface KnownKeys {
  readonly deviceKey: string;
  readonly nodeKey: string;
}

/** A proof file and what a stranger who knows the two keys finds in it. */
export interface Evidence {
  readonly channel: string;
  readonly path?: string;
  readonly bytes?: number;
  readonly verdict?: EnergyVerdict;
  /** Why there is no valid proof. */
  readonly fault?: { readonly code: string; readonly message: string };
}

/** What to prove: one channel of the device that the keys name, and where the file goes. */
export interface Claim {
  readonly channel: string;
  readonly path: string;
  readonly keys: KnownKeys;
  readonly intervalMs: number;
  /** Up to which size the node has receipted each epoch. */
  receiptedSize(epoch: number): number;
}

/** The newest interval of full length that lies wholly under a receipt. */
export function lastFullInterval(
  intervals: readonly NodeInterval[],
  claim: Pick<Claim, "intervalMs" | "receiptedSize">,
): NodeInterval | undefined {
  return intervals.findLast(
    ({ epoch, seq, t0Ms, t1Ms, shape }) =>
      shape.length === 0 && t1Ms - t0Ms === claim.intervalMs && seq < claim.receiptedSize(epoch),
  );
}

/** Has the node prove the channel's newest full interval, writes the file, reads it back and verifies that. */
export async function takeEvidence(node: NodeClient, claim: Claim): Promise<Evidence> {
  const { channel, path } = claim;
  try {
    const address = { deviceKey: claim.keys.deviceKey, channel };
    const interval = lastFullInterval(await node.intervals(address), claim);
    if (interval === undefined) throw noInterval(channel);
    writeFileSync(path, await node.proof(address, interval));
    const written = new Uint8Array(readFileSync(path));
    return { channel, path, bytes: written.length, verdict: judged(written, claim.keys) };
  } catch (cause) {
    return { channel, fault: describeProblem(cause) };
  }
}

function judged(bytes: Uint8Array, { deviceKey, nodeKey }: KnownKeys): EnergyVerdict {
  const verdict = judge(nativeSuite, verifyProof(nativeSuite, bytes), {
    deviceKeys: [fromHex(deviceKey, "device key")],
    nodeKeys: [fromHex(nodeKey, "node key")],
    witnesses: WITNESSES,
  });
  if (verdict.standing !== "device-asserted" && verdict.claim === "energy") return verdict;
  throw new Problem("demo-unwitnessed", "the proof holds no receipt of the node");
}

function noInterval(channel: string): Problem {
  return new Problem("demo-no-interval", "no full interval has been closed and receipted", {
    where: `channel ${channel}`,
    hint: "let the demo run longer; a busy machine is slow to start two programs",
  });
}

/** The proof file of one of several channels: "proof.kwp" becomes "proof-CHANNEL.kwp". */
export function proofPathOf(path: string, channel: string): string {
  const extension = extname(path);
  const stem = extension === "" ? path : path.slice(0, -extension.length);
  return `${stem}-${channel.replace(/[^A-Za-z0-9_-]+/g, "-")}${extension}`;
}

/** The command that repeats the verification. */
export function verifyWords(path: string, { deviceKey, nodeKey }: KnownKeys): string {
  const file = /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
  return `npx kilowitness verify ${file} --trust device:${deviceKey} --trust node:${nodeKey}`;
}
