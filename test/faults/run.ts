import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { clockSteps } from "./clock-steps.ts";
import { diskFull } from "./disk-full.ts";
import { dispatchKill } from "./dispatch-kill.ts";
import { flapping } from "./flapping.ts";
import { hostile } from "./hostile.ts";
import { killAgent } from "./kill-agent.ts";
import { killBoth } from "./kill-both.ts";
import { killNode } from "./kill-node.ts";
import { type Fault, type FaultOutcome, isMet, outcomeWords } from "./kit/report.ts";
import type { Findings } from "./kit/witness.ts";
import { lyingNode } from "./lying-node.ts";
import { messages } from "./messages.ts";
import { nodeDown } from "./node-down.ts";
import { powerCut } from "./power-cut.ts";
import { restore } from "./restore.ts";
import { slowReader } from "./slow-reader.ts";
import { twoAgents } from "./two-agents.ts";

/** Every fault by its name, in the order in which they are run. */
const FAULTS: readonly Fault[] = [
  ...[killAgent, killNode, killBoth, powerCut, diskFull, clockSteps, nodeDown],
  ...[flapping, slowReader, messages, restore, twoAgents, lyingNode, hostile, dispatchKill],
];

/** Cycles from one line about progress to the next. */
const SAID_EVERY = 50;

const HELP = `npm run faults -- [NAME…] [--cycles N] [--seed N] [--json]

Runs the named faults, or all, against real programs, and prints one line for each. Exit status: 0 every bar is met,
1 one is missed, 2 the command line is wrong.

${FAULTS.map(({ name, cycles, does }) => `  ${name.padEnd(14)} ${does} (${cycles} cycles)`).join("\n")}
`;

interface Wanted {
  readonly faults: readonly Fault[];
  readonly cycles?: number;
  readonly seed: number;
  readonly json: boolean;
}

async function main(args: readonly string[]): Promise<number> {
  const wanted = read(args);
  if (wanted === undefined) return 2;
  let met = true;
  let notRun = 0;
  for (const fault of wanted.faults) {
    const outcome = await runOne(fault, wanted);
    met &&= isMet(outcome);
    notRun += outcome.notRun?.length ?? 0;
  }
  if (notRun > 0) process.stderr.write(`${notRun} parts were not run on this machine\n`);
  return met ? 0 : 1;
}

function read(args: readonly string[]): Wanted | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      cycles: { type: "string" },
      seed: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  const known = FAULTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const cycles = values.cycles === undefined ? undefined : Number(values.cycles);
  const seed = Number(values.seed ?? 1);
  const unknown = positionals.filter((name) => !FAULTS.some((fault) => fault.name === name));
  if (values.help === true || unknown.length > 0 || cycles === 0 || !Number.isInteger(cycles ?? 1)) {
    process.stderr.write(unknown.length > 0 ? `no such fault: ${unknown.join(", ")}\n\n${HELP}` : HELP);
    return undefined;
  }
  return { faults: known, seed, json: values.json === true, ...(cycles === undefined ? {} : { cycles }) };
}

async function runOne(fault: Fault, { cycles = fault.cycles, seed, json }: Wanted): Promise<FaultOutcome> {
  const folder = mkdtempSync(join(tmpdir(), `kw-${fault.name}-`));
  const began = performance.now();
  const seconds = (): number => Math.round((performance.now() - began) / 100) / 10;
  const said = (done: number, { acknowledged, problems }: Findings): void => {
    if (done % SAID_EVERY !== 0) return;
    const wrong = problems[0] === undefined ? "" : `, ${problems.length} wrong: ${problems[0]}`;
    process.stderr.write(
      `${fault.name}: ${done} of ${cycles}, ${acknowledged} leaves, ${seconds()} s${wrong}\n`,
    );
  };
  try {
    const outcome = await fault.run({ cycles, seed, folder, said }).catch(failed);
    const lines = json
      ? [JSON.stringify({ fault: fault.name, met: isMet(outcome), seed, seconds: seconds(), ...outcome })]
      : outcomeWords(fault.name, outcome, seconds());
    process.stdout.write(`${lines.join("\n")}\n`);
    return outcome;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A fault that could not be run to its end is missed. */
function failed(cause: unknown): FaultOutcome {
  const none = { cycles: 0, acknowledged: 0, lost: 0, forks: 0, gaps: 0, fsckRuns: 0, unsound: 0 };
  return { ...none, problems: [cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)] };
}

process.exitCode = await main(process.argv.slice(2));
