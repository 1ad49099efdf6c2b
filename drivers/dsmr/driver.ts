import { z } from "zod";
import type { DriverDefinition, MeterDriver } from "../driver.ts";
import { lineSchema, type SerialFormat } from "../line/address.ts";
import { createLine } from "../line/create.ts";
import { P1Meter } from "./meter.ts";

/** DSMR 4 and 5 (5.0.2 P1, 5.12). Meters of DSMR 2.2 and 3 want `?baud=9600&format=7E1`. */
const DSMR_4_AND_5: SerialFormat = { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 };

const schema = z.strictObject({
  line: lineSchema.describe(
    "serial:///dev/serial/by-id/NAME (115200 8N1; ?baud=9600&format=7E1 for DSMR 2.2 and 3) or tcp://HOST:PORT",
  ),
  silenceMs: z
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(30_000)
    .describe("reopen the line after this long without a byte, report after this long without a telegram"),
  identifyTimeoutMs: z
    .int()
    .min(1_000)
    .max(600_000)
    .default(15_000)
    .describe("wait this long for a telegram"),
  winterOffsetMinutes: z
    .int()
    .min(-720)
    .max(840)
    .default(60)
    .describe("the meter's winter time ahead of UTC: 60 for CET, 120 for EET"),
  staleAfterMs: z
    .int()
    .min(1_000)
    .optional()
    .describe("mark readings as stale whose meter time is older than this; left out: never"),
});

type P1DriverOptions = z.output<typeof schema>;

/** DSMR P1 and its relatives: a push meter with one channel, `grid`. */
export const dsmrP1Driver: DriverDefinition = {
  name: "dsmr-p1",
  summary:
    "Smart meters with a P1 port: NL, BE, LU, SE, HU, AT, CH, LT (DSMR 2.2 to 5, eMUCS; not encrypted)",
  schema,
  open({ line, ...options }: P1DriverOptions): MeterDriver {
    return new P1Meter(options, { createLine: () => createLine(line, DSMR_4_AND_5), nowMs: Date.now });
  },
};
