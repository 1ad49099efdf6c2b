import { Command, InvalidArgumentError, Option } from "commander";
import { describeProblem, Problem } from "../../attest/problem.ts";
import {
  faultNamed,
  isControlFault,
  noPlaceFor,
  type SimulatedControlFault,
} from "../../drivers/simulated/profile-faults.ts";
import { Cleanups } from "./cleanups.ts";
import { type DemoSettings, type DemoTools, isGood, LONGEST_SECONDS, playDemo } from "./demo.ts";
import type { FlexSettings } from "./flex.ts";
import { FlexJsonNarrator } from "./flex-json.ts";
import { FlexTextNarrator } from "./flex-text.ts";
import { Interrupt } from "./interrupt.ts";
import { JsonNarrator } from "./json-narrator.ts";
import { TextNarrator } from "./text-narrator.ts";

const PROOF_FILE = { energy: "kilowitness-demo-proof.kwp", flex: "kilowitness-demo-event.kws" } as const;
/** What shells report for a program that Ctrl-C ended. */
const INTERRUPTED = 130;

interface DemoOptions {
  readonly seconds?: number;
  readonly json?: boolean;
  readonly corpus?: string;
  readonly keep?: string;
  readonly out?: string;
  readonly flex?: boolean;
  readonly fault?: SimulatedControlFault;
}

const HELP = `
Devices answer on loopback sockets; an agent and a node run as processes of their own, all of it on this machine. At
the end one interval is proven, the proof is written and verified, and the three sides' counts are compared.

With --flex a battery is called instead: offer, commitment, dispatch, settlement, challenge and proof, on a simulated
clock and in one process.

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
    .option("--out <file>", `where the proof goes; left out: ${PROOF_FILE.energy}, or ${PROOF_FILE.flex}`)
    .option(
      "--keep <dir>",
      "work in this new folder and keep it: configurations, keys, journal, node's store",
    )
    .addOption(
      new Option("--flex", "an event of flexibility, from the offer to the verified settlement").conflicts([
        "seconds",
        "corpus",
      ]),
    )
    .addOption(
      new Option("--fault <name>", "with --flex: what goes wrong at the battery, such as ignores-command")
        .argParser(controlFault)
        .implies({ flex: true }),
    )
    .addHelpText("after", HELP)
    .action(runDemo);
}

async function runDemo({ json, flex, fault, out, ...settings }: DemoOptions): Promise<void> {
  const interrupt = new Interrupt();
  const tools = { interrupt, cleanups: new Cleanups() };
  const write = json === true ? (line: string): unknown => process.stdout.write(line) : undefined;
  // Whoever read the output has gone: there is nobody to show the rest to.
  process.stdout.on("error", () => interrupt.request());
  try {
    process.exitCode =
      flex === true
        ? await runFlex({ ...settings, out: out ?? PROOF_FILE.flex, ...(fault && { fault }) }, tools, write)
        : await runHome({ ...settings, out: out ?? PROOF_FILE.energy }, tools, write);
  } finally {
    interrupt.close();
  }
}

type Tools = Omit<DemoTools, "narrator">;
/** Of JSON lines; undefined where words are wanted. */
type Write = ((line: string) => unknown) | undefined;

function runHome(settings: DemoSettings, tools: Tools, write: Write): Promise<number> {
  const narrator = write === undefined ? new TextNarrator(process.stdout) : new JsonNarrator(write);
  return played(playDemo(settings, { ...tools, narrator }), { ...tools, narrator, isGood });
}

async function runFlex(settings: FlexSettings, tools: Tools, write: Write): Promise<number> {
  const { playFlex } = await import("./flex.ts");
  const narrator = write === undefined ? new FlexTextNarrator(process.stdout) : new FlexJsonNarrator(write);
  return played(playFlex(settings, { ...tools, narrator }), {
    ...tools,
    narrator,
    isGood: ({ good }) => good,
  });
}

interface Telling<Result> {
  readonly narrator: { finished(result: Result): void; failed(thrown: unknown): void };
  readonly cleanups: Cleanups;
  isGood(result: Result): boolean;
}

/** Gives the exit status. */
async function played<Result>(playing: Promise<Result>, telling: Telling<Result>): Promise<number> {
  const { narrator, cleanups } = telling;
  const outcome = await settled(playing);
  const cleaned = await settled(cleanups.run());
  if ("thrown" in outcome) return failed(narrator, outcome.thrown);
  if ("thrown" in cleaned) return failed(narrator, cleaned.thrown);
  narrator.finished(outcome.value);
  return telling.isGood(outcome.value) ? 0 : 1;
}

function failed(narrator: Telling<never>["narrator"], thrown: unknown): number {
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

function controlFault(name: string): SimulatedControlFault {
  try {
    const fault = faultNamed(name);
    if (isControlFault(fault)) return fault;
    throw noPlaceFor(fault, "the battery's inverter, which takes commands");
  } catch (thrown) {
    throw new InvalidArgumentError(describeProblem(thrown).message);
  }
}
