import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { openTelegramPlace, type TelegramPlace } from "../../drivers/simulated/telegram-place.ts";
import type { BootVariant } from "../../firmware-bridge/simulated/bootloader.ts";
import {
  MICROCONTROLLER_FAULTS,
  microcontrollerFaultNamed,
} from "../../firmware-bridge/simulated/microcontroller-faults.ts";
import { parsePinnedKey } from "../../firmware-bridge/update/pinned-key.ts";
import { runCommand, stopRequested } from "../../runtime/command.ts";
import { MicrocontrollerDevice } from "./simulate-microcontroller-device.ts";
import { MicrocontrollerFolder } from "./simulate-microcontroller-folder.ts";
import {
  microcontrollerReadyText,
  microcontrollerShownText,
  stamped,
} from "./simulate-microcontroller-text.ts";
import { collected, daySpeed, hostAndPort, listFaults, runUntil, serialPort } from "./simulate-options.ts";
import { Pace } from "./simulate-pace.ts";

interface SimulateMicrocontrollerOptions {
  readonly folder: string;
  readonly tcp?: TelegramPlace;
  readonly pty?: string;
  readonly path?: TelegramPlace;
  readonly variant?: BootVariant;
  readonly slotBytes?: number;
  readonly key?: readonly string[];
  readonly recovery?: boolean;
  readonly baud: number;
  readonly fault?: readonly string[];
  readonly listFaults?: boolean;
  readonly speed: number;
  readonly quiet?: boolean;
}

const ANY_FREE_PORT = 0;
const TCP: TelegramPlace = { kind: "tcp", host: "127.0.0.1", port: 2002 };
const HELP = `
Its flash, its keys and its registers are in --folder; at the first start it makes them, an image that runs, and a newer one to
install. Stopping and starting it is a power cut, and so is: kill -USR2 PID. See docs/simulate.md.

  kilowitness simulate microcontroller
  kilowitness simulate microcontroller --pty /tmp/mcu --fault reset-in-upload
  kilowitness simulate microcontroller --folder pure --variant pure --key signer.pem`;

/** `kilowitness simulate microcontroller`: one with MCUboot, SMP, a meter and a key, until it is told to stop. */
export function simulateMicrocontrollerCommand(): Command {
  return new Command("microcontroller")
    .description(
      "be a microcontroller to install firmware on, with a meter and a signing key (SMP groups 0, 1, 2, 64)",
    )
    .option("--folder <path>", "where all of it is kept", "simulated-microcontroller")
    .addOption(
      new Option("--tcp <host:port>", "be on a TCP port, as ser2net has a port (default: 127.0.0.1:2002)")
        .argParser(tcpPlace)
        .conflicts(["pty", "path"]),
    )
    .addOption(
      new Option("--pty <link>", "be on a pseudo terminal that others find there; needs socat").conflicts(
        "path",
      ),
    )
    .addOption(
      new Option("--path <port>", "be on a serial port, /dev/... or serial:///dev/...?baud=115200").argParser(
        serialPort,
      ),
    )
    .addOption(
      new Option("--variant <name>", "how images are signed; at the first start").choices(["digest", "pure"]),
    )
    .option("--slot-bytes <number>", "size of a slot; at the first start (default: 524288)", slotBytes)
    .option("--key <file>", "another public key that the bootloader has; as often as needed", collected)
    .option("--recovery", "MCUboot's recovery answers, until there was a reset")
    .option("--baud <rate>", "how long bytes take on the way", baud, 115_200)
    .option("--fault <name>", "something that goes wrong, as often as needed", collected)
    .option("--list-faults", "say what can go wrong, and end")
    .option("--speed <number>", "how much faster than real time its day passes", daySpeed, 60)
    .option("--quiet", "print nothing after the first lines")
    .addHelpText("after", HELP)
    .action((options: SimulateMicrocontrollerOptions) =>
      runCommand("simulate microcontroller", () =>
        options.listFaults === true ? listFaults(MICROCONTROLLER_FAULTS) : simulateMicrocontroller(options),
      ),
    );
}

async function simulateMicrocontroller(options: SimulateMicrocontrollerOptions): Promise<void> {
  const { variant, slotBytes: size, quiet } = options;
  const faults = (options.fault ?? []).map(microcontrollerFaultNamed);
  const keys = (options.key ?? []).map(publicKeyIn);
  const stopped = stopRequested();
  const folder = MicrocontrollerFolder.open(options.folder, {
    ...(variant === undefined ? {} : { variant }),
    ...(size === undefined ? {} : { slotBytes: size }),
  });
  try {
    const lines: string[] = [];
    let say = (text: string): unknown => lines.push(text);
    const device = new MicrocontrollerDevice({
      ...{ folder, faults, keys, daySpeed: options.speed, recovery: options.recovery === true },
      onEvent: (text) => say(text),
    });
    say = (text) => (quiet === true ? undefined : process.stdout.write(`${stamped(text)}\n`));
    await served(device, { folder, options, stopped, say: (text) => say(text), first: lines });
  } finally {
    folder.close();
  }
}

interface Serving {
  readonly folder: MicrocontrollerFolder;
  readonly options: SimulateMicrocontrollerOptions;
  readonly stopped: Promise<void>;
  readonly say: (text: string) => unknown;
  readonly first: readonly string[];
}

async function served(
  device: MicrocontrollerDevice,
  { folder, options, stopped, say, first }: Serving,
): Promise<void> {
  const { pty, path, tcp, quiet } = options;
  const place = pty === undefined ? (path ?? tcp ?? TCP) : { kind: "pty" as const, link: pty };
  const { promise: lost, resolve: lose } = Promise.withResolvers<Problem>();
  const tried = <T>(work: () => T): T | undefined => triedOr(lose, work);
  const pace = new Pace(options.baud);
  const open = await openTelegramPlace(place, {
    onClient: (client) => (bytes) =>
      pace.after(bytes.length, () => {
        const said = tried(() => device.receive(bytes));
        if (said !== undefined && said.length > 0) pace.after(said.length, () => client.send(said));
      }),
    onLost: lose,
  });
  const powerCut = (): void => tried(() => device.powerCut());
  process.on("SIGUSR2", powerCut);
  process.stdout.write(
    `${microcontrollerReadyText({ folder, place, port: open.port, faults: options.fault ?? [] })}\n`,
  );
  for (const text of first) say(text);
  const close = async (): Promise<void> => {
    process.off("SIGUSR2", powerCut);
    pace.end();
    await open.close();
  };
  await runUntil(
    stopped,
    { close, lost },
    { quiet, show: () => tried(() => say(microcontrollerShownText(device))) },
  );
}

/** Whoever cannot keep what happened ends, and says why. */
function triedOr<T>(lose: (problem: Problem) => void, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    lose(error);
    return undefined;
  }
}

function publicKeyIn(file: string): Uint8Array {
  try {
    return parsePinnedKey(readFileSync(file, "latin1"), file);
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem("simulate-key", "the key cannot be read", {
      where: file,
      got: describeProblem(cause).message,
      hint: "check the path",
      cause,
    });
  }
}

function tcpPlace(text: string): TelegramPlace {
  return { kind: "tcp", ...hostAndPort(text, ANY_FREE_PORT) };
}

function slotBytes(text: string): number {
  return whole(text, 32_768, 16_777_216);
}

function baud(text: string): number {
  return whole(text, 300, 4_000_000);
}

function whole(text: string, least: number, most: number): number {
  const value = /^\d{1,8}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new InvalidArgumentError(`expected ${least} to ${most}, got "${text}"`);
}
