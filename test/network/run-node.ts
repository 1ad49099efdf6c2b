import { nodeCommand } from "../../network/cli/node.ts";

// The command as a process of its own, for tests that signal and kill it.
await nodeCommand().parseAsync(process.argv.slice(2), { from: "user" });
