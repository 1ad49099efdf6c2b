import { equalBytes } from "../../attest/bytes.ts";
import type { ChannelManifest, ReadingLeaf } from "../../attest/leaf.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { CHANNEL_ROLES, type MeterReading } from "../../attest/reading.ts";
import type { Suite } from "../../attest/suite.ts";
import type { DecodedChannel } from "../../drivers/evidence/decoded.ts";
import type { CompiledProfile } from "../../drivers/profile/compiled.ts";
import { decodeGatewayEvidence, gatewayDecodesWithoutProfile } from "../../firmware-bridge/evidence.ts";
import type { AuditedLeaf, Difference, Judgement } from "./audit-record.ts";

/** Profiles by the digest that manifests pin; see ProfileLibrary. */
export interface Profiles {
  find(digest: Uint8Array): CompiledProfile | undefined;
}

/** First bytes of a frame's SHA-256, which a leaf carries. */
const EVIDENCE_BYTES = 16;

/**
 * Values that the frame alone decides. The meter's own time hangs on a setting, the step on what the channel was
 * described with, and the status has bits of the agent's own.
 */
const COMPARED = [
  "importMwh",
  "exportMwh",
  "activePowerMw",
  "stateOfChargePpm",
  "voltageMv",
  "currentMa",
  "frequencyMhz",
] as const satisfies readonly (keyof MeterReading & keyof ReadingLeaf)[];

/** Holds a leaf against the bytes that its device says it was read from. Never throws for bytes, whatever they are. */
export function judgeFrame(
  { leaf, manifest, evidence }: Pick<AuditedLeaf, "leaf" | "manifest" | "evidence">,
  bytes: Uint8Array,
  { suite, profiles }: { readonly suite: Suite; readonly profiles: Profiles },
): Judgement {
  if (!equalBytes(suite.sha256(bytes).subarray(0, EVIDENCE_BYTES), evidence))
    return { verdict: "wrong-frame", detail: "the bytes do not have the leaf's digest" };
  const { driver, make, profileDigest, resolutionMwh } = manifest;
  const profile = profileDigest === undefined ? undefined : found(profiles, profileDigest);
  if (profile instanceof Problem) return cannotDecode(describeProblem(profile).message);
  if (profile === undefined && (profileDigest !== undefined || !gatewayDecodesWithoutProfile(driver)))
    return { verdict: "profile-unknown", detail: `this node has no such profile of the driver ${driver}` };
  const source = {
    make,
    ...(profile === undefined ? {} : { profile }),
    ...(resolutionMwh === undefined ? {} : { resolutionMwh }),
  };
  const decoded = decodeGatewayEvidence(driver, source, bytes);
  if ("cannotDecode" in decoded) return cannotDecode(decoded.cannotDecode);
  return judgeChannels(leaf, manifest, decoded.channels);
}

function found(profiles: Profiles, digest: Uint8Array): CompiledProfile | Problem | undefined {
  try {
    return profiles.find(digest);
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown;
    throw thrown;
  }
}

function judgeChannels(
  leaf: ReadingLeaf,
  manifest: ChannelManifest,
  channels: readonly DecodedChannel[],
): Judgement {
  const { channel, certain } = channelOf(manifest, channels);
  if (channel === undefined)
    return cannotDecode(`the frame does not tell which of its channels ${manifest.name} is`);
  const difference = differenceOf(leaf, channel.reading);
  if (difference === undefined) return judgeDescription(manifest, channel);
  const { otherwise } = channel;
  if (otherwise !== undefined && differenceOf(leaf, otherwise.reading) === undefined)
    return cannotDecode(
      `${difference.value}: the frame says ${difference.expected} or, set otherwise, ${difference.got}; the manifest does not say how ${otherwise.setting} is set`,
    );
  const other = channels.find(({ reading }) => differenceOf(leaf, reading) === undefined);
  if (!certain && other !== undefined)
    return cannotDecode(
      `the frame says this of ${other.reading.channel}; the name ${manifest.name} may be its`,
    );
  const { value, expected, got } = difference;
  const detail = `${value}: the frame says ${expected}, the leaf ${got}`;
  return { verdict: "differs", detail, difference };
}

/** Where the frame decides what the channel was described with, the manifest has to say the same. */
function judgeDescription(manifest: ChannelManifest, { described = {} }: DecodedChannel): Judgement {
  for (const value of ["resolutionMwh", "serial"] as const) {
    const [expected, got] = [described[value], manifest[value]];
    if (expected === undefined || got === undefined || got === expected) continue;
    const difference = { value, expected: String(expected), got: String(got) };
    return {
      verdict: "differs",
      detail: `${value}: the frame says ${expected}, the manifest ${got}`,
      difference,
    };
  }
  return { verdict: "matches", detail: "" };
}

interface Choice {
  readonly channel: DecodedChannel | undefined;
  /** Whether it cannot be another one, whatever the installer called it. */
  readonly certain: boolean;
}

/** A manifest has the installer's name, which ends with the driver's unless another was configured, and the role. */
function channelOf({ name, role }: ChannelManifest, channels: readonly DecodedChannel[]): Choice {
  const [only, ...more] = channels;
  if (more.length === 0) return { channel: only, certain: true };
  const own = name.slice(name.lastIndexOf("/") + 1);
  const named = channels.find(({ reading }) => reading.channel === own);
  if (named !== undefined) return { channel: named, certain: CHANNEL_ROLES[named.role] === role };
  const [alike, ...others] = channels.filter((channel) => CHANNEL_ROLES[channel.role] === role);
  return { channel: others.length === 0 ? alike : undefined, certain: false };
}

/** Values that the leaf leaves out were refused by the agent, which is its right; what it says has to be in the frame. */
function differenceOf(leaf: ReadingLeaf, reading: Partial<MeterReading>): Difference | undefined {
  for (const value of COMPARED) {
    const [expected, got] = [inWords(reading[value]), inWords(leaf[value])];
    if (got !== undefined && got !== expected) return { value, expected: expected ?? "nothing", got };
  }
  return undefined;
}

function inWords(value: number | readonly number[] | undefined): string | undefined {
  return value === undefined ? undefined : [value].flat().join(", ");
}

function cannotDecode(detail: string): Judgement {
  return { verdict: "cannot-decode", detail };
}
