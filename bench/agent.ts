import { runningBench } from "./agent-running.ts";
import { sealingBench } from "./agent-sealing.ts";
import type { Result } from "./measure.ts";

/** What the agent costs the gateway that it runs on. */
export async function agentBench(): Promise<readonly Result[]> {
  return [...(await sealingBench()), ...(await runningBench())];
}
