import { Problem } from "../../attest/problem.ts";
import type { AgentConfig } from "../config/config.ts";

/** What makes a device's log this one and no other. */
const FIXED = ["network", "key", "journal", "signer"] as const satisfies readonly (keyof AgentConfig)[];

/**
 * Refuses a configuration that would be another device's or another log's: that needs a start of its own. Throws
 * `config-restart`.
 */
export function requireReloadable(running: AgentConfig, wanted: AgentConfig): void {
  for (const name of FIXED) {
    const [is, wants] = [JSON.stringify(running[name]), JSON.stringify(wanted[name])];
    if (is === wants) continue;
    throw new Problem("config-restart", `${name} cannot change while the agent runs`, {
      where: `${wanted.path}: ${name}`,
      expected: is ?? "none",
      got: wants ?? "none",
      hint: "sudo systemctl restart kilowitness-agent; with another network, key, signer or journal it is another log",
    });
  }
}
