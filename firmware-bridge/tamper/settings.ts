import { z } from "zod";
import { biasOption, chipOption, offsetOption } from "../gpio/line-options.ts";
import { type EnclosureSettings, USUAL_ENCLOSURE } from "./watched-enclosure.ts";

/** What a tamper leaf has room for. */
const MAX_NAME_BYTES = 128;

/** One entry of the section `tamper`: a contact that says whether the enclosure is open. */
export const enclosureSchema: z.ZodType<EnclosureSettings> = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .refine((name) => Buffer.byteLength(name) <= MAX_NAME_BYTES, {
        error: `too long; expected at most ${MAX_NAME_BYTES} bytes`,
      })
      // It is shown on terminals, in a line of its own.
      .refine((name) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name), {
        error: "expected one line of text, without control characters",
      })
      .describe('what is watched, such as "lid"; it stands in the log'),
    chip: chipOption,
    line: offsetOption,
    activeLow: z
      .boolean()
      .default(false)
      .describe(
        "the line is low when the enclosure is open; left out: high, so that a cut wire is an opening",
      ),
    bias: biasOption,
    openedMs: z
      .int()
      .min(1)
      .max(10_000)
      .default(USUAL_ENCLOSURE.openedMs)
      .describe("open for so long it is open"),
    closedMs: z
      .int()
      .min(1)
      .max(600_000)
      .default(USUAL_ENCLOSURE.closedMs)
      .describe("closed for so long it is closed: a lid that rattles is one opening"),
  })
  .transform(({ name, chip, line, activeLow, bias, openedMs, closedMs }) => ({
    ...USUAL_ENCLOSURE,
    input: name,
    line: { chip, line, activeLow, bias },
    openedMs,
    closedMs,
  }));
