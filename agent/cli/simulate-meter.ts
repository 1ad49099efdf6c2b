import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { Problem } from "../../attest/problem.ts";
import { startSimulatedMeter } from "../../drivers/simulated/telegram-device.ts";
import { TELEGRAM_FAULTS, telegramFaultNamed } from "../../drivers/simulated/telegram-faults.ts";
import { METER_KINDS, type MeterKind } from "../../drivers/simulated/telegram-kinds.ts";
import type { TelegramPlace } from "../../drivers/simulated/telegram-place.ts";
import { SPEEDWIRE_GROUP, SPEEDWIRE_PORT } from "../../drivers/speedwire/place.ts";
import { readKeyFiles } from "../../drivers/telegram/key-file.ts";
import { runCommand, stopRequested } from "../../runtime/command.ts";
import {
  type MeterWords,
  meterConfigurationText,
  meterReadyText,
  meterShownText,
} from "./simulate-meter-text.ts";
import { collected, daySpeed, hostAndPort, listFaults, runUntil, serialPort } from "./simulate-options.ts";

interface SimulateMeterOptions {
  readonly tcp?: Extract<TelegramPlace, { readonly kind: "tcp" }>;
  readonly pty?: string;
  readonly path?: Extract<TelegramPlace, { readonly kind: "serial" }>;
  readonly multicast?: { readonly group: string; readonly port: number };
  readonly interface?: string;
  readonly layout?: string;
  readonly key?: string;
  readonly authenticationKey?: string;
  readonly serial?: string;
  readonly periodMs?: number;
  readonly fault?: readonly string[];
  readonly listFaults?: boolean;
  readonly speed: number;
  readonly quiet?: boolean;
}

const LONGEST_PERIOD_MS = 3_600_000;
const TCP: TelegramPlace = { kind: "tcp", host: "127.0.0.1", port: 2001 };
const SPEEDWIRE = { group: SPEEDWIRE_GROUP, port: SPEEDWIRE_PORT };

const HELP = `
A home is behind the meter: its day passes --speed times as fast, its registers count real time. No file is written. See
docs/simulate.md.

  kilowitness simulate meter dsmr
  kilowitness simulate meter dlms --layout kamstrup --key meter.key --pty /tmp/port
  kilowitness simulate meter sml --tcp 0.0.0.0:2001 --fault wrong-checksum --fault meter-swap`;

/** `kilowitness simulate meter PROTOCOL`: a meter that speaks by itself or is asked, until it is told to stop. */
export function simulateMeterCommand(): Command {
  const kinds = Object.keys(METER_KINDS);
  return new Command("meter")
    .description("be a meter that speaks by itself, or is asked in another protocol than Modbus")
    .addArgument(new Argument("[protocol]", "what it speaks").choices(kinds))
    .addOption(
      new Option("--tcp <host:port>", "be on a TCP port, as ser2net has a meter (default: 127.0.0.1:2001)")
        .argParser(tcpPlace)
        .conflicts(["pty", "path", "multicast"]),
    )
    .addOption(
      new Option("--pty <link>", "be on a pseudo terminal that others find there; needs socat").conflicts([
        "path",
        "multicast",
      ]),
    )
    .addOption(
      new Option("--path <port>", "be on a serial port, /dev/... or serial:///dev/...?baud=9600&format=8N1")
        .argParser(serialPort)
        .conflicts("multicast"),
    )
    .addOption(
      new Option(
        "--multicast <group:port>",
        `of speedwire (default: ${SPEEDWIRE.group}:${SPEEDWIRE.port})`,
      ).argParser(groupAndPort),
    )
    .option("--interface <address>", "of speedwire: IPv4 address of the interface it sends by")
    .option("--layout <name>", "which meter of its kind, see below; left out: the first")
    .option("--key <file>", "encrypt telegrams; 32 hexadecimal digits")
    .option("--authentication-key <file>", "the same")
    .option("--serial <digits>", "its number", serialNumber)
    .option("--period-ms <number>", "how often it speaks; left out: as such meters do", period)
    .option("--fault <name>", "something that goes wrong, as often as needed", collected)
    .option("--list-faults", "say what can go wrong, and end")
    .option("--speed <number>", "how much faster than real time its day passes", daySpeed, 60)
    .option("--quiet", "print nothing after the first lines")
    .addHelpText("after", `${HELP}\n\n${layoutsText()}`)
    .action((protocol: string | undefined, options: SimulateMeterOptions) =>
      runCommand("simulate meter", () =>
        options.listFaults === true ? listFaults(TELEGRAM_FAULTS) : simulateMeter(protocol, options),
      ),
    );
}

