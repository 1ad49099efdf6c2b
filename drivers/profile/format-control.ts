import { z } from "zod";
import { unitSchema } from "./format-points.ts";
import { nameSchema, sourceText, termSchema } from "./format-words.ts";
import type { ProfileControl } from "./profile.ts";

const scale = z.union([
  z.number().positive(),
  z.string().regex(/^\+?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?(?:\/\d+)?$/),
]);

const register = z
  .strictObject({
    address: z.int().min(0).max(65535).describe("Protocol address (from 0) of a holding register"),
    type: z.enum(["u16", "s16", "u32", "s32"]),
    wordOrder: z.enum(["big", "little"]).exactOptional(),
    scale: scale.default(1).describe("What one step of the register is in the unit"),
    unit: z.enum(["W", "kW", "%", "s", "min", "none"]).default("none"),
    positive: z
      .enum(["import", "export"])
      .exactOptional()
      .describe("Of a signed power: direction of positive values, seen from the channel's boundary"),
    function: z
      .union([z.literal(6), z.literal(16)])
      .exactOptional()
      .describe("Function code that it is written with; default 6 for one register, 16 for two"),
  })
  .refine(({ type, function: code }) => code !== 6 || type.endsWith("16"), {
    error: "function 6 writes one register",
  });

const raw = z.int().min(-0x8000_0000).max(0xffff_ffff);

const write = z.strictObject({
  register: nameSchema,
  value: z
    .union([raw, z.enum(["power", "limit", "reserve", "lease"])])
    .describe("A raw value, or what the command asks for"),
  verify: z
    .boolean()
    .default(true)
    .describe("False for what the device changes by itself, or does not give back"),
});

const writes = z.array(write).min(1).max(8);
const rating = z.union([
  termSchema,
  z.array(termSchema).min(1),
  z.strictObject({ value: z.number().min(0), unit: unitSchema }),
]);
const share = z.strictObject({ value: z.number().min(0).max(100), unit: z.literal("%") });

const command = z.strictObject({
  channel: nameSchema.describe("Channel whose boundary the command is about"),
  apply: z
    .partialRecord(
      z.enum(["any", "into", "outOf", "zero", "hold", "chargeOnly", "dischargeOnly", "advised"]),
      writes,
    )
    .describe("Writes in their order, what limits and ends the command first, what switches it on at last"),
  revert: z.array(write).max(8).default([]).describe("Writes that end it; raw values only"),
  revertsTo: z
    .enum(["automatic", "before"])
    .default("automatic")
    .describe("before: a setting of the owner's, which is put back as it was"),
  lease: z
    .strictObject({
      shortestSeconds: z.int().min(1).max(86_400).default(10),
      longestSeconds: z.int().min(1).max(86_400).default(3600),
    })
    .prefault({}),
  requires: z
    .array(z.strictObject({ register: nameSchema, equals: z.array(raw).min(1), hint: sourceText }))
    .default([])
    .describe("Raw values that other settings must have, or the command would not be obeyed"),
  maxImport: rating.exactOptional().describe("The most power; left out: what the channel says"),
  maxExport: rating.exactOptional(),
  minReserve: share.exactOptional(),
  maxReserve: share.exactOptional(),
  responseSeconds: z.int().min(0).max(3600).exactOptional(),
  source: sourceText.describe("Who says that this is how the device is told"),
});

export const controlSchema: z.ZodType<ProfileControl> = z.strictObject({
  registers: z.record(nameSchema, register),
  commands: z
    .partialRecord(
      z.enum(["powerSetpoint", "importLimit", "exportLimit", "stateOfChargeReserve", "mode"]),
      command,
    )
    .refine((all) => Object.keys(all).length > 0, { error: "at least one command expected" }),
});
