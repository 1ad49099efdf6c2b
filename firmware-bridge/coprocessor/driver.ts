import { z } from "zod";
import type { DriverDefinition, MeterDriver } from "../../drivers/driver.ts";
import { lineSchema } from "../../drivers/line/address.ts";
import { DEFAULT_TIMEOUT_MS } from "../smp/connection.ts";
import { type CoprocessorLines, coprocessorLines } from "./lines.ts";
import { CoprocessorMeter } from "./meter.ts";
import type { TakenSnapshot } from "./snapshot.ts";

const schema = z.strictObject({
  line: lineSchema.describe(
    "serial:///dev/serial/by-id/NAME (115200 baud unless ?baud= says otherwise) or tcp://HOST:PORT",
  ),
  timeoutMs: z
    .int()
    .min(50)
    .max(10_000)
    .default(DEFAULT_TIMEOUT_MS)
    .describe("wait this long for an answer, three times at most"),
});

/** The driver over these lines, which its signers share. */
export function coprocessorDriverOver(lines: CoprocessorLines): DriverDefinition {
  // Kept for the life of the process: a driver that is opened anew must see that the coprocessor was restarted meanwhile.
  const lastSnapshots = new Map<string, TakenSnapshot>();
  return {
    name: "coprocessor",
    summary:
      "Metering front ends behind a microcontroller with SMP (docs/coprocessor-protocol.md); not verified on hardware",
    schema,
    open: ({ line, timeoutMs }: z.output<typeof schema>): MeterDriver =>
      new CoprocessorMeter({ line: lines.lease(line), lastSnapshots, asking: { timeoutMs } }),
  };
}

/** Not verified on hardware: spoken with the project's own simulated microcontroller. */
export const coprocessorDriver: DriverDefinition = coprocessorDriverOver(coprocessorLines);
