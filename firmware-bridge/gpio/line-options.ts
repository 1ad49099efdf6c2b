import { z } from "zod";

/** Where a line is: its chip. What begins with a dash would be taken for an option. */
export const chipOption: z.ZodDefault<z.ZodString> = z
  .string()
  .regex(/^(?!-)[\x21-\x7e]{1,100}$/, { error: "a name without spaces" })
  .default("gpiochip0")
  .describe("gpiochip0, or a path of one in /dev");

/** Where a line is on its chip. */
export const offsetOption: z.ZodInt = z
  .int()
  .min(0)
  .max(1023)
  .describe("the line's offset on its chip, as gpioinfo shows it");

/** What holds an input that nothing drives. */
export const biasOption: z.ZodDefault<
  z.ZodEnum<{ "as-is": "as-is"; disabled: "disabled"; "pull-up": "pull-up"; "pull-down": "pull-down" }>
> = z
  .enum(["as-is", "disabled", "pull-up", "pull-down"])
  .default("pull-up")
  .describe("the chip's own resistor at the line");