function layoutsText(): string {
  const lines = Object.entries(METER_KINDS).map(
    ([name, { layouts }]) => `  ${name}: ${layouts.join(", ")}\n`,
  );
  return `Layouts:\n${lines.join("")}`;
}

async function simulateMeter(protocol: string | undefined, options: SimulateMeterOptions): Promise<void> {
  const kind = kindNamed(protocol);
  const { layout = kind.layouts[0] ?? "", key, authenticationKey, speed, quiet } = options;
  const keyFiles = { keyFile: key, authenticationKeyFile: authenticationKey };
  const faults = (options.fault ?? []).map(telegramFaultNamed);
  const place = placeOf(kind, options);
  const stopped = stopRequested();
  const meter = await startSimulatedMeter({
    ...{ kind, place, layout, faults, daySpeed: speed },
    ...{ serial: options.serial, periodMs: options.periodMs },
    keys: readKeyFiles(keyFiles),
  });
  const words: MeterWords = {
    ...{ kind, layout, place, faults, ...keyFiles },
  };
  const [ready, configuration] = [meterReadyText, meterConfigurationText].map((text) =>
    text(words, meter.port),
  );
  process.stdout.write(`${ready}\n\n${configuration}\n`);
  const part = kind.partOf(layout);
  const show = (): unknown => process.stdout.write(`${meterShownText(meter, part)}\n`);
  await runUntil(stopped, meter, { quiet, show });
}

function kindNamed(name: string | undefined): MeterKind {
  const kind = Object.entries(METER_KINDS).find(([known]) => known === name)?.[1];
  if (kind !== undefined) return kind;
  throw new Problem("config-missing", "what does the meter speak?", {
    expected: `one of ${Object.keys(METER_KINDS).join(", ")}`,
    got: "none",
  });
}

function placeOf(kind: MeterKind, options: SimulateMeterOptions): TelegramPlace {
  const { tcp, pty, path, multicast, interface: interfaceAddress } = options;
  if (kind.medium === "datagrams") {
    if (tcp !== undefined || pty !== undefined || path !== undefined)
      throw wrongPlace("--multicast and --interface");
    const by = interfaceAddress === undefined ? {} : { interfaceAddress };
    return { kind: "datagrams", ...(multicast ?? SPEEDWIRE), ...by };
  }
  if (multicast !== undefined || interfaceAddress !== undefined) throw wrongPlace("--tcp, --pty or --path");
  if (pty !== undefined) return { kind: "pty", link: pty };
  return path ?? tcp ?? TCP;
}

function wrongPlace(expected: string): Problem {
  return new Problem("config-place", "such a meter cannot be there", { expected });
}

function tcpPlace(text: string): Extract<TelegramPlace, { readonly kind: "tcp" }> {
  return { kind: "tcp", ...hostAndPort(text, 0) };
}

function groupAndPort(text: string): { readonly group: string; readonly port: number } {
  const { host, port } = hostAndPort(text, 1);
  return { group: host, port };
}

function serialNumber(text: string): string {
  if (/^\d{1,9}$/.test(text)) return text;
  throw new InvalidArgumentError(`expected 1 to 9 digits, got "${text}"`);
}

function period(text: string): number {
  const value = Number(text);
  if (/^\d{1,7}$/.test(text) && value >= 50 && value <= LONGEST_PERIOD_MS) return value;
  throw new InvalidArgumentError(`expected 50 to ${LONGEST_PERIOD_MS}, got "${text}"`);
}
