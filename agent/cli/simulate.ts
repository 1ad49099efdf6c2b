import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { SerialAddress } from "../../drivers/line/address.ts";
import { bundledProfile, bundledProfiles } from "../../drivers/profile/bundled.ts";
import { compileProfile } from "../../drivers/profile/compile.ts";
import { loadProfile } from "../../drivers/profile/load.ts";
import { type SimulatedProfile, startSimulatedProfile } from "../../drivers/simulated/profile-device.ts";
import { faultNamed, SIMULATED_FAULTS } from "../../drivers/simulated/profile-faults.ts";
import type { SimulatedPlace } from "../../drivers/simulated/profile-place.ts";
import { METER_KINDS } from "../../drivers/simulated/telegram-kinds.ts";
import { runCommand, stopRequested } from "../../runtime/command.ts";
import { simulateHome } from "./simulate-home.ts";
import { simulateMeterCommand } from "./simulate-meter.ts";
import { simulateMicrocontrollerCommand } from "./simulate-microcontroller.ts";
import { collected, daySpeed, listFaults, runUntil, serialAddress } from "./simulate-options.ts";
import {
  configurationText,
  type NamedProfile,
  readyText,
  type SimulatedWhere,
  shownText,
} from "./simulate-text.ts";

interface SimulateOptions extends SimulatedWhere {
  readonly port: number;
  readonly meterPort?: number;
  readonly unit?: number;
  readonly fault?: readonly string[];
  readonly listFaults?: boolean;
  readonly speed: number;
  readonly quiet?: boolean;
}

const HELP_HINT = "(add --help for what it takes)";
const HELP = `
The device's day (sun, load, battery) passes --speed times as fast; its registers count real time. Nobody else needs to
run, no file is written. See docs/simulate.md.

  kilowitness simulate eastron-sdm630
  kilowitness simulate home --port 1502 --meter-port 1503
  kilowitness simulate meter dsmr --tcp 127.0.0.1:2001     a meter that speaks by itself (simulate meter --help)
  kilowitness simulate my-meter.yaml --line serial:///dev/ttyUSB0 --fault lost --fault counter-reset`;

/** `kilowitness simulate PROFILE`: a Modbus device that behaves as a profile says, until it is told to stop. */
export function simulateCommand(): Command {
  return new Command("simulate")
    .enablePositionalOptions()
    .addCommand(simulateMeterCommand().showHelpAfterError(HELP_HINT).exitOverride())
    .addCommand(simulateMicrocontrollerCommand().showHelpAfterError(HELP_HINT).exitOverride())
    .description("be the Modbus device of a profile, a meter of another protocol, or a microcontroller")
    .argument(
      "[profile]",
      "a profile's file, or the name of one that comes with the project; home: a home whose battery obeys",
    )
    .option("--host <address>", "address to listen on; 0.0.0.0 for other machines", "127.0.0.1")
    .addOption(new Option("--port <number>", "Modbus TCP port").argParser(port).default(1502))
    .addOption(
      new Option(
        "--meter-port <number>",
        "of home: where its grid meter is; left out: one above --port",
      ).argParser(port),
    )
    .addOption(
      new Option("--line <address>", "a serial line instead, serial:///dev/...").argParser(serialLine),
    )
    .addOption(
      new Option("--rtu-over-tcp <port>", "RTU frames on a TCP port instead, as a serial server has them")
        .argParser(port)
        .conflicts("line"),
    )
    .option("--unit <number>", "Modbus unit; left out: the profile's", unit)
    .option("--fault <name>", "something that goes wrong, as often as needed", collected)
    .option("--list-faults", "say what can go wrong, and end")
    .option("--speed <number>", "how much faster than real time its day passes", daySpeed, 60)
    .option("--quiet", "print nothing after the first lines")
    .addHelpText("after", HELP)
    .action((profile: string | undefined, options: SimulateOptions) =>
      runCommand("simulate", () => {
        if (options.listFaults === true) return listFaults(SIMULATED_FAULTS);
        return profile === "home" ? simulateHome(options) : simulate(profile, options);
      }),
    );
}

async function simulate(profile: string | undefined, options: SimulateOptions): Promise<void> {
  const named = profileNamed(profile);
  const stopped = stopRequested();
  const device = await startSimulatedProfile(named.compiled, {
    place: placeOf(options),
    daySpeed: options.speed,
    faults: (options.fault ?? []).map(faultNamed),
    ...(options.unit === undefined ? {} : { unit: options.unit }),
  });
  const [ready, configuration] = [readyText, configurationText].map((text) => text(named, device, options));
  process.stdout.write(`${ready}\n\n${configuration}\n`);
  await runUntil(stopped, device, { quiet: options.quiet, show: () => show(named, device) });
}

function show(named: NamedProfile, device: SimulatedProfile): void {
  try {
    process.stdout.write(`${shownText(named, device)}\n`);
  } catch (error) {
    process.stdout.write(`reads are refused: ${describeProblem(error).message}\n`);
  }
}

function profileNamed(name: string | undefined): NamedProfile {
  const known = bundledProfiles();
  if (name !== undefined && known.includes(name)) return { compiled: bundledProfile(name) };
  if (name !== undefined && /[./\\]/.test(name))
    return { compiled: compileProfile("profile", loadProfile(name)), file: resolve(name) };
  if (name !== undefined && name in METER_KINDS)
    throw new Problem("config-profile", "this is no profile, but what meters speak", {
      where: "profile",
      got: name,
      hint: `run: kilowitness simulate meter ${name}`,
    });
  throw new Problem("config-profile", "which device?", {
    where: "profile",
    expected: `a profile's file, or one of ${known.join(", ")}`,
    got: name === undefined ? "none" : JSON.stringify(name),
  });
}

function placeOf({ host, port, line, rtuOverTcp }: SimulateOptions): SimulatedPlace {
  if (line !== undefined) return { ...line, kind: "serial" };
  return rtuOverTcp === undefined
    ? { kind: "tcp", host, port }
    : { kind: "rtu-over-tcp", host, port: rtuOverTcp };
}

function serialLine(text: string): SerialAddress {
  return serialAddress(text, "expected serial:///dev/...; for TCP there are --port and --rtu-over-tcp");
}

function port(text: string): number {
  return whole(text, 0, 65_535);
}

function unit(text: string): number {
  return whole(text, 0, 255);
}

function whole(text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d{1,5}$/.test(text) && value >= least && value <= most) return value;
  throw new InvalidArgumentError(`expected ${least} to ${most}, got "${text}"`);
}
