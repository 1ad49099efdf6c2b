import { toHex } from "./bytes.ts";
import { type ChannelManifest, CLOSE_SHAPE } from "./leaf.ts";
import type { FlexibilityLeaf } from "./leaf-flexibility.ts";
import type { EnergyClaim, ProvenGap } from "./proof-claim.ts";
import type { ProvenFile } from "./proof-verify.ts";
import { CHANNEL_ROLES } from "./reading.ts";
import { hasShape } from "./segments.ts";
import type { Suite } from "./suite.ts";
import { fingerprint, type TrustPolicy } from "./trust-policy.ts";
import { type Edge, edgesOf, isTrusted, witnessCount, witnessesOf } from "./verdict-bounds.ts";
import { type ClaimedEnergy, energyOf } from "./verdict-energy.ts";
import { judgeKey, type Trust, trustedEnrolment } from "./verdict-trust.ts";

/** Who stands behind the claim: only the device, fewer trusted nodes than asked for, or enough of them. */
export type Standing = "device-asserted" | "single witness" | "witnessed";

interface CommonVerdict extends Trust {
  readonly verdict: "valid";
  readonly standing: Standing;
  readonly witnessesWanted: number;
  readonly deviceKey: string;
  readonly fingerprint: string;
  readonly network: string;
  /** Ascending; more than one where the claim goes on over an epoch's end. */
  readonly epochs: readonly number[];
  readonly meter: { readonly make: string; readonly model: string; readonly serial: string };
  readonly channel: { readonly number: number; readonly name: string; readonly role: string };
  readonly tier: number;
  readonly intervalMs: number;
  /** The claim's ends, each between the clocks of trusted nodes. */
  readonly edges: readonly Edge[];
  readonly witnesses: readonly {
    readonly nodeKey: string;
    readonly epoch: number;
    readonly receivedAtMs: number;
    readonly trusted: boolean;
  }[];
}

/** The judged energy of one channel over one span, as plain data. */
export interface EnergyVerdict extends CommonVerdict {
  readonly claim: "energy";
  readonly fromMs: number;
  readonly toMs: number;
  readonly import?: ClaimedEnergy;
  readonly export?: ClaimedEnergy;
  readonly segments: number;
  readonly coarse: boolean;
  readonly gaps: readonly Omit<ProvenGap, "discontinuities">[];
  /** The device's clock was set within the interval, from and to; no energy is missing there. */
  readonly clockSteps: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** Whether the span holds a leaf of a kind that this version cannot read. */
  readonly opaque: boolean;
}

/** The judged flexibility reading, as plain data. */
export interface FlexibilityVerdict extends CommonVerdict {
  readonly claim: "flexibility";
  readonly atMs: number;
  readonly flexibility: FlexibilityValues;
}

/** What a flexibility reading says beside its place in the log. */
export type FlexibilityValues = Omit<
  FlexibilityLeaf,
  | "kind"
  | "seq"
  | "timeMs"
  | "timeQuality"
  | "salt"
  | "extensions"
  | "channel"
  | "manifestSeq"
  | "manifestHash"
  | "evidence"
>;

/** The judged claim, as plain data: what `verify --json` prints. */
export type Verdict = EnergyVerdict | FlexibilityVerdict;

/**
 * Judges what a file proves against what is trusted. Without any trusted key the verdict is valid with trust "none".
 * Throws `wrong-network`, `untrusted-key`, `retired-key`, `revoked-key`, `proof-time` where the device's clock
 * contradicts trusted nodes, and `proof-energy` for registers that fall within a segment.
 */
export function judge(suite: Suite, proven: ProvenFile, policy: TrustPolicy): Verdict {
  const trust = judgeKey(suite, proven, policy);
  const { claim } = proven;
  if (claim.kind === "energy") {
    const manifest = (claim.segments.at(-1) ?? claim.segments[0]).manifest;
    return {
      ...commonVerdict(suite, proven, { policy, trust, manifest }),
      ...judgedEnergy(suite, claim),
    };
  }
  return {
    ...commonVerdict(suite, proven, { policy, trust, manifest: claim.manifest }),
    claim: "flexibility",
    atMs: claim.leaf.timeMs,
    flexibility: valuesOf(claim.leaf),
  };
}

interface Judged {
  readonly policy: TrustPolicy;
  readonly trust: Trust;
  readonly manifest: ChannelManifest;
}

function commonVerdict(suite: Suite, proven: ProvenFile, { policy, trust, manifest }: Judged): CommonVerdict {
  const { logs, deviceKey, network } = proven;
  return {
    verdict: "valid",
    ...trust,
    standing: standingOf(witnessCount(proven, policy), policy.witnesses),
    witnessesWanted: policy.witnesses,
    deviceKey: toHex(deviceKey),
    fingerprint: fingerprint(suite, deviceKey),
    network,
    epochs: logs.map(({ identity }) => identity.epoch),
    meter: { make: manifest.make, model: manifest.model, serial: manifest.serial },
    channel: { number: manifest.channel, name: manifest.name, role: roleName(manifest.role) },
    tier: tierOf(proven, policy),
    intervalMs: (logs.at(-1) ?? logs[0]).logManifest.intervalMs,
    edges: edgesOf(proven, policy),
    witnesses: logs.flatMap((log) =>
      witnessesOf(log).map((witness) => ({
        nodeKey: toHex(witness.nodeKey),
        epoch: log.identity.epoch,
        receivedAtMs: witness.receivedAtMs,
        trusted: isTrusted(witness, policy),
      })),
    ),
  };
}

/** The device's own word in each log, and never more than what a trusted node has enrolled it with. */
function tierOf(proven: ProvenFile, policy: TrustPolicy): number {
  const enrolled = trustedEnrolment(proven, policy)?.enrolment;
  const said = [...proven.logs.map(({ logManifest }) => logManifest), ...(enrolled ? [enrolled] : [])];
  return Math.min(...said.map(({ assuranceTier }) => assuranceTier));
}

function judgedEnergy(suite: Suite, claim: EnergyClaim): Omit<EnergyVerdict, keyof CommonVerdict> {
  const imported = energyOf(suite, claim, "import");
  const exported = energyOf(suite, claim, "export");
  return {
    claim: "energy",
    fromMs: claim.fromMs,
    toMs: claim.toMs,
    ...(imported && { import: imported }),
    ...(exported && { export: exported }),
    segments: claim.segments.length,
    coarse: claim.segments.some(
      (part) => hasShape(part.first, CLOSE_SHAPE.coarse) || hasShape(part.last, CLOSE_SHAPE.coarse),
    ),
    gaps: claim.gaps.map(({ discontinuities: _, ...gap }) => gap),
    clockSteps: claim.clockSteps,
    opaque: claim.opaque,
  };
}

function valuesOf(leaf: FlexibilityLeaf): FlexibilityValues {
  const { kind: _k, seq: _s, timeMs: _t, timeQuality: _q, salt: _l, extensions: _x, ...rest } = leaf;
  const { channel: _c, manifestSeq: _m, manifestHash: _h, evidence: _e, ...values } = rest;
  return values;
}

function standingOf(trusted: number, wanted: number): Standing {
  if (trusted === 0) return "device-asserted";
  return trusted >= wanted ? "witnessed" : "single witness";
}

function roleName(number: number): string {
  return Object.entries(CHANNEL_ROLES).find(([, value]) => value === number)?.[0] ?? `role ${number}`;
}
