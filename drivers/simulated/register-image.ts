import { z } from "zod";
import type { ReadAnswer, ReadRequest } from "./modbus-server.ts";
import {
  ILLEGAL_ADDRESS,
  type ModbusServer,
  type ModbusServerOptions,
  startModbusServer,
} from "./modbus-server.ts";

/** Holding registers of a device; null is a register that it does not let anybody read. */
export interface RegisterBlock {
  readonly start: number;
  readonly registers: readonly (number | null)[];
}

export interface RegisterImage {
  readonly blocks: readonly RegisterBlock[];
}

const register = z.int().min(0).max(0xffff).nullable();
const imageSchema = z.object({
  blocks: z
    .array(z.object({ start: z.int().min(0).max(0xffff), registers: z.array(register).max(65536) }))
    .max(64),
});

/** A register dump out of parsed JSON: `{blocks: [{start, registers}]}`. Throws a ZodError on any other shape. */
export function parseRegisterImage(json: unknown): RegisterImage {
  return imageSchema.parse(json);
}

/** Answers a read from one block of the image, or with "illegal data address". */
export function readImage(image: RegisterImage, request: ReadRequest): ReadAnswer {
  const { start, count } = request;
  const block = image.blocks.find((b) => b.start <= start && start + count <= b.start + b.registers.length);
  if (block === undefined) return { exception: ILLEGAL_ADDRESS };
  const wanted = block.registers.slice(start - block.start, start - block.start + count);
  const readable = wanted.filter((value) => value !== null);
  return readable.length === count ? { registers: readable } : { exception: ILLEGAL_ADDRESS };
}

export interface RegisterImageOptions extends Pick<ModbusServerOptions, "host" | "port" | "misbehave"> {
  readonly image: RegisterImage;
}

/** Serves a register dump, the same to every unit. */
export function startRegisterImage(options: RegisterImageOptions): Promise<ModbusServer> {
  return startModbusServer({ ...options, read: (request) => readImage(options.image, request) });
}
