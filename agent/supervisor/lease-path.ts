import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";

/** Where an agent keeps what has to be reverted if nobody is left to do it: beside its journal. */
export function leaseFileBeside(journal: string): string {
  return `${journal}.leases`;
}

/**
 * The same by the agent's configuration, of which nothing else is looked at: the drivers and schemas that it takes to
 * check the rest are not for a parent that is to stay small. Undefined where it cannot be found: then no agent starts.
 */
export function leaseFileOf(configPath: string): string | undefined {
  try {
    const config: unknown = parse(readFileSync(configPath, "utf8"));
    if (typeof config !== "object" || config === null || !("journal" in config)) return undefined;
    const { journal } = config;
    if (typeof journal !== "string") return undefined;
    return leaseFileBeside(resolve(dirname(resolve(configPath)), journal));
  } catch {
    return undefined;
  }
}
