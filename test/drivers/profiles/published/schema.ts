import { z } from "zod";
import { profileSchema } from "../../../../drivers/profile/format.ts";

/** The JSON Schema (draft 2020-12) of a profile, which editors and other programs check profiles with. */
export function profileSchemaText(): string {
  const schema = z.toJSONSchema(profileSchema, { io: "input" });
  return `${JSON.stringify({ title: "Kilowitness device profile", ...schema }, undefined, 2)}\n`;
}
