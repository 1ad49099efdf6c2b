import { simulateCommand } from "../../../agent/cli/simulate.ts";

// The command alone, as the launcher runs it.
await simulateCommand().parseAsync(process.argv.slice(2), { from: "user" });
