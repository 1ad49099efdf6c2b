import { toHex } from "../../../attest/bytes.ts";
import { checkProof } from "../../../attest/check.ts";
import type { IntervalClose } from "../../../attest/leaf.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { CHANNEL, type FaultSite, NETWORK } from "./site.ts";

/** Closes that one proof is asked over. */
const CLOSES_PER_PROOF = 64;
/** Clocks that the harness sets are as far off as it sets them. */
const ANY_CLOCK_MS = 400 * 86_400_000;

/** What the node's proofs say of the channel over all of these closes, in whole Wh; throws where one does not verify. */
export async function provenWh(
  site: FaultSite,
  closes: readonly IntervalClose[],
): Promise<{ readonly importWh: number; readonly exportWh: number; readonly proofs: number }> {
  const sum = { importWh: 0, exportWh: 0, proofs: 0 };
  for (const part of runsOf(closes)) {
    const { importWh, exportWh } = await prove(site, part[0]?.t0Ms ?? 0, part.at(-1)?.t1Ms ?? 0);
    sum.importWh += importWh;
    sum.exportWh += exportWh;
    sum.proofs += 1;
  }
  return sum;
}

/** Closes that follow each other without a gap or a step of the clock, a proof's worth at a time. */
function runsOf(closes: readonly IntervalClose[]): IntervalClose[][] {
  const runs: IntervalClose[][] = [];
  for (const close of closes) {
    const run = runs.at(-1);
    if (run?.at(-1)?.t1Ms === close.t0Ms && run.length < CLOSES_PER_PROOF) run.push(close);
    else runs.push([close]);
  }
  return runs;
}

async function prove(
  site: FaultSite,
  fromMs: number,
  toMs: number,
): Promise<{ readonly importWh: number; readonly exportWh: number }> {
  const query = new URLSearchParams({ channel: CHANNEL, from: String(fromMs), to: String(toMs) });
  const answer = await fetch(`${site.httpUrl}/devices/${toHex(site.deviceKey)}/proof?${query}`);
  if (!answer.ok) throw new Error(`no proof from ${fromMs} to ${toMs}: ${await answer.text()}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const trust = { deviceKeys: [site.deviceKey], nodeKeys: [site.nodeKey], network: NETWORK, witnesses: 1 };
  const checked = checkProof(nativeSuite, bytes, { ...trust, clockToleranceMs: ANY_CLOCK_MS });
  if (!checked.valid) throw new Error(`the proof from ${fromMs} to ${toMs}: ${checked.refusal.message}`);
  const verdict = checked.value;
  if (verdict.claim !== "energy") throw new Error("the proof is of something else");
  if (verdict.standing === "device-asserted") throw new Error("the proof has no receipt of the node");
  return { importWh: verdict.import?.wh ?? Number.NaN, exportWh: verdict.export?.wh ?? Number.NaN };
}
