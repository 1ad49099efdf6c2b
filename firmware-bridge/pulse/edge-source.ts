import type { Problem } from "../../attest/problem.ts";
import type { Edge } from "../gpio/line.ts";

export interface EdgeListener {
  onEdge(edge: Edge): void;
  /** No edge comes any more; the source is of no use from here on. */
  onEnd(problem: Problem): void;
}

/** Where edges come from. Lives in the counting process, and once. */
export interface EdgeSource {
  /** Resolves when edges are being watched, or it was stopped meanwhile; throws a Problem `pulse-…`. */
  start(listener: EdgeListener): Promise<void>;
  /** Resolves when the last edge was handed over. May be called before {@link start} has resolved, and for good. */
  stop(): Promise<void>;
}
