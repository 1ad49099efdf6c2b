import { decodeCommand } from "../../../agent/cli/decode.ts";

// The command alone, as the launcher runs it.
await decodeCommand().parseAsync(process.argv.slice(2), { from: "user" });
