import { type Checkpoint, signCheckpoint } from "../../attest/checkpoint.ts";
import { Problem } from "../../attest/problem.ts";
import type { Signer } from "../../attest/signature.ts";
import type { LogWriter } from "./log-writer.ts";

export interface CheckpointBookOptions {
  readonly writer: LogWriter;
  readonly signer: Signer;
  readonly epoch: number;
  readonly logId: Uint8Array;
}

/** Has the checkpoints of one log signed and stores them, one after the other. A signer may take its time, or be silent. */
export class CheckpointBook {
  readonly #options: CheckpointBookOptions;
  #signedSize: number;
  /** The newest one that was given to the signer and is not stored. */
  #asked: Checkpoint | undefined;
  #ended = false;

  constructor(options: CheckpointBookOptions) {
    this.#options = options;
    this.#signedSize = options.writer.journal.lastCheckpoint(options.epoch)?.size ?? 0;
  }

  /** Size of the newest stored checkpoint. */
  get signedSize(): number {
    return this.#signedSize;
  }

  /** The log goes on in another epoch: what is still being signed for this one is nowhere kept, and never leaves. */
  end(): void {
    this.#ended = true;
  }

  /**
   * Throws what the signer and the database throw, and `epoch-superseded` where the log was ended meanwhile. What was not
   * stored may have been signed all the same, and only the answer was lost: the same size is asked for again in the same
   * words, so that no two checkpoints of one size come to be. Within one epoch nobody else can have signed another one:
   * everything under it was durable before.
   */
  async sign(wanted: Checkpoint): Promise<void> {
    this.#requireGoing();
    const { writer, signer, epoch, logId } = this.#options;
    const checkpoint = this.#asked?.size === wanted.size ? this.#asked : wanted;
    this.#asked = checkpoint;
    const bytes = await signCheckpoint(signer, logId, checkpoint);
    this.#requireGoing();
    // Asked for anew: the journal's file may be another one by now.
    writer.journal.addCheckpoint(epoch, checkpoint.size, bytes);
    this.#asked = undefined;
    this.#signedSize = checkpoint.size;
    writer.signed(checkpoint.size);
  }

  #requireGoing(): void {
    if (!this.#ended) return;
    throw new Problem("epoch-superseded", "the log went on in another epoch while its checkpoint was signed");
  }
}
