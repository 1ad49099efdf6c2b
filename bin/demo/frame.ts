import type { AgentStatus } from "../../agent/status.ts";
import type { SealedChannel } from "./sealed-count.ts";

/** Everything that a moment of the running demo shows. */
export interface Frame {
  readonly title: string;
  readonly elapsedMs: number;
  readonly clock: string | undefined;
  readonly status: AgentStatus | undefined;
  readonly sealed: readonly SealedChannel[];
  readonly node: string;
  readonly nowMs: number;
}
