import { fromHex, toHex } from "../attest/bytes.ts";
import type { WelcomeMessage } from "../attest/messages.ts";
import { describeProblem } from "../attest/problem.ts";
import type { Logger } from "../runtime/log.ts";
import type { TimeKeeper } from "./clock/time-keeper.ts";
import type { Guard } from "./guard.ts";
import type { Ledger } from "./sealing/ledger.ts";
import { CHECKPOINT_LEAVES } from "./sealing/prefix-checkpoints.ts";
import { compareWelcome, epochProblem, SigningGate } from "./uplink/signing-gate.ts";

export interface SigningOptions {
  readonly ledger: Ledger;
  readonly time: TimeKeeper;
  readonly guard: Guard;
  readonly logger: Logger;
  /** Keys of the configured nodes. */
  readonly nodes: readonly Uint8Array[];
  /** Between two signatures. */
  readonly checkpointMs: number;
  /** After which a node that does not answer is done without. */
  readonly silentNodeMs: number;
  /** There is a new checkpoint to send. */
  readonly signed: () => void;
}

/** When the log is signed: after the nodes have shown what they hold, and then as often as is due. */
export class Signing {
  readonly #options: SigningOptions;
  #gate: SigningGate;
  /** When the nodes were first asked what they hold of this epoch. */
  #askedMs = performance.now();
  #running: Promise<void> | undefined;
  #lastCheckpointMs = 0;
  #signedMs: number | undefined;
  #saidWaiting = false;
  #urgent = false;
  /** The signer did not sign the last time: it is asked again when the next checkpoint is due, and no sooner. */
  #signerFails = false;

  constructor(options: SigningOptions) {
    this.#options = options;
    this.#gate = this.#openGate();
  }

  /** Nothing is signed before the nodes have answered. */
  get waits(): boolean {
    return !this.#gate.open;
  }

  /** Since the last signature of this run, ms. */
  get signedAgoMs(): number | undefined {
    return this.#signedMs === undefined ? undefined : Math.floor(performance.now() - this.#signedMs);
  }

  /** The log goes on in another epoch: every node is asked again. */
  epochChanged(): void {
    this.#gate = this.#openGate();
    this.#askedMs = performance.now();
  }

  /** A node has shown what it holds: the size to go on from. Throws `epoch-superseded`, `welcome-…` or `cose-…`. */
  welcomed(nodeKey: Uint8Array, welcome: WelcomeMessage): number {
    const { ledger } = this.#options;
    const standing = compareWelcome(welcome, ledger.log.journal, ledger.log.identity);
    const nextEpoch = standing.nextEpoch ?? ledger.epochFor(standing.size);
    if (nextEpoch === undefined) {
      this.#gate.answered(nodeKey);
      return standing.size;
    }
    ledger.nextEpoch(nextEpoch);
    throw epochProblem({ ...standing, nextEpoch });
  }

  /** Who does not answer for too long after a start is done without, in an epoch of its own. */
  passOverSilent(): void {
    const { ledger, silentNodeMs } = this.#options;
    const { waitingFor } = this.#gate;
    if (waitingFor.length === 0 || performance.now() - this.#askedMs < silentNodeMs) return;
    const nodes = waitingFor.map((key) => fromHex(key, "nodes.key"));
    ledger.passOver(nodes, `node ${waitingFor[0]} has not answered since the start`);
  }

  /** The next {@link tick} signs, whether it is due or not. */
  soon(): void {
    this.#urgent = true;
  }

  /** Signs when it is due. */
  tick(): void {
    const { sealer } = this.#options.ledger;
    if (this.#running !== undefined || !sealer.hasNews || !this.#maySign()) return;
    const due = performance.now() - this.#lastCheckpointMs >= this.#options.checkpointMs;
    const many = sealer.rules.size - sealer.signedSize >= CHECKPOINT_LEAVES;
    const soon = many || this.#urgent || sealer.closedSinceCheckpoint;
    // A meter may be on the same line, and waits while a signer is silent.
    if (due || (soon && !this.#signerFails)) {
      this.#urgent = false;
      this.#running = this.#sign().finally(() => {
        this.#running = undefined;
      });
    }
  }

  /** Before the last commit. */
  async settle(): Promise<void> {
    await this.#running;
  }

  /** What is left, when the agent stops; not where the signer is not there: readings are durable. */
  async last(): Promise<void> {
    if (this.#gate.open && !this.#signerFails && this.#options.ledger.sealer.hasNews) await this.#sign();
  }

  #openGate(): SigningGate {
    const { ledger } = this.#options;
    return new SigningGate(ledger.log.journal, ledger.nodesToAsk());
  }

  #maySign(): boolean {
    if (this.#gate.open) return true;
    if (!this.#saidWaiting) {
      this.#saidWaiting = true;
      const { waitingFor } = this.#gate;
      this.#options.logger.info("signing-waits", {
        reason: "nothing is signed before the nodes have shown what they hold of this device",
        nodes: waitingFor.length > 0 ? waitingFor : this.#options.nodes.map(toHex),
        hint: "readings are sealed meanwhile; take a node that is gone for good out of the configuration",
      });
    }
    return false;
  }

  async #sign(): Promise<void> {
    const { ledger, time, guard } = this.#options;
    this.#lastCheckpointMs = performance.now();
    try {
      time.check();
      const { passedMs } = time.clock;
      time.signed(await ledger.checkpoint(), passedMs);
      this.#signedMs = performance.now();
      this.#signerFails = false;
      guard.succeeded("checkpoint-failed");
      this.#options.signed();
    } catch (cause) {
      this.#failed(cause);
    }
  }

  #failed(cause: unknown): void {
    const { code } = describeProblem(cause);
    // The next epoch has a checkpoint of its own.
    if (code === "epoch-superseded") return;
    this.#signerFails = code.startsWith("signer-");
    if (this.#signerFails) this.#lastCheckpointMs = performance.now();
    this.#options.guard.failed("checkpoint-failed", cause);
  }
}
