import { z } from "zod";
import type { DriverDefinition, MeterDriver } from "../../drivers/driver.ts";
import { biasOption, chipOption, offsetOption } from "../gpio/line-options.ts";
import { PulseMeter, type PulseOptions } from "./pulse-meter.ts";

/** Shorter than what a meter gives (IEC 62053-31, 4.1.3.3: 30 ms) by its transitions (4.1.3.4: 5 ms) and the jitter of a clock. */
const USUAL_MIN_MS = 20;
const NOTHING = "";

const widthMs = z.int().min(1).max(1000).default(USUAL_MIN_MS);
const nameplate = z
  .string()
  .max(64)
  .default(NOTHING)
  .describe("as it is printed on the meter, which cannot say it itself");

const schema = z.strictObject({
  chip: chipOption.describe("gpiochip0, a path of one in /dev, or its label where sysfs is used"),
  line: offsetOption,
  pulsesPerKwh: z
    .union([z.int().min(1).max(999_999_999), z.string()])
    .transform(String)
    .pipe(z.string().regex(/^[1-9]\d{0,8}(\/[1-9]\d{0,8})?$/, 'a whole number, or a ratio such as "1000/3"'))
    .describe(
      'pulses of one kWh, as printed on the meter; where it leaves a ratio of transformers to the reader, divided by that: "1000/50"',
    ),
  registerFile: z
    .string()
    .min(1)
    .describe("file that keeps the count, in a folder that the agent may write to; one for each line"),
  startKwh: z
    .union([z.number().min(0).max(999_999_999), z.string()])
    .transform(String)
    .pipe(
      z
        .string()
        .regex(
          /^\d{1,9}(\.\d{1,6})?$/,
          'kWh such as "1234.5": a point, no comma, at most six digits behind it',
        ),
    )
    .default("0")
    .describe(
      "what the meter's display shows at the start; another value, read off later, begins the register anew",
    ),
  role: z.enum(["grid", "load", "generation"]).default("load").describe("what the channel is"),
  direction: z
    .enum(["import", "export"])
    .optional()
    .describe("which way the counted energy flows; left out: export for generation, else import"),
  activeLow: z
    .boolean()
    .default(true)
    .describe("the line is low during a pulse: an open collector to ground"),
  bias: biasOption.describe("the chip's own resistor at the line; sysfs cannot set it"),
  through: z
    .enum(["auto", "gpiomon", "onoff"])
    .default("auto")
    .describe("auto: gpiomon where it is installed, else onoff"),
  minPulseMs: widthMs.describe("what is shorter is no pulse"),
  minGapMs: widthMs.describe("a pause that is shorter does not end a pulse"),
  make: nameplate,
  model: nameplate,
  serial: nameplate,
});

/** Options of a device of this driver, as the schema left them. */
export function pulseOptions(options: unknown): PulseOptions {
  return schema.parse(options);
}

/**
 * Any meter with an S0 output at a GPIO line. Not verified on hardware: counted with programs that print what gpiomon 1.6
 * and 2.2 print, and with a stand-in for onoff.
 */
export const pulseDriver: DriverDefinition = {
  name: "s0-pulse",
  summary: "Meters with an S0 pulse output (IEC 62053-31) at a GPIO line, through gpiomon or onoff",
  schema,
  files: ["registerFile"],
  open: (options: z.output<typeof schema>): MeterDriver => new PulseMeter(options),
};
