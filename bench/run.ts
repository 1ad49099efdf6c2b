import { busBench } from "./bus.ts";
import { codecBench } from "./codec.ts";
import type { Result } from "./measure.ts";
import { proofBench } from "./proof.ts";
import { signBench } from "./sign.ts";
import { stateBench } from "./state.ts";
import { verifyBench } from "./verify.ts";

type Bench = () => Promise<readonly Result[]>;

/** All of the evidence format, in this order; each can be asked for alone. */
const EVIDENCE: ReadonlyMap<string, Bench> = new Map([
  ["verify", verifyBench],
  ["codec", codecBench],
  ["proof", proofBench],
  ["sign", signBench],
  ["state", stateBench],
]);
/** The Modbus bus, over simulated lines. */
const BUS: ReadonlyMap<string, Bench> = new Map([["bus", busBench]]);
const GROUPS: ReadonlyMap<string, ReadonlyMap<string, Bench>> = new Map([
  ["evidence", EVIDENCE],
  ["bus", BUS],
]);

const args = process.argv.slice(2);
const json = args.includes("--json");
const asked = args.filter((arg) => !arg.startsWith("-"));
const chosen = asked.length === 0 ? [...GROUPS.values()].flatMap(benchesOf) : asked.flatMap(benchesNamed);

if (chosen.includes(undefined)) {
  const known = [...GROUPS].flatMap(([group, benches]) => [group, ...benches.keys()]);
  process.stderr.write(
    `bench: not a benchmark among "${asked.join(" ")}"; expected some of ${known.join(", ")}\n`,
  );
  process.exitCode = 2;
} else {
  for (const run of chosen) {
    for (const result of (await run?.()) ?? [])
      process.stdout.write(`${json ? JSON.stringify(result) : words(result)}\n`);
  }
}

function benchesNamed(name: string): readonly (Bench | undefined)[] {
  const group = GROUPS.get(name);
  return group === undefined ? [EVIDENCE.get(name)] : benchesOf(group);
}

function benchesOf(group: ReadonlyMap<string, Bench>): readonly Bench[] {
  return [...group.values()];
}

function words({ bench, case: name, value, unit, baseline, ratio }: Result): string {
  const figure = `${number(value)} ${unit}`;
  const against = baseline === null || ratio === null ? "" : `${ratio.toFixed(2)} x ${number(baseline)}`;
  return `${bench.padEnd(12)} ${name.padEnd(32)} ${figure.padStart(28)} ${against.padStart(24)}`.trimEnd();
}

function number(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
