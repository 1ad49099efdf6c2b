import { z } from "zod";
import type { DriverDefinition, MeterDriver } from "../driver.ts";
import { UdpLine } from "../line/udp.ts";
import { ListeningMeter } from "../telegram/listening-meter.ts";
import { listeningOptions } from "../telegram/listening-options.ts";
import type { SideBySide } from "./choice.ts";
import { SPEEDWIRE_GROUP, SPEEDWIRE_PORT } from "./place.ts";
import { speedwireProtocol } from "./protocol.ts";

/** The ticker of a telegram is no time of day, so that none can be stale. */
const { silenceMs, identifyTimeoutMs } = listeningOptions({ silenceMs: 30_000, identifyTimeoutMs: 15_000 });

const MAX_SERIAL = 0xffff_ffff;

const schema = z.strictObject({
  serial: z
    .union([
      z.int().min(1).max(MAX_SERIAL),
      z
        .string()
        .regex(/^[1-9]\d{0,9}$/, "expected digits")
        .transform(Number)
        .pipe(z.int().max(MAX_SERIAL)),
    ])
    .optional()
    .describe("serial number on the meter's type label; left out: the only meter in the network"),
  interface: z
    .string()
    .min(1)
    .optional()
    .describe("network interface by name or IPv4 address; left out: all"),
  group: z.ipv4().default(SPEEDWIRE_GROUP).describe("multicast group that the meter sends to"),
  port: z.int().min(1).max(65_535).default(SPEEDWIRE_PORT).describe("UDP port that the meter sends to"),
  silenceMs,
  identifyTimeoutMs,
});

/** By network: a driver that is opened anew takes no other meter for the one that fell silent. */
const heard = new Map<string, SideBySide>();

/**
 * SMA Energy Meters and Sunny Home Managers 2.0, which send their values to a multicast group once a second, or to
 * addresses that were entered for "direct meter communication". Not verified on hardware.
 */
export const smaSpeedwireDriver: DriverDefinition = {
  name: "sma-speedwire",
  summary: "SMA Energy Meter 1.0 and 2.0, Sunny Home Manager 2.0: Speedwire multicast in the local network",
  schema,
  open({ serial, interface: on, group, port, ...options }: z.output<typeof schema>): MeterDriver {
    const place = on === undefined ? { group, port } : { group, port, interface: on };
    const key = JSON.stringify(place);
    const sideBySide = heard.get(key) ?? new Set();
    heard.set(key, sideBySide);
    return new ListeningMeter(speedwireProtocol({ serial, sideBySide }), options, {
      createLine: () => new UdpLine(place),
      nowMs: Date.now,
    });
  },
};
