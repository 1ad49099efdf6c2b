import { main } from "../../../bin/main.ts";

// As the launcher runs it: options that the command above has, too, must reach this one.
await main(["simulate", ...process.argv.slice(2)]);
