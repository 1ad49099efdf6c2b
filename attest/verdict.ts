import { equalBytes, toHex } from "./bytes.ts";
import { CLOSE_SHAPE } from "./leaf.ts";
import { Problem } from "./problem.ts";
import type { ProvenInterval, Witness } from "./proof-verify.ts";
import { CHANNEL_ROLES } from "./reading.ts";
import { hasShape } from "./segments.ts";
import type { Suite } from "./suite.ts";

/** What the verifier trusts, handed over outside the proof file. */
export interface TrustPolicy {
  readonly deviceKeys: readonly Uint8Array[];
  readonly nodeKeys: readonly Uint8Array[];
  /** Refuse any other network, when given. */
  readonly network?: string;
  /** How many trusted nodes must have witnessed. */
  readonly witnesses: number;
}

/** Who stands behind the claim: only the device, fewer trusted nodes than asked for, or enough of them. */
export type Standing = "device-asserted" | "single witness" | "witnessed";

/** One quantity of the claim. Registers in mWh at the two ends; Wh is the sum over the segments. */
export interface ClaimedEnergy {
  readonly openingMwh: number;
  readonly closingMwh: number;
  readonly wh: number;
  readonly claimId: string;
}

/** The judged claim, as plain data: what `verify --json` prints. */
export interface Verdict {
  readonly verdict: "valid";
  readonly trust: "none" | "device";
  readonly standing: Standing;
  readonly deviceKey: string;
  readonly fingerprint: string;
  readonly network: string;
  readonly epoch: number;
  readonly meter: { readonly make: string; readonly model: string; readonly serial: string };
  readonly channel: { readonly number: number; readonly name: string; readonly role: string };
  readonly fromMs: number;
  readonly toMs: number;
  readonly import?: ClaimedEnergy;
  readonly export?: ClaimedEnergy;
  readonly segments: number;
  readonly coarse: boolean;
  readonly gaps: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** The device's clock was set within the interval, from and to; no energy is missing there. */
  readonly clockSteps: readonly { readonly fromMs: number; readonly toMs: number }[];
  readonly tier: number;
  readonly intervalMs: number;
  /** The claim's leaves were written after this instant, by the clock of a trusted node. */
  readonly notBeforeMs?: number;
  /** The claim's leaves were written before this instant, by the clock of a trusted node. */
  readonly notAfterMs?: number;
  readonly witnesses: readonly {
    readonly nodeKey: string;
    readonly receivedAtMs: number;
    readonly trusted: boolean;
  }[];
}

/** The first 8 bytes of SHA-256 of a key, in groups a person can read aloud. */
export function fingerprint(suite: Suite, key: Uint8Array): string {
  const hex = toHex(suite.sha256(key).slice(0, 8));
  return hex.replace(/(.{4})(?=.)/g, "$1-");
}

/**
 * Judges a proven interval against what is trusted. Without any trusted device key the verdict is valid with
 * trust "none". Throws `untrusted-key` when keys are given and the device's is not among them, `wrong-network`,
 * and `proof-energy` for registers that fall within a segment.
 */
export function judge(suite: Suite, proven: ProvenInterval, policy: TrustPolicy): Verdict {
  const trust = judgeDevice(suite, proven, policy);
  const first = proven.segments[0];
  const last = proven.segments.at(-1);
  if (first === undefined || last === undefined) throw new Problem("proof-cover", "the proof holds no close");
  const trusted = proven.witnesses.filter((witness) => isTrusted(witness, policy));
  const { manifest } = last;
  return {
    verdict: "valid",
    trust,
    standing: standingOf(trusted.length, policy.witnesses),
    deviceKey: toHex(proven.proof.deviceKey),
    fingerprint: fingerprint(suite, proven.proof.deviceKey),
    network: proven.proof.network,
    epoch: proven.proof.epoch,
    meter: { make: manifest.make, model: manifest.model, serial: manifest.serial },
    channel: { number: manifest.channel, name: manifest.name, role: roleName(manifest.role) },
    fromMs: proven.proof.fromMs,
    toMs: proven.proof.toMs,
    ...energyOf(proven, "import"),
    ...energyOf(proven, "export"),
    segments: proven.segments.length,
    coarse: proven.segments.some(
      (part) => hasShape(part.first, CLOSE_SHAPE.coarse) || hasShape(part.last, CLOSE_SHAPE.coarse),
    ),
    gaps: proven.gaps.map(({ fromMs, toMs }) => ({ fromMs, toMs })),
    clockSteps: proven.clockSteps,
    tier: proven.logManifest.assuranceTier,
    intervalMs: proven.logManifest.intervalMs,
    ...timeBounds(proven, trusted, policy),
    witnesses: proven.witnesses.map((witness) => ({
      nodeKey: toHex(witness.nodeKey),
      receivedAtMs: witness.receivedAtMs,
      trusted: isTrusted(witness, policy),
    })),
  };
}

