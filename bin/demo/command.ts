import { Command, InvalidArgumentError } from "commander";
import { Problem } from "../../attest/problem.ts";
import { Cleanups } from "./cleanups.ts";
import {
  type DemoSettings,
  type DemoTools,
  isGood,
  LONGEST_SECONDS,
  type Narrator,
  playDemo,
} from "./demo.ts";
import { Interrupt } from "./interrupt.ts";
import { JsonNarrator } from "./json-narrator.ts";
import { TextNarrator } from "./text-narrator.ts";

const PROOF_FILE = "kilowitness-demo-proof.kwp";
/** What shells report for a program that Ctrl-C ended. */
const INTERRUPTED = 130;

interface DemoOptions {
  readonly seconds?: number;
  readonly json?: boolean;
  readonly corpus?: string;
  readonly keep?: string;
  readonly out: string;
}

const HELP = `
Devices answer on loopback sockets; an agent and a node run as processes of their own, all of it on this machine. At
the end one interval is proven, the proof is written and verified, and the three sides' counts are compared.

Exit status: 0 when the proof is valid and nothing was lost, 130 when it was interrupted before, else 1.`;

/** `kilowitness demo`: the whole path from a device to a verified proof, on this machine. */
export function demoCommand(): Command {
  return new Command("demo")
    .description(
      "see the whole path at work: simulated devices, an agent, a node, and a verified proof at the end",
    )
    .option(
      "--seconds <n>",
      `run this long and then end; without it until Ctrl-C, at most ${LONGEST_SECONDS}`,
      seconds,
    )
    .option("--json", "print only JSON lines; the last one is the result")
    .option(
      "--corpus <dir>",
      "replay the captures of dsmr-p1/ and sunspec/ in this folder, not the simulated home",
    )
    .option("--out <file>", "where the proof goes", PROOF_FILE)
    .option(
      "--keep <dir>",
      "work in this new folder and keep it: configurations, keys, journal, node's store",
    )
    .addHelpText("after", HELP)
    .action(runDemo);
}

async function runDemo({ json, ...settings }: DemoOptions): Promise<void> {
  const interrupt = new Interrupt();
  const cleanups = new Cleanups();
  const narrator =
    json === true ? new JsonNarrator((line) => process.stdout.write(line)) : new TextNarrator(process.stdout);
  // Whoever read the output has gone: there is nobody to show the rest to.
  process.stdout.on("error", () => interrupt.request());
  try {
    process.exitCode = await playAndTell(settings, { narrator, interrupt, cleanups });
  } finally {
    interrupt.close();
  }
}

async function playAndTell(settings: DemoSettings, tools: DemoTools): Promise<number> {
  const { narrator, cleanups } = tools;
  const outcome = await settled(playDemo(settings, tools));
  const cleaned = await settled(cleanups.run());
  if ("thrown" in outcome) return failed(narrator, outcome.thrown);
  if ("thrown" in cleaned) return failed(narrator, cleaned.thrown);
  narrator.finished(outcome.value);
  return isGood(outcome.value) ? 0 : 1;
}

function failed(narrator: Narrator, thrown: unknown): number {
  narrator.failed(thrown);
  return thrown instanceof Problem && thrown.code === "demo-interrupted" ? INTERRUPTED : 1;
}

type Settled<T> = { readonly value: T } | { readonly thrown: unknown };

function settled<T>(work: Promise<T>): Promise<Settled<T>> {
  return work.then(
    (value) => ({ value }),
    (thrown: unknown) => ({ thrown }),
  );
}

function seconds(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= LONGEST_SECONDS) return value;
  throw new InvalidArgumentError(`Expected a whole number from 1 to ${LONGEST_SECONDS}.`);
}
