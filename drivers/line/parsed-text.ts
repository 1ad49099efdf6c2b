import { z } from "zod";
import { Problem } from "../../attest/problem.ts";

/** A text that a parser takes apart, as part of a driver's strict schema: the Problem that it throws is the issue. */
export function parsedText<Parsed>(parse: (text: string) => Parsed): z.ZodType<Parsed, string> {
  return z.string().transform((text, context): Parsed => {
    try {
      return parse(text);
    } catch (error) {
      const message = error instanceof Problem ? error.message : String(error);
      context.issues.push({ code: "custom", message, input: text });
      return z.NEVER;
    }
  });
}