function judgeDevice(suite: Suite, proven: ProvenInterval, policy: TrustPolicy): "none" | "device" {
  const { network, deviceKey } = proven.proof;
  if (policy.network !== undefined && policy.network !== network) {
    throw new Problem("wrong-network", "the proof is of another network", {
      expected: policy.network,
      got: network,
    });
  }
  if (policy.deviceKeys.length === 0 && policy.nodeKeys.length === 0) return "none";
  if (policy.deviceKeys.some((key) => equalBytes(key, deviceKey))) return "device";
  throw new Problem("untrusted-key", "the proof is signed by a key that you do not trust", {
    expected:
      policy.deviceKeys.length === 0
        ? "a device key with --trust"
        : policy.deviceKeys.map(toHex).join(" or "),
    got: `${toHex(deviceKey)}, fingerprint ${fingerprint(suite, deviceKey)}`,
    hint: "ask the device's owner or its network for the right key, not the sender of the file",
  });
}

function isTrusted(witness: Witness, policy: TrustPolicy): boolean {
  return policy.nodeKeys.some((key) => equalBytes(key, witness.nodeKey));
}

function standingOf(trusted: number, wanted: number): Standing {
  if (trusted === 0) return "device-asserted";
  return trusted >= wanted ? "witnessed" : "single witness";
}

function roleName(number: number): string {
  return Object.entries(CHANNEL_ROLES).find(([, value]) => value === number)?.[0] ?? `role ${number}`;
}

function energyOf(
  proven: ProvenInterval,
  quantity: "import" | "export",
): { readonly [Q in typeof quantity]?: ClaimedEnergy } {
  const parts = proven.segments.flatMap(({ first, last }) => registers(first, last, quantity) ?? []);
  const claimId = proven.claimIds[quantity];
  const opening = parts[0];
  const closing = parts.at(-1);
  if (claimId === undefined || opening === undefined || closing === undefined) return {};
  // For the whole span or not at all: a meter that was there for a part of it may not count this quantity.
  if (parts.length !== proven.segments.length) return {};
  let wh = 0;
  for (const part of parts) {
    if (part.closingMwh < part.openingMwh)
      throw new Problem("proof-energy", `the ${quantity} register falls within a segment`);
    // Each segment is rounded at its own ends, so that sums over neighbours never differ from the whole.
    wh += Math.floor(part.closingMwh / 1000) - Math.floor(part.openingMwh / 1000);
  }
  return { [quantity]: { openingMwh: opening.openingMwh, closingMwh: closing.closingMwh, wh, claimId } };
}

function registers(
  first: ProvenInterval["segments"][number]["first"],
  last: typeof first,
  quantity: "import" | "export",
): { readonly openingMwh: number; readonly closingMwh: number } | undefined {
  const openingMwh = quantity === "import" ? first.openingImportMwh : first.openingExportMwh;
  const closingMwh = quantity === "import" ? last.closingImportMwh : last.closingExportMwh;
  return openingMwh === undefined || closingMwh === undefined ? undefined : { openingMwh, closingMwh };
}

function timeBounds(
  proven: ProvenInterval,
  trusted: readonly Witness[],
  policy: TrustPolicy,
): Pick<Verdict, "notBeforeMs" | "notAfterMs"> {
  const notAfterMs =
    trusted.length === 0 ? undefined : Math.min(...trusted.map((witness) => witness.receivedAtMs));
  const { anchoredBy } = proven;
  const anchored = anchoredBy !== undefined && isTrusted(anchoredBy, policy);
  return {
    ...(anchored ? { notBeforeMs: anchoredBy.receivedAtMs } : {}),
    ...(notAfterMs === undefined ? {} : { notAfterMs }),
  };
}
