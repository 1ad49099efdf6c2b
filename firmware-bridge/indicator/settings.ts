import { z } from "zod";

/** The lamps of the section `indicator`, by their names in /sys/class/leds. */
export interface IndicatorConfig {
  /** One, or three: reading, sealed, acknowledged. */
  readonly lamps: readonly [string] | readonly [string, string, string];
}

const lamp = z
  .string()
  .regex(/^(?!\.)[^/\s]{1,64}$/, { error: "a name of /sys/class/leds, such as kilowitness or led0" });

/** The section `indicator` (docs/indicator.md). */
export const indicatorSchema: z.ZodType<IndicatorConfig> = z.strictObject({
  lamps: z
    .union([z.tuple([lamp]), z.tuple([lamp, lamp, lamp])], {
      error: "expected one name of /sys/class/leds, or three: reading, sealed, acknowledged",
    })
    .refine((lamps) => new Set(lamps).size === lamps.length, {
      error: "expected three different lamps; one alone shows everything, too",
    })
    .describe("names of /sys/class/leds: one, or three for reading, sealed, acknowledged"),
});
