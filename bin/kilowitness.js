#!/usr/bin/env node
// Plain JavaScript on purpose: it must run on any Node so that an old one gets a sentence, not a stack trace.
import { existsSync } from "node:fs";

const FLOOR = [22, 14];
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
    throw error;
  });
  const source = new URL("./main.ts", import.meta.url);
  const built = new URL("../dist/bin/main.js", import.meta.url);
  const { main } = await import((existsSync(source) ? source : built).href);
  await main(process.argv.slice(2));
}
