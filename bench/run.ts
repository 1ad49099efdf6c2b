import { evidenceBench } from "./evidence.ts";
import type { Result } from "./measure.ts";

const BENCHES: ReadonlyMap<string, () => Promise<readonly Result[]>> = new Map([["evidence", evidenceBench]]);

const args = process.argv.slice(2);
const json = args.includes("--json");
const names = args.filter((arg) => !arg.startsWith("-"));
const unknown = names.find((name) => !BENCHES.has(name));

if (unknown === undefined) {
  for (const [name, run] of BENCHES) {
    if (names.length > 0 && !names.includes(name)) continue;
    for (const result of await run())
      process.stdout.write(`${json ? JSON.stringify(result) : words(result)}\n`);
  }
} else {
  process.stderr.write(
    `bench: no benchmark "${unknown}"; expected one of ${[...BENCHES.keys()].join(", ")}\n`,
  );
  process.exitCode = 2;
}

function words(result: Result): string {
  const value = `${Math.round(result.value).toLocaleString("en-US")} ${result.unit}`;
  const ratio = result.ratio === undefined ? "" : `, ${result.ratio.toFixed(1)} times ${result.baseline}`;
  return `${result.bench.padEnd(10)} ${result.case.padEnd(40)} ${value.padStart(24)}${ratio}`;
}
