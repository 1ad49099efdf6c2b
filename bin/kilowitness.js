#!/usr/bin/env node
// Plain JavaScript on purpose: it must run on any Node so that an old one gets a sentence, not a stack trace.
import { existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

const FLOOR = [22, 14];
/**
 * A gateway has little memory, and at some ten readings a second its agent has no hot code: V8 would let young objects
 * take 32 MB before it looks which are dead, and what its optimising compilers take to save the agent nothing is as much
 * (docs/benchmarks.md). Programs for people and nodes run as V8 has it.
 */
const SMALL = ["--semi-space-growth-factor=1", "--no-opt", "--no-maglev"];
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < FLOOR[0] || (major === FLOOR[0] && minor < FLOOR[1])) {
  process.stderr.write(
    `kilowitness: Node.js is too old; expected ${FLOOR.join(".")} or newer, got ${process.versions.node}; ` +
      "start it with 'npm run kilowitness -- …' or 'npx kilowitness …', which use the runtime that npm ci brought\n",
  );
  process.exitCode = 1;
} else {
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on("error", (error) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`kilowitness: standard output cannot be written: ${error.message}\n`);
    process.exit(1);
  });
  if (process.argv[2] === "agent") for (const flag of SMALL) setFlagsFromString(flag);
  const source = new URL("./main.ts", import.meta.url);
  const built = new URL("../dist/program/main.js", import.meta.url);
  const { main } = await import((existsSync(source) ? source : built).href);
  await main(process.argv.slice(2));
}
