import { toHex } from "../../../attest/bytes.ts";
import { decodeLeafAt } from "../../../attest/leaf-codec.ts";
import { sentBatches } from "./sent.ts";
import type { TraceOp } from "./trace.ts";

/**
 * What of a trace breaks the rule "durable before signed, signed before sent": for each batch that was sent, each of its
 * leaves and its checkpoint must have been written, byte for byte, into a file that was synced between that write and the
 * send. Empty when nothing does.
 */
export function unsafeSends(ops: readonly TraceOp[]): string[] {
  const wrong: string[] = [];
  const durable = new DurableBytes(ops);
  for (const { index, batch } of sentBatches(ops)) {
    const parts = [...leavesIn(batch.leaves), batch.checkpoint];
    const missing = parts.filter((bytes) => !durable.before(index, bytes)).length;
    if (missing > 0)
      wrong.push(
        `the batch from leaf ${batch.firstSeq} on was sent with ${missing} of ${parts.length} parts not durable`,
      );
  }
  return wrong;
}

/** Where bytes were first written, and whether the file was synced afterwards. */
class DurableBytes {
  readonly #ops: readonly TraceOp[];
  /** Index of the op after which they were durable. */
  readonly #found = new Map<string, number>();

  constructor(ops: readonly TraceOp[]) {
    this.#ops = ops;
  }

  before(index: number, bytes: Uint8Array): boolean {
    const id = toHex(bytes);
    const known = this.#found.get(id) ?? this.#search(bytes);
    this.#found.set(id, known);
    return known < index;
  }

  #search(bytes: Uint8Array): number {
    const wanted = Buffer.from(bytes);
    for (const [at, op] of this.#ops.entries()) {
      if (op.kind !== "write" || !op.data.includes(wanted)) continue;
      const sync = this.#ops.findIndex(
        (later, place) => place > at && later.kind === "sync" && later.name === op.name,
      );
      if (sync >= 0) return sync;
    }
    return Number.POSITIVE_INFINITY;
  }
}

function* leavesIn(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const { end } = decodeLeafAt(bytes, at);
    yield bytes.subarray(at, end);
    at = end;
  }
}
