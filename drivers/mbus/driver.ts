import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import type { DriverDefinition, MeterDriver, UsedPort } from "../driver.ts";
import { lineSchema } from "../line/address.ts";
import { parsedText } from "../line/parsed-text.ts";
import { askedPort } from "../telegram/asked-line.ts";
import { MBUS_FORMAT, MbusMeter } from "./meter.ts";
import { ANY_ADDRESS, MAX_PRIMARY_ADDRESS } from "./requests.ts";
import { parseSecondaryAddress } from "./secondary.ts";

const schema = z.strictObject({
  line: lineSchema.describe(
    "serial:///dev/serial/by-id/NAME (2400 8E1; ?baud=300 to 9600) or tcp://HOST:PORT of a level converter",
  ),
  address: z
    .int()
    .min(1)
    .max(MAX_PRIMARY_ADDRESS)
    .optional()
    .describe("primary address, 1 to 250; left out with secondary, or where the meter is alone on its line"),
  secondary: parsedText(parseSecondaryAddress)
    .optional()
    .describe(
      "the 8 digits on the meter, or 16 with manufacturer, version and medium, in quotes; F stands for any digit",
    ),
  timeoutMs: z
    .int()
    .min(50)
    .max(60_000)
    .optional()
    .describe("wait this long for an answer to begin; left out: by the baud rate, 2000 over TCP"),
  retries: z.int().min(0).max(5).default(2).describe("ask again so often where no good answer came"),
  applicationReset: z
    .int()
    .min(0)
    .max(255)
    .optional()
    .describe("reset the application with this subcode before each readout, where the meter wants it"),
  telegrams: z
    .int()
    .min(1)
    .max(32)
    .optional()
    .describe("read only so many telegrams of a readout; left out: all"),
});

type MbusDriverOptions = z.output<typeof schema>;

/** Electricity meters on a wired M-Bus: a polled meter with one channel, `grid`. */
export const mbusDriver: DriverDefinition = {
  name: "mbus",
  summary: "Electricity meters on a wired M-Bus (EN 13757-2 and -3), by primary or secondary address",
  schema,
  ports: ({ line }: MbusDriverOptions): readonly UsedPort[] => [askedPort(line, MBUS_FORMAT)],
  open({ address, secondary, ...options }: MbusDriverOptions): MeterDriver {
    if (address !== undefined && secondary !== undefined)
      throw new Problem("mbus-two-addresses", "a meter has either a primary or a secondary address here", {
        where: "address, secondary",
        expected: "one of them",
        got: "both",
      });
    return new MbusMeter({ ...options, address: secondary ?? address ?? ANY_ADDRESS });
  },
};
