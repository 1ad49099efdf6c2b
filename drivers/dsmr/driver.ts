import { z } from "zod";
import type { DriverDefinition, MeterDriver } from "../driver.ts";
import { lineSchema } from "../line/address.ts";
import { KEY_FILES, keyFileOptions, readKeyFiles } from "../telegram/key-file.ts";
import { ListeningMeter, listeningTo } from "../telegram/listening-meter.ts";
import { listenedPort, listeningOptions } from "../telegram/listening-options.ts";
import { CENTRAL_EUROPE_MINUTES, DSMR_4_AND_5 } from "./listening.ts";
import { P1Protocol } from "./protocol.ts";

const schema = z.strictObject({
  line: lineSchema.describe(
    "serial:///dev/serial/by-id/NAME (115200 8N1; ?baud=9600&format=7E1 for DSMR 2.2 and 3) or tcp://HOST:PORT",
  ),
  ...listeningOptions({ silenceMs: 30_000, identifyTimeoutMs: 15_000 }),
  winterOffsetMinutes: z
    .int()
    .min(-720)
    .max(840)
    .default(CENTRAL_EUROPE_MINUTES)
    .describe("the meter's winter time ahead of UTC: 60 for CET, 120 for EET"),
  ...keyFileOptions({
    keyFile:
      "file with the encryption key of the P1 port, 32 hexadecimal digits; only encrypted telegrams are read then",
    authenticationKeyFile:
      "file with the authentication key, 32 hexadecimal digits; left out: that of all meters in Luxembourg",
  }),
});

/** DSMR P1 and its relatives: a push meter with one channel, `grid`. */
export const dsmrP1Driver: DriverDefinition = {
  name: "dsmr-p1",
  summary:
    "Smart meters with a P1 port, plain or encrypted: NL, BE, LU, SE, HU, AT, CH, LT (DSMR 2.2 to 5, eMUCS)",
  schema,
  files: KEY_FILES,
  ports: listenedPort,
  open({
    line,
    keyFile,
    authenticationKeyFile,
    winterOffsetMinutes,
    ...options
  }: z.output<typeof schema>): MeterDriver {
    const keys = readKeyFiles({ keyFile, authenticationKeyFile });
    return new ListeningMeter(
      new P1Protocol({ winterOffsetMinutes, keys }),
      options,
      listeningTo(line, DSMR_4_AND_5),
    );
  },
};
