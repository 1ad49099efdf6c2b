import { z } from "zod";
import type { DriverDefinition, MeterDriver } from "../driver.ts";
import { lineSchema } from "../line/address.ts";
import { ListeningMeter, listeningTo } from "../telegram/listening-meter.ts";
import { listenedPort, listeningOptions } from "../telegram/listening-options.ts";
import { VEDIRECT_FORMAT } from "./listening.ts";
import { vedirectProtocol } from "./protocol.ts";

/** A block has no time of the device's own, so that none can be stale. */
const { silenceMs, identifyTimeoutMs } = listeningOptions({ silenceMs: 30_000, identifyTimeoutMs: 15_000 });

const schema = z.strictObject({
  line: lineSchema.describe("serial:///dev/serial/by-id/NAME (19200 8N1) or tcp://HOST:PORT"),
  silenceMs,
  identifyTimeoutMs,
});

/**
 * Victron's VE.Direct text: solar chargers (channel `pv`), battery monitors and shunts (channel `battery`), and shunts
 * that are set to measure another DC device (channel `dc`). The registers step by 10 Wh. The user of a device can reset
 * them, which shows as a register that fell.
 */
export const vedirectDriver: DriverDefinition = {
  name: "victron-ve-direct",
  summary: "Victron solar chargers, battery monitors and SmartShunts with a VE.Direct cable (text protocol)",
  schema,
  ports: listenedPort,
  open({ line, ...options }: z.output<typeof schema>): MeterDriver {
    return new ListeningMeter(vedirectProtocol(), options, listeningTo(line, VEDIRECT_FORMAT));
  },
};
