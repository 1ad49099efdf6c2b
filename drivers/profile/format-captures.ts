import { z } from "zod";
import { nameSchema, sourceText } from "./format-words.ts";
import type { Capture } from "./profile.ts";

const hexBlock = z.string().regex(/^\s*(?:[0-9A-Fa-f]{4}\s+)*[0-9A-Fa-f]{4}\s*$/, {
  error: "registers of four hexadecimal digits each",
});

const registers = z
  .partialRecord(z.enum(["holding", "input"]), z.record(z.string().regex(/^\d+$/), hexBlock))
  .describe("By table and address of the first register of each block");

const integers = z.union([z.int(), z.array(z.int())]);

/** Integers in the units of a reading: importMwh, activePowerMw, voltageMv ... */
const expected = z.record(
  nameSchema,
  z.partialRecord(
    z.enum([
      ...["importMwh", "exportMwh", "activePowerMw", "stateOfChargePpm", "voltageMv", "currentMa"],
      ...["frequencyMhz", "status"],
    ] as const),
    integers,
  ),
);

const capture = z
  .strictObject({
    origin: z
      .enum(["device", "values", "simulated"])
      .default("device")
      .describe(
        "As a device sent them; made again from values that software printed of a device; or made up",
      ),
    device: sourceText.describe("What it was taken from"),
    source: sourceText.describe("Who published it and where, or who took it"),
    taken: z.iso.date().exactOptional(),
    registers: registers.exactOptional(),
    corpus: z
      .string()
      .regex(/^[a-z0-9-]+\/[A-Za-z0-9_./-]+$/)
      .exactOptional()
      .describe("Instead of registers: file of the public collection that tests read where it is present"),
    expected,
    shows: z
      .record(nameSchema, z.enum(["import", "export"]))
      .default({})
      .describe("Direction of each channel's power at that moment, where it is known from elsewhere"),
    because: sourceText.exactOptional().describe("How the directions are known"),
  })
  .refine((one) => (one.registers === undefined) !== (one.corpus === undefined), {
    error: '"registers" or "corpus" expected, and not both',
  })
  .refine((one) => Object.keys(one.shows).length === 0 || one.because !== undefined, {
    error: '"because" expected beside "shows"',
  });

export const captureList: z.ZodType<"none" | readonly Capture[]> = z
  .union([z.literal("none"), z.array(capture).min(1)])
  .describe("Register dumps of real devices with what they say, or none: not verified on hardware");
