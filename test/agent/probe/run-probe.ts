import { probeCommand } from "../../../agent/cli/probe.ts";

// The command alone, as the launcher runs it.
await probeCommand().parseAsync(process.argv.slice(2), { from: "user" });
