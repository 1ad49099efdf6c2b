import type { Signer } from "../../attest/signature.ts";

/**
 * A signer whose key lives elsewhere: in a coprocessor, a secure element or another process (assurance tier 2).
 * What it returns is verified before it is used.
 */
export interface RemoteSigner extends Signer {
  /** 1: the seed is wrapped by hardware; 2: the key cannot leave its chip. */
  readonly assuranceTier: 1 | 2;
  /** Bounded in time; throws a Problem `signer-…` when the other side is silent or wrong. */
  sign(message: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}
