import { nativeSuite } from "../../attest/native.ts";
import { openReceipt } from "../../attest/receipt.ts";
import type { UplinkHost } from "./host.ts";
import { requireOurs } from "./own-receipt.ts";

/** What one node has receipted of the present epoch. */
export class ReceiptBook {
  readonly #host: UplinkHost;
  readonly #nodeKey: Uint8Array;
  #size = 0;
  #lastMs: number | undefined;

  constructor(host: UplinkHost, nodeKey: Uint8Array) {
    this.#host = host;
    this.#nodeKey = nodeKey;
  }

  get size(): number {
    return this.#size;
  }

  /** When the last one of this run came, ms since 1970. */
  get lastMs(): number | undefined {
    return this.#lastMs;
  }

  /** As the journal has it. */
  begin(): void {
    const { journal, identity } = this.#host.log();
    this.#size = journal.receiptedSize(identity.epoch, this.#nodeKey);
  }

  /** Another epoch, of which no node has anything. */
  beginEpoch(): void {
    this.#size = 0;
  }

  /** Verifies a receipt and hands it to the agent. Throws `receipt-foreign`, `cose-…`, or what the agent throws. */
  keep(bytes: Uint8Array): { readonly size: number; readonly fresh: boolean } {
    const { journal, identity } = this.#host.log();
    const receipt = openReceipt(nativeSuite, bytes, this.#nodeKey);
    requireOurs(receipt, journal, identity);
    const fresh = receipt.size > this.#size;
    this.#size = Math.max(this.#size, receipt.size);
    this.#lastMs = performance.timeOrigin + performance.now();
    this.#host.receipted(this.#nodeKey, receipt, bytes);
    return { size: receipt.size, fresh };
  }
}
