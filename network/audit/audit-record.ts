import type { ChannelManifest, ReadingLeaf } from "../../attest/leaf.ts";

/** What came of an audit; docs/audits.md says what each shows. */
export const VERDICTS = [
  "matches",
  "differs",
  "wrong-frame",
  "gone",
  "silent",
  "cannot-decode",
  "profile-unknown",
] as const;
export type AuditVerdict = (typeof VERDICTS)[number];

/** The first value of a leaf, or else of its channel's manifest, that is not what the frame says. */
export interface Difference {
  /** Its name in the leaf or the manifest, such as "importMwh". */
  readonly value: string;
  /** As the frame has it, in the leaf's unit. */
  readonly expected: string;
  /** As the leaf or the manifest has it. */
  readonly got: string;
}

/** A verdict and why. */
export interface Judgement {
  readonly verdict: AuditVerdict;
  /** One sentence; empty where the verdict says all. */
  readonly detail: string;
  /** Exactly where the verdict is `differs`. */
  readonly difference?: Difference;
}

/** A reading whose frame is asked for. */
export interface AuditedLeaf {
  readonly deviceKey: Uint8Array;
  /** The store's number of the log. */
  readonly log: number;
  readonly epoch: number;
  readonly leaf: ReadingLeaf;
  /** The leaf's field 14. */
  readonly evidence: Uint8Array;
  /** The manifest that was in force at the leaf. */
  readonly manifest: ChannelManifest;
}

/** What shows to a stranger what the device said: its leaf, and the way from there to its signature. */
export interface LeafProof {
  readonly leaf: Uint8Array;
  /** Hashes of RFC 6962, 2.1.1, from the leaf up, back to back. */
  readonly path: Uint8Array;
  /** The signed checkpoint that the path leads to. */
  readonly checkpoint: Uint8Array;
}

/** One audit, ready to be kept. */
export interface Audit extends Judgement {
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
  readonly seq: number;
  readonly channel: number;
  /** Time of the leaf. */
  readonly leafMs: number;
  readonly auditedMs: number;
  /** Where the verdict is `differs`. */
  readonly evidence?: LeafProof & { readonly frame: Uint8Array };
}

/** An audit as it is kept; its evidence comes apart. */
export interface KeptAudit extends Omit<Audit, "evidence"> {
  /** Rises from audit to audit. */
  readonly id: number;
}

/** Where audits are kept, so many of each device. */
export interface AuditRecords {
  add(audit: Audit): Promise<void>;
  /** The device's audits below the id `before`, newest first. */
  newest(
    deviceKey: Uint8Array,
    page: { readonly before: number; readonly limit: number },
  ): Promise<readonly KeptAudit[]>;
  /** One audit of the device with its evidence. */
  find(deviceKey: Uint8Array, id: number): Promise<(KeptAudit & Pick<Audit, "evidence">) | undefined>;
}

/** Where leaves to audit come from. */
export interface AuditSource {
  /**
   * A reading with evidence out of the device's last minutes, any with the same chance; undefined when none was found.
   * @param random from 0 to below 1, at every call
   */
  pick(deviceKey: Uint8Array, random: () => number): Promise<AuditedLeaf | undefined>;
  proofOf(audited: AuditedLeaf): Promise<LeafProof>;
}
