import { z } from "zod";
import { nameSchema } from "./format-words.ts";
import type { ProfilePoint } from "./profile.ts";
import { isUnit, UNITS, type Unit } from "./units.ts";

export const unitSchema: z.ZodType<Unit> = z.enum(Object.keys(UNITS).filter(isUnit));

/** A decimal or a fraction, exact: 0.1, "1/3", 1e-2. */
const scale = z.union([z.number(), z.string().regex(/^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?(?:\/\d+)?$/)]);

const bitPattern = z.union([z.int().min(0), z.string().regex(/^0x[0-9A-Fa-f]{1,16}$/)]);

export const pointSchema: z.ZodType<ProfilePoint> = z.strictObject({
  snapshot: nameSchema,
  address: z.int().min(0).max(65535).describe("Protocol address (from 0), not 3xxxx or 4xxxx notation"),
  type: z.enum(["u16", "s16", "u32", "s32", "u64", "s64", "float32", "float64", "bcd", "text"]),
  registers: z.int().min(1).max(64).exactOptional().describe("Of a bcd (1 to 4) or a text"),
  stride: z.int().min(1).exactOptional().describe("Registers from one repeated point to the next"),
  wordOrder: z.enum(["big", "little"]).exactOptional(),
  byteOrder: z.enum(["big", "little"]).exactOptional(),
  bits: z
    .tuple([z.int().min(0).max(63), z.int().min(1).max(64)])
    .exactOptional()
    .describe("[lowest bit, number of bits] of an unsigned type"),
  notImplemented: z.array(bitPattern).default([]).describe("Raw values that mean that there is none"),
  scale: scale.default(1).describe("What one step of the register is in the unit"),
  scaleBy: z
    .strictObject({
      point: nameSchema.describe("Of the same snapshot"),
      as: z.enum(["power-of-ten", "factor", "divisor", "table"]),
      table: z.record(z.string().regex(/^-?\d+$/), scale).exactOptional(),
    })
    .exactOptional()
    .describe("A register that the value is scaled by, read in the same request"),
  times: z
    .array(nameSchema)
    .min(1)
    .exactOptional()
    .describe("Settings that it is to be multiplied by, such as transformer ratios; read with every reading"),
  unit: unitSchema.default("none"),
  kind: z
    .enum(["gauge", "counter", "state", "setting", "text"])
    .default("gauge")
    .describe("A setting that changes ends the chain of energy: ratios, modes"),
  negativeWhen: z
    .strictObject({
      point: nameSchema.describe("Of the same snapshot"),
      equals: z.array(z.int()).min(1),
    })
    .exactOptional()
    .describe("A magnitude whose direction stands elsewhere"),
  values: z
    .record(z.string().regex(/^(?:\d+|else)$/), z.enum(["ok", "standby", "fault"]))
    .exactOptional()
    .describe("Meaning of a state's raw values"),
  valid: z
    .strictObject({ min: z.number().exactOptional(), max: z.number().exactOptional() })
    .exactOptional()
    .describe("In the unit; outside of it the value is absent"),
});
