import { z } from "zod";
import type { DriverDefinition, MeterDriver } from "../driver.ts";
import { lineSchema } from "../line/address.ts";
import { ListeningMeter, listeningTo } from "../telegram/listening-meter.ts";
import { listenedPort, listeningOptions } from "../telegram/listening-options.ts";
import { SML_FORMAT } from "./listening.ts";
import { smlProtocol } from "./protocol.ts";

const schema = z.strictObject({
  line: lineSchema.describe(
    "serial:///dev/serial/by-id/NAME of the optical head (9600 8N1) or tcp://HOST:PORT",
  ),
  ...listeningOptions({ silenceMs: 30_000, identifyTimeoutMs: 15_000 }),
});

/** German meters that push SML: a push meter with one channel, `grid`. */
export const smlDriver: DriverDefinition = {
  name: "sml",
  summary:
    "German electricity meters at their optical interface (SML): EMH, ISKRA, DZG, eBZ, Holley, EasyMeter, ITRON",
  schema,
  ports: listenedPort,
  open({ line, ...options }: z.output<typeof schema>): MeterDriver {
    return new ListeningMeter(smlProtocol(), options, listeningTo(line, SML_FORMAT));
  },
};
