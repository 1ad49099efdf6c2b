import { toHex } from "./bytes.ts";
import { encodeCbor } from "./cbor.ts";
import { Problem } from "./problem.ts";
import type { EnergyClaim, ProvenSegment } from "./proof-claim.ts";
import type { Suite } from "./suite.ts";

export type Quantity = "import" | "export";

/** One quantity of the claim. Registers in mWh at the two ends; Wh is the sum over the segments. */
export interface ClaimedEnergy {
  readonly openingMwh: number;
  readonly closingMwh: number;
  readonly wh: number;
  readonly claimIds: readonly ClaimId[];
}

/** By which an issuer refuses the same or an overlapping hour of a meter twice; one for each meter of the claim. */
export interface ClaimId {
  readonly id: string;
  readonly make: string;
  readonly serial: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * The quantity's energy over all segments, or undefined where some segment does not count it. Throws `proof-energy`
 * for a register that falls within a segment.
 */
export function energyOf(suite: Suite, claim: EnergyClaim, quantity: Quantity): ClaimedEnergy | undefined {
  const parts = claim.segments.flatMap((segment) => registers(segment, quantity) ?? []);
  const opening = parts[0];
  const closing = parts.at(-1);
  // For the whole span or not at all: a meter that was there for a part of it may not count this quantity.
  if (opening === undefined || closing === undefined || parts.length !== claim.segments.length)
    return undefined;
  let wh = 0;
  for (const part of parts) {
    if (part.closingMwh < part.openingMwh)
      throw new Problem("proof-energy", `the ${quantity} register falls within a segment`);
    // Each segment is rounded at its own ends, so that sums over neighbours never differ from the whole.
    wh += Math.floor(part.closingMwh / 1000) - Math.floor(part.openingMwh / 1000);
  }
  const { openingMwh } = opening;
  return { openingMwh, closingMwh: closing.closingMwh, wh, claimIds: claimIdsOf(suite, claim, quantity) };
}

function registers(
  { first, last }: ProvenSegment,
  quantity: Quantity,
): { readonly openingMwh: number; readonly closingMwh: number } | undefined {
  const openingMwh = quantity === "import" ? first.openingImportMwh : first.openingExportMwh;
  const closingMwh = quantity === "import" ? last.closingImportMwh : last.closingExportMwh;
  return openingMwh === undefined || closingMwh === undefined ? undefined : { openingMwh, closingMwh };
}

/** SHA-256 over the deterministic CBOR array of tag, make, serial, quantity, t0 and t1, for each run of one meter. */
function claimIdsOf(suite: Suite, claim: EnergyClaim, quantity: Quantity): ClaimId[] {
  const runs: { make: string; serial: string; fromMs: number; toMs: number }[] = [];
  for (const { manifest, first, last } of claim.segments) {
    const { make, serial } = manifest;
    const run = runs.at(-1);
    if (run?.make === make && run.serial === serial) run.toMs = last.t1Ms;
    else runs.push({ make, serial, fromMs: first.t0Ms, toMs: last.t1Ms });
  }
  return runs.map((run) => {
    const parts = ["kilowitness/1 claim", run.make, run.serial, quantity, run.fromMs, run.toMs];
    return { id: toHex(suite.sha256(encodeCbor(parts))), ...run };
  });
}
