import { Problem } from "../../attest/problem.ts";
import type { AgentConfig } from "../config/config.ts";

/** What makes a device's log this one and no other. */
const FIXED = ["network", "key", "journal"] as const satisfies readonly (keyof AgentConfig)[];

/**
 * Refuses a configuration that would be another device's or another log's: that needs a start of its own. Throws
 * `config-restart`.
 */
export function requireReloadable(running: AgentConfig, wanted: AgentConfig): void {
  for (const name of FIXED) {
    if (running[name] === wanted[name]) continue;
    throw new Problem("config-restart", `${name} cannot change while the agent runs`, {
      where: `${wanted.path}: ${name}`,
      expected: JSON.stringify(running[name]),
      got: JSON.stringify(wanted[name]),
      hint: "sudo systemctl restart kilowitness-agent; with another network, key or journal it is another log",
    });
  }
}
