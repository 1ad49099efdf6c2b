import { toHex } from "../../attest/bytes.ts";
import type { EnrolmentRecord } from "../../attest/enrolled-key.ts";
import { signEnrolment } from "../../attest/enrolment.ts";
import { codeProof } from "../../attest/enrolment-code.ts";
import type { EnrolmentMessage } from "../../attest/messages.ts";
import { hmacSha256, nativeSuite } from "../../attest/native.ts";
import type { Signer } from "../../attest/signature.ts";
import type { Logger } from "../../runtime/log.ts";
import { readCodeFile } from "./code-file.ts";
import { committedKeys } from "./committed-keys.ts";
import { enrolmentPath, writeEnrolment } from "./enrolment-record.ts";

export interface EnrollerOptions {
  readonly network: string;
  readonly signer: Signer;
  readonly assuranceTier: number;
  readonly softwareVersion: string;
  /** Leaf hash of the manifest of the log as it is now. */
  readonly manifestHash: () => Uint8Array;
  /** Path of the device's key file, beside which the next key and the recovery key are kept. */
  readonly keyPath: string;
  /** Path of the journal, beside which the answers are kept. */
  readonly journalPath: string;
  /** From the configuration, hexadecimal. */
  readonly recoveryKey?: string;
  readonly logger: Logger;
}

/** A node that asks, and what its operator handed out for this device. */
export interface EnrollingNode {
  readonly url: string;
  readonly key: Uint8Array;
  /** File with a one-time code. */
  readonly codeFile?: string;
  /** The code itself, instead of a file. */
  readonly code?: string;
}

/** What the device says of itself to a node that does not know it, and what becomes of the answer. */
export class Enroller {
  readonly #options: EnrollerOptions;

  constructor(options: EnrollerOptions) {
    this.#options = options;
  }

  /**
   * The signed statement, with the proof of a code where there is one. The file is read anew each time, so that a
   * corrected code needs no restart. Throws `enrolment-code-…`, `key-…`, `recovery-key-format` or `enrolment-…`.
   */
  async answer(node: EnrollingNode, nodeNonce: Uint8Array): Promise<EnrolmentMessage> {
    const { network, signer, assuranceTier, softwareVersion, manifestHash } = this.#options;
    const code = node.codeFile === undefined ? node.code : readCodeFile(node.codeFile);
    const statement = await signEnrolment(nativeSuite, signer, {
      ...{ network, nodeKey: node.key, nodeNonce, manifestHash: manifestHash() },
      ...{ assuranceTier, softwareVersion },
      ...committedKeys(this.#options),
    });
    const proof =
      code === undefined ? {} : { codeProof: codeProof(hmacSha256, nativeSuite, code, statement) };
    return { type: "enrolment", statement, ...proof };
  }

  /** The node has accepted, which was verified. A disk that takes nothing keeps no device from streaming. */
  enrolled({ url, key }: EnrollingNode, record: EnrolmentRecord): void {
    const { journalPath, logger } = this.#options;
    const file = enrolmentPath(journalPath, key);
    try {
      writeEnrolment(file, record);
      logger.info("enrolled", { url, nodeKey: toHex(key), file });
    } catch (cause) {
      logger.problem("enrolment-not-kept", cause, { url, file });
    }
  }
}
