import { scanCommand } from "../../agent/cli/scan.ts";

// The command alone, as the launcher runs it.
await scanCommand().parseAsync(process.argv.slice(2), { from: "user" });
