import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import { type LineAddress, lineSchema, type SerialFormat } from "../line/address.ts";
import { type LineSettings, METER_FORMAT } from "./settings.ts";

interface ModbusShape {
  readonly host: z.ZodOptional<z.ZodString>;
  readonly port: z.ZodDefault<z.ZodInt>;
  readonly line: z.ZodOptional<typeof lineSchema>;
  readonly unit: z.ZodDefault<z.ZodInt>;
  readonly timeoutMs: z.ZodOptional<z.ZodInt>;
  readonly connectDelayMs: z.ZodDefault<z.ZodInt>;
  readonly minGapMs: z.ZodDefault<z.ZodInt>;
}

/** Where a Modbus device is and how it is spoken to, as keys of a driver's strict schema. */
export const modbusShape: ModbusShape = {
  host: z.string().min(1).optional().describe("Host name or address of a Modbus TCP device or gateway"),
  port: z.int().min(1).max(65535).default(502).describe("Port of host"),
  line: lineSchema
    .optional()
    .describe("Instead of host: a serial line, or tcp://HOST:PORT of a serial server in raw mode"),
  unit: z.int().min(0).max(255).default(1).describe("Modbus unit"),
  timeoutMs: z
    .int()
    .min(50)
    .max(60_000)
    .optional()
    .describe("Deadline of the connection and of each request; default 3000, on a serial line 1000"),
  connectDelayMs: z.int().min(0).max(10_000).default(0).describe("Pause after connecting"),
  minGapMs: z.int().min(0).max(10_000).default(0).describe("Silence before a request"),
};

/** What {@link lineSettings} needs of the parsed {@link modbusShape}. */
export interface PlacedDevice {
  readonly host?: string | undefined;
  readonly port: number;
  readonly line?: LineAddress | undefined;
  readonly unit: number;
}

/**
 * For `superRefine` of a schema with {@link modbusShape}: exactly one of `host` and `line`, eight data bits, and
 * no broadcast unit on a serial line.
 */
export function checkPlace(device: PlacedDevice, context: z.RefinementCtx): void {
  const message = placeFault(device);
  if (message !== undefined) context.addIssue({ code: "custom", message });
}

function placeFault({ host, line, unit }: PlacedDevice): string | undefined {
  if ((host === undefined) === (line === undefined)) return '"host" or "line" expected, and not both';
  if (line === undefined) return undefined;
  if (unit === 0) return '"unit" expected 1 to 247 on a serial line, got 0, which addresses all at once';
  if (line.kind === "serial" && line.dataBits === 7)
    return '"line" expected 8 data bits, which Modbus RTU needs';
  return undefined;
}

/**
 * The line of a device whose options passed {@link checkPlace}; `format` is the device's own as delivered, for what a
 * serial line's address leaves out. Throws Problem `modbus-no-line` otherwise.
 */
export function lineSettings(device: PlacedDevice, format: SerialFormat = METER_FORMAT): LineSettings {
  const { host, port, line } = device;
  const fault = placeFault(device);
  if (fault !== undefined) throw new Problem("modbus-no-line", fault);
  if (line?.kind === "serial") return { transport: "rtu", ...format, ...line };
  if (line?.kind === "tcp") return { transport: "rtu-over-tcp", ...format, ...line };
  return { transport: "tcp", host: host ?? "", port };
}
