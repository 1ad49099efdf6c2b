import { agentBench } from "./agent.ts";
import { busBench } from "./bus.ts";
import { challengeBench } from "./challenge.ts";
import { codecBench } from "./codec.ts";
import { decodeBench } from "./decode.ts";
import { type Flags, flagsOf } from "./flags.ts";
import { ingestBench } from "./ingest.ts";
import { loadNode } from "./load/command.ts";
import type { Result } from "./measure.ts";
import { proofBench } from "./proof.ts";
import { signBench } from "./sign.ts";
import { stateBench } from "./state.ts";
import { verifyBench } from "./verify.ts";

type Bench = (flags: Flags) => Promise<readonly Result[]>;

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
/** What a verifying node takes in. */
const INGEST: ReadonlyMap<string, Bench> = new Map([["ingest", ingestBench]]);
/** What the agent costs its gateway. */
const AGENT: ReadonlyMap<string, Bench> = new Map([["agent", agentBench]]);
/** How often challenges are passed and failed: rates, no times. */
const CHALLENGE: ReadonlyMap<string, Bench> = new Map([["challenge", challengeBench]]);
/** Telegrams of meters on serial lines. */
const DECODE: ReadonlyMap<string, Bench> = new Map([["decode", decodeBench]]);
const GROUPS: ReadonlyMap<string, ReadonlyMap<string, Bench>> = new Map([
  ["evidence", EVIDENCE],
  ["bus", BUS],
  ["ingest", INGEST],
  ["agent", AGENT],
  ["challenge", CHALLENGE],
  ["decode", DECODE],
]);

const args = process.argv.slice(2);
const json = args.includes("--json");
const flags = flagsOf(args);
const asked = args.filter((arg) => !arg.startsWith("-"));
if (asked[0] === "load") await runLoad(args.slice(args.indexOf("load") + 1));
else await runBenches();

async function runBenches(): Promise<void> {
  const chosen = asked.length === 0 ? [...GROUPS.values()].flatMap(benchesOf) : asked.flatMap(benchesNamed);
  if (chosen.includes(undefined)) {
    const known = [...GROUPS].flatMap(([group, benches]) => [group, ...benches.keys()]);
    const names = [...known, "load"].join(", ");
    fail(`not a benchmark among "${asked.join(" ")}"; expected some of ${names}`);
    return;
  }
  for (const run of chosen) print((await run?.(flags)) ?? []);
}

/** A node that somebody else runs under load; its figures stand alone. */
async function runLoad(words: readonly string[]): Promise<void> {
  try {
    print(await loadNode(words));
  } catch (thrown) {
    fail(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function fail(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
  process.exitCode = 2;
}

function print(results: readonly Result[]): void {
  for (const result of results) process.stdout.write(`${json ? JSON.stringify(result) : words(result)}\n`);
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
