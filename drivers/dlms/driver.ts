import { z } from "zod";
import type { DriverDefinition, MeterDriver } from "../driver.ts";
import { lineSchema } from "../line/address.ts";
import { KEY_FILES, keyFileOptions, readKeyFiles } from "../telegram/key-file.ts";
import { ListeningMeter, listeningTo } from "../telegram/listening-meter.ts";
import { listenedPort, listeningOptions } from "../telegram/listening-options.ts";
import { DLMS_FORMAT } from "./listening.ts";
import { CLOCK_NAMES } from "./local-clock.ts";
import { dlmsProtocol } from "./protocol.ts";

const schema = z.strictObject({
  line: lineSchema.describe(
    "serial:///dev/serial/by-id/NAME (2400 8E1; ?format=8N1, ?baud=9600&format=8N1 or ?baud=115200&format=8N1 for others) or tcp://HOST:PORT",
  ),
  ...keyFileOptions({
    keyFile: "file of 32 hexadecimal digits: the encryption key (GUEK) of a meter that encrypts",
    authenticationKeyFile:
      "the same for the authentication key (GAK); without it the origin of telegrams is not checked",
  }),
  registerStepWh: z
    .union([z.literal(1), z.literal(10), z.literal(100), z.literal(1_000)])
    .optional()
    .describe(
      "Wh that one step of the registers is, for meters that state no units: Kamstrup 10 (NO, DK) or 1 (SE, CH), Landis+Gyr 1; compare with the display",
    ),
  clock: z
    .enum(CLOCK_NAMES)
    .optional()
    .describe(
      "how the meter's clock goes where its telegrams do not say it, such as CET/CEST or CET all year",
    ),
  ...listeningOptions({ silenceMs: 90_000, identifyTimeoutMs: 75_000 }),
});

/** Meters that push DLMS lists: a push meter with one channel, `grid`. */
export const dlmsPushDriver: DriverDefinition = {
  name: "dlms-push",
  summary:
    "Meters that push DLMS lists at a HAN or customer port: Kaifa, Kamstrup, Aidon, Landis+Gyr, Iskra, Sagemcom (NO, SE, DK, AT, CH, CZ, SI, HR), encrypted or not",
  schema,
  files: KEY_FILES,
  ports: listenedPort,
  open({
    line,
    keyFile,
    authenticationKeyFile,
    registerStepWh,
    clock,
    ...options
  }: z.output<typeof schema>): MeterDriver {
    const keys = readKeyFiles({ keyFile, authenticationKeyFile });
    return new ListeningMeter(
      dlmsProtocol({ keys, registerStepWh, clock }),
      options,
      listeningTo(line, DLMS_FORMAT),
    );
  },
};
