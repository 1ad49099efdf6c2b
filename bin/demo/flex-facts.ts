import type { ChallengeVerdict } from "../../attest/flexibility/challenge.ts";
import type { SettlementVerdict } from "../../attest/flexibility/verdict.ts";
import type { SimulatedControlFault } from "../../drivers/simulated/profile-faults.ts";
import type { TrueInterval } from "./flex-truth.ts";

/** What is told of the flexibility demo, one after the other. Times are ms since 1970 UTC, energies mWh, powers mW. */
export type FlexFact =
  | BeganFact
  | HistoryFact
  | OfferFact
  | CommitmentFact
  | DispatchFact
  | ActuationFact
  | SettlementFact
  | ChallengeFact
  | ProofFact
  | AlteredFact;

export interface BeganFact {
  readonly event: "flex-started";
  readonly batteryPort: number;
  readonly meterPort: number;
  readonly fault?: SimulatedControlFault;
}

export interface HistoryFact {
  readonly event: "history";
  readonly fromMs: number;
  readonly toMs: number;
  readonly leaves: number;
  readonly closes: number;
  readonly receipted: number;
  /** How long it took in truth. */
  readonly tookMs: number;
}

export interface OfferFact {
  readonly event: "offer";
  readonly seq: number;
  readonly atMs: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly powerMw: number;
  readonly noticeMs: number;
  readonly baselineMethod: string;
  readonly biasPpm?: number;
  readonly relativeRmsePpm?: number;
}

export interface CommitmentFact {
  readonly event: "commitment";
  readonly seq: number;
  readonly issuedAtMs: number;
  readonly receivedAtMs: number;
  readonly dueByMs: number;
  readonly deltaMwh: readonly number[];
}

/** What the device answered to an order, in a leaf of its own. */
export interface Answer {
  readonly seq: number;
  readonly atMs: number;
  readonly state: string;
  readonly reason?: string;
}

export interface DispatchFact {
  readonly event: "dispatch";
  readonly seq: number;
  readonly issuedAtMs: number;
  readonly valueMw: number;
}

export interface ActuationFact {
  readonly event: "actuation";
  readonly answers: readonly Answer[];
  /** The first command to the device; absent where there was none. */
  readonly told?: {
    readonly seq: number;
    readonly atMs: number;
    readonly valueMw?: number;
    readonly readBackMw?: number;
    readonly leaseMs?: number;
  };
  /** Leaves that say that the lease was renewed. */
  readonly renewals: number;
  readonly reverted?: { readonly seq: number; readonly atMs: number; readonly reason?: string };
}

export interface SettlementFact {
  readonly event: "settlement";
  /** The device's own account, as a leaf. */
  readonly deviceSeq?: number;
  readonly deviceResult?: number;
  /** What the node has computed by itself. */
  readonly verdict: SettlementVerdict;
  readonly fault?: SimulatedControlFault;
}

export interface ChallengeFact {
  readonly event: "challenge";
  readonly seq: number;
  readonly atMs: number;
  readonly steps: number;
  readonly stepMs: number;
  readonly midMw: number;
  readonly halfSwingMw: number;
  readonly passed: boolean;
  readonly verdict: Pick<ChallengeVerdict, "pattern" | "codes" | "listening" | "flexible" | "behindMeter"> & {
    readonly device?: Pick<NonNullable<ChallengeVerdict["device"]>, "response">;
    readonly site?: Pick<NonNullable<ChallengeVerdict["site"]>, "response">;
  };
}

export interface ProofFact {
  readonly event: "proof";
  readonly path: string;
  readonly bytes: number;
  readonly leaves: number;
  readonly hashes: number;
  /** The command that verifies it, and what it printed. */
  readonly command: string;
  readonly status: number;
  readonly firstLine: string;
  /** In this process, too, by the same two keys. */
  readonly verdict: SettlementVerdict;
}

export interface AlteredFact {
  readonly event: "altered";
  readonly seq: number;
  readonly beforeMwh: number;
  readonly afterMwh: number;
  readonly status: number;
  readonly firstLine: string;
  readonly code: string;
}

/** All that came of it. */
export interface FlexResult {
  readonly result: string;
  readonly counts: boolean;
  /** Whether what was to be seen was seen: a proof that holds, and an altered one that does not. */
  readonly good: boolean;
  readonly proof: string;
  readonly proofBytes: number;
  readonly alteredCode: string;
  readonly trust: readonly [string, string];
  readonly totals: SettlementVerdict["settled"]["totals"];
  readonly intervals: SettlementVerdict["settled"]["intervals"];
  readonly challengePassed: boolean;
  /** As the home itself counted, from the first day on. */
  readonly truth: readonly TrueInterval[];
  readonly tookMs: number;
}

/** How the demo is told about. */
export interface FlexNarrator {
  told(fact: FlexFact): void;
  finished(result: FlexResult): void;
  failed(thrown: unknown): void;
}
