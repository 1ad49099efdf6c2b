import { z } from "zod";
import type { DriverDefinition, MeterDriver, UsedPort } from "../../drivers/driver.ts";
import { lineSchema } from "../../drivers/line/address.ts";
import { DEFAULT_TIMEOUT_MS } from "../smp/connection.ts";
import { type CoprocessorLines, coprocessorLines, coprocessorPort } from "./lines.ts";
import { CoprocessorMeter } from "./meter.ts";
import { SnapshotMemory } from "./snapshot-memory.ts";

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
  stateFile: z
    .string()
    .min(1)
    .exactOptional()
    .describe(
      "file that keeps the last snapshot, so that a restart of the coprocessor is seen although the agent was not running; left out: beside the journal, ID.state",
    ),
});

/** The driver over these lines, which its signers share. */
export function coprocessorDriverOver(
  lines: CoprocessorLines,
  memory: SnapshotMemory = new SnapshotMemory(),
): DriverDefinition {
  return {
    name: "coprocessor",
    summary:
      "Metering front ends behind a microcontroller with SMP (docs/coprocessor-protocol.md); not verified on hardware",
    schema,
    files: ["stateFile"],
    remembers: "stateFile",
    ports: ({ line }: z.output<typeof schema>): readonly UsedPort[] => [coprocessorPort(line)],
    open: ({ line, timeoutMs, stateFile }: z.output<typeof schema>): MeterDriver =>
      new CoprocessorMeter({ line: lines.lease(line), memory, stateFile, asking: { timeoutMs } }),
  };
}

/** Not verified on hardware: spoken with the project's own simulated microcontroller. */
export const coprocessorDriver: DriverDefinition = coprocessorDriverOver(coprocessorLines);
