import { z } from "zod";

/** A name as a key: with [first-last] in it, one entry for each number. */
export const keySchema: z.ZodString = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9]*(?:\[\d{1,3}-\d{1,3}\][A-Za-z0-9]*)?$/, {
    error: "a name of letters and digits, beginning with a letter, perhaps with [first-last] in it",
  });

/** Names of snapshots, points and channels; # stands for the number of a repeated one. */
export const nameSchema: z.ZodString = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9#]*$/, { error: "a name of letters and digits, beginning with a letter" });

/** A point's name, with a minus before it where it is subtracted. */
export const termSchema: z.ZodString = z
  .string()
  .regex(/^-?[A-Za-z][A-Za-z0-9#]*$/, { error: "a point's name, perhaps with a minus before it" });

/** One line for people. */
export const sourceText: z.ZodString = z.string().min(1).max(500);
