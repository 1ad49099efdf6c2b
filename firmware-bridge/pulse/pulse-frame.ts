import { Problem } from "../../attest/problem.ts";
import type { MeterReading } from "../../attest/reading.ts";
import { energyMwh, type PulseConstant, powerMw } from "./energy.ts";
import type { PulseCount } from "./pulse-source.ts";

/** What the pulses of a channel stand for, as the installer says it: the line itself says nothing. */
export interface PulseChannel {
  readonly role: "grid" | "generation" | "load";
  readonly direction: "import" | "export";
  readonly constant: PulseConstant;
  /** What the meter's display showed when the count was 0. */
  readonly startMwh: number;
}

/** Everything that a reading follows from. */
export interface PulseFrame extends PulseChannel {
  /** Such as `gpiochip0:17`. */
  readonly input: string;
  readonly count: PulseCount;
}

/**
 * The text that a reading is decoded from, and that is its evidence. Lines end with a line feed; `recent` is left out
 * where power is not known:
 *
 *     kilowitness-pulses 1
 *     input gpiochip0:17
 *     channel load import
 *     constant 1000/1 pulses/kWh
 *     start 1234567000 mWh
 *     count 4711 at 93784005000000 ns
 *     ignored 0 short 2 repeated
 *     recent 3 intervals 10800000000 ns, last 93783000000000 ns
 */
export function encodePulseFrame(frame: PulseFrame): Uint8Array {
  const { input, role, direction, constant, startMwh, count } = frame;
  const { recent } = count;
  const lines = [
    "kilowitness-pulses 1",
    `input ${input}`,
    `channel ${role} ${direction}`,
    `constant ${constant.pulses}/${constant.kwh} pulses/kWh`,
    `start ${startMwh} mWh`,
    `count ${count.count} at ${count.atNs} ns`,
    `ignored ${count.tooShort} short ${count.repeated} repeated`,
  ];
  if (recent !== undefined)
    lines.push(`recent ${recent.intervals} intervals ${recent.spanNs} ns, last ${recent.lastNs} ns`);
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}

const NUMBER = "(0|[1-9]\\d{0,15})";
const NANOSECONDS = "(0|[1-9]\\d{0,18})";
const FORM = new RegExp(
  [
    "^kilowitness-pulses 1\\n",
    "input ([\\x21-\\x7e]{1,200})\\n",
    "channel (grid|generation|load) (import|export)\\n",
    "constant ([1-9]\\d{0,8})/([1-9]\\d{0,8}) pulses/kWh\\n",
    `start ${NUMBER} mWh\\n`,
    `count ${NUMBER} at ${NANOSECONDS} ns\\n`,
    `ignored ${NUMBER} short ${NUMBER} repeated\\n`,
    `(?:recent ([1-9]\\d{0,2}) intervals ([1-9]\\d{0,18}) ns, last ${NANOSECONDS} ns\\n)?$`,
  ].join(""),
);

/**
 * Reads a frame as {@link encodePulseFrame} writes it, and nothing else.
 *
 * @throws Problem `pulse-frame`
 */
export function decodePulseFrame(bytes: Uint8Array): PulseFrame {
  const fields = FORM.exec(new TextDecoder("latin1").decode(bytes));
  if (fields === null) throw notAFrame(bytes);
  const [, input = "", role, direction, pulses, kwh, start, count, atNs = "", tooShort, repeated] = fields;
  const [intervals, spanNs = "", lastNs = ""] = fields.slice(11);
  // Sixteen digits are more than a number holds exactly.
  if (![start, count, tooShort, repeated].every((text) => Number.isSafeInteger(Number(text))))
    throw notAFrame(bytes);
  const recent = { intervals: Number(intervals), spanNs: BigInt(spanNs), lastNs: BigInt(lastNs) };
  return {
    input,
    role: role === "grid" || role === "generation" ? role : "load",
    direction: direction === "export" ? "export" : "import",
    constant: { pulses: Number(pulses), kwh: Number(kwh) },
    startMwh: Number(start),
    count: {
      count: Number(count),
      atNs: BigInt(atNs),
      tooShort: Number(tooShort),
      repeated: Number(repeated),
      ...(intervals === undefined ? {} : { recent }),
    },
  };
}

/**
 * What a frame says of its channel, without the digest of the frame.
 *
 * @throws Problem `pulse-register-range`
 */
export function readingOfFrame(frame: PulseFrame): Omit<MeterReading, "evidence"> {
  const { role, direction, constant, startMwh, count } = frame;
  const registerMwh = startMwh + energyMwh(count.count, constant);
  if (!Number.isSafeInteger(registerMwh))
    throw new Problem("pulse-register-range", "the register is beyond what a reading can carry", {
      expected: "at most 2^53 - 1 mWh",
      got: `${startMwh} mWh and ${count.count} pulses`,
      hint: "compare startKwh with the meter's display, and pulsesPerKwh with its type label",
    });
  const power = powerMw(count, constant);
  const isImport = direction === "import";
  // 0 - 0 is 0, where -0 would be another number.
  const signedMw = power === undefined || isImport ? power : 0 - power;
  return {
    channel: role,
    ...(isImport ? { importMwh: registerMwh } : { exportMwh: registerMwh }),
    ...(signedMw === undefined ? {} : { activePowerMw: signedMw }),
  };
}

function notAFrame(bytes: Uint8Array): Problem {
  return new Problem("pulse-frame", "not a frame of counted pulses", {
    expected: 'eight or seven lines, the first of them "kilowitness-pulses 1"',
    got: JSON.stringify(new TextDecoder("latin1").decode(bytes.subarray(0, 200))),
  });
}
