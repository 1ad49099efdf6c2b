import { z } from "zod";
import type { DriverDefinition, MeterDriver, UsedPort } from "../driver.ts";
import { type LineAddress, lineName, lineSchema } from "../line/address.ts";
import { askedLines, askedPort } from "../telegram/asked-line.ts";
import { ListeningMeter, listeningTo } from "../telegram/listening-meter.ts";
import { listeningOptions } from "../telegram/listening-options.ts";
import { ASKED_FORMAT, PUSHED_FORMATS } from "./listening.ts";
import { AskedMeter } from "./meter.ts";
import { iec62056Protocol } from "./protocol.ts";

/** A readout costs a heat meter's battery about half an hour of its life (documentation of Home Assistant's landisgyr_heat_meter). */
const BATTERY_INTERVAL_MS = 3_600_000;

const schema = z
  .strictObject({
    line: lineSchema.describe(
      "serial:///dev/serial/by-id/NAME (mode C: begins at 300 baud; mode D: 9600, or ?baud=2400) or tcp://HOST:PORT",
    ),
    mode: z
      .enum(["C", "D"])
      .default("C")
      .describe("C: ask the meter (its modes A, B and C); D: it speaks by itself"),
    address: z
      .string()
      .regex(/^[0-9A-Za-z ]{0,32}$/, "expected at most 32 digits, letters or blanks")
      .optional()
      .describe("the meter's address, where several are on one line; left out: whichever is there"),
    maxBaudRate: z
      .literal([300, 600, 1_200, 2_400, 4_800, 9_600, 19_200])
      .optional()
      .describe("the fastest rate to change to; left out: 9600. Over TCP the rate never changes"),
    baudChangeDelayMs: z
      .int()
      .min(0)
      .max(1_000)
      .optional()
      .describe("wait this long between acknowledgement and change of rate; left out: 20"),
    characters: z
      .enum(["7E1", "8N1"])
      .default("7E1")
      .describe(
        "how the meter's characters are: parity is made and checked here where the line does not do it",
      ),
    battery: z
      .boolean()
      .optional()
      .describe("the meter has a battery: it is woken before it is asked, and asked at most once an hour"),
    minIntervalMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .optional()
      .describe("a read sooner after the last one gives no reading; left out: 3600000 with battery, else 0"),
    readTimeoutMs: z
      .int()
      .min(5_000)
      .max(110_000)
      .optional()
      .describe("one read with all its attempts takes at most so long; left out: 90000"),
    registerUnit: z
      .enum(["kWh", "Wh"])
      .optional()
      .describe("unit of registers that the meter prints without one, as its display shows it"),
    ...listeningOptions({ silenceMs: 60_000, identifyTimeoutMs: 30_000 }),
  })
  .refine(({ mode, ...options }) => mode === "C" || ASKED_ONLY.every((name) => options[name] === undefined), {
    error:
      "address, maxBaudRate, baudChangeDelayMs, battery, minIntervalMs and readTimeoutMs belong to mode C",
  });

const ASKED_ONLY = [
  "address",
  "maxBaudRate",
  "baudChangeDelayMs",
  "battery",
  "minIntervalMs",
  "readTimeoutMs",
] as const;

type Iec62056Options = z.output<typeof schema>;

/**
 * Meters with an optical port that print their registers in plain text (IEC 62056-21, formerly IEC 1107): one channel,
 * `grid`. Written after the standard and what users print of their meters; not verified on hardware.
 */
export const iec62056Driver: DriverDefinition = {
  name: "iec62056-21",
  summary:
    "Meters with an optical port (D0) in plain text, asked or speaking by themselves (IEC 62056-21 modes A to D); not verified on hardware",
  schema,
  ports: ({ line, mode }: Iec62056Options): readonly UsedPort[] => [
    mode === "D" ? { address: line } : askedPort(line, ASKED_FORMAT),
  ],
  open(options: Iec62056Options): MeterDriver {
    return options.mode === "D" ? listening(options) : asked(options);
  },
};

function listening({ line, registerUnit, ...options }: Iec62056Options): MeterDriver {
  const [format = ASKED_FORMAT] = PUSHED_FORMATS;
  return new ListeningMeter(iec62056Protocol({ registerUnit }), options, listeningTo(line, format));
}

/** When each meter answered last: a driver that is opened anew wakes its meter no sooner. */
const lastAnswers = new Map<string, { atMs: number | undefined }>();

function asked(options: Iec62056Options): MeterDriver {
  const { line, registerUnit, address = "", battery = false } = options;
  const { maxBaudRate = 9_600, baudChangeDelayMs = 20, readTimeoutMs = 90_000 } = options;
  const { minIntervalMs = battery ? BATTERY_INTERVAL_MS : 0 } = options;
  const key = `${lineName(line)} ${address}`;
  const lastAnswer = lastAnswers.get(key) ?? { atMs: undefined };
  lastAnswers.set(key, lastAnswer);
  return new AskedMeter(
    {
      ...{ address, battery, maxBaudRate, baudChangeDelayMs, minIntervalMs, readTimeoutMs },
      initialBaudRate:
        line.kind === "serial" ? (line.baudRate ?? ASKED_FORMAT.baudRate) : ASKED_FORMAT.baudRate,
      parity: options.characters === "7E1" && showsParity(line),
    },
    { line: askedLines.lease(line, ASKED_FORMAT), protocol: iec62056Protocol({ registerUnit }), lastAnswer },
  );
}

/** A gateway may or may not drop the highest bit; where it does, it does no harm. */
function showsParity(line: LineAddress): boolean {
  return line.kind === "tcp" || (line.dataBits ?? ASKED_FORMAT.dataBits) === 8;
}
