import { toHex } from "../../attest/bytes.ts";
import { CLOCK_TOLERANCE_MS } from "../../attest/verdict-bounds.ts";

/**
 * Between which two instants of this run a node has received a checkpoint, and the time that it put on the receipt. The
 * instants are ms on a clock that is never set and goes on while the machine sleeps.
 */
export interface Witnessed {
  readonly receivedAtMs: number;
  /** When the checkpoint was signed; left out where that was before this run. */
  readonly signedMs?: number;
  /** When the receipt came, or this run began. */
  readonly arrivedMs: number;
}

/** What is to be added to the clock that is never set to get UTC by a node's clock, ms. */
interface Bounds {
  readonly least: number;
  readonly most?: number;
  readonly arrivedMs: number;
}

interface NodeTime {
  /** No clock is right that adds less. */
  readonly floor: number;
  readonly newest: Bounds;
  /** The newest receipt that was not long on its way. */
  readonly tight?: Bounds;
}

/** A receipt that was longer on its way says too little to set a clock by. */
const WIDEST_MS = 10_000;
/** A clock that is not led runs off by a third of a second within this time. */
const LASTS_MS = 3_600_000;
const AGREES_WITHIN_MS = 2000;

/**
 * The time by the receipts of nodes. With several nodes, more than half of those that have receipted anything must say
 * the same: one whose clock is wrong neither sets this one nor makes it doubted.
 */
export class NodeTimes {
  readonly #nodes = new Map<string, NodeTime>();

  note(nodeKey: Uint8Array, { receivedAtMs, signedMs, arrivedMs }: Witnessed): void {
    const least = receivedAtMs - arrivedMs;
    const bounds: Bounds = {
      least,
      arrivedMs,
      ...(signedMs === undefined ? {} : { most: receivedAtMs - signedMs }),
    };
    const key = toHex(nodeKey);
    const known = this.#nodes.get(key);
    // The receipt of an old checkpoint is the one that was given then. A node whose own clock was put right says so at once.
    const floor = isTight(bounds) ? least : Math.max(known?.floor ?? least, least);
    const tight = isTight(bounds) ? bounds : known?.tight;
    this.#nodes.set(key, { floor, newest: bounds, ...(tight === undefined ? {} : { tight }) });
  }

  /** Whether a clock with this offset is wrong by what nodes have signed, by more than a verifier tolerates. */
  contradict(offsetMs: number, nowMs: number): boolean {
    return this.#most(({ floor, newest }) => {
      const most = isFresh(newest, nowMs) ? newest.most : undefined;
      return offsetMs < floor - CLOCK_TOLERANCE_MS || offsetMs > (most ?? offsetMs) + CLOCK_TOLERANCE_MS;
    });
  }

  /** Whether nodes have just borne out a clock with this offset. */
  bearOut(offsetMs: number, nowMs: number): boolean {
    return this.#most(({ tight }) => {
      if (tight?.most === undefined || !isFresh(tight, nowMs)) return false;
      return offsetMs >= tight.least - AGREES_WITHIN_MS && offsetMs <= tight.most + AGREES_WITHIN_MS;
    });
  }

  /** The offset by the nodes alone; undefined unless they agree on it. */
  offsetMs(nowMs: number): number | undefined {
    const middles = [...this.#nodes.values()]
      .flatMap(({ tight }) => (tight?.most === undefined || !isFresh(tight, nowMs) ? [] : [middle(tight)]))
      .sort((a, b) => a - b);
    const offsetMs = middles[Math.floor(middles.length / 2)];
    return offsetMs !== undefined && this.bearOut(offsetMs, nowMs) ? offsetMs : undefined;
  }

  #most(says: (node: NodeTime) => boolean): boolean {
    const nodes = [...this.#nodes.values()];
    return 2 * nodes.filter(says).length > nodes.length;
  }
}

function isTight({ least, most }: Bounds): boolean {
  return most !== undefined && most >= least && most - least <= WIDEST_MS;
}

function isFresh({ arrivedMs }: Bounds, nowMs: number): boolean {
  return nowMs - arrivedMs <= LASTS_MS;
}

function middle({ least, most }: Bounds): number {
  return Math.floor((least + (most ?? least)) / 2);
}
