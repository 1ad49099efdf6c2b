import { dlmsPushDriver } from "../../../drivers/dlms/driver.ts";
import type { DriverDefinition } from "../../../drivers/driver.ts";
import { dsmrP1Driver } from "../../../drivers/dsmr/driver.ts";
import { iec62056Driver } from "../../../drivers/iec62056/driver.ts";
import { mbusDriver } from "../../../drivers/mbus/driver.ts";
import { METER_KINDS } from "../../../drivers/simulated/telegram-kinds.ts";
import { smlDriver } from "../../../drivers/sml/driver.ts";
import { smaSpeedwireDriver } from "../../../drivers/speedwire/driver.ts";
import { vedirectDriver } from "../../../drivers/vedirect/driver.ts";

/** The drivers of all meters that do not speak Modbus. */
export const METER_DRIVERS: readonly DriverDefinition[] = [
  dlmsPushDriver,
  dsmrP1Driver,
  iec62056Driver,
  mbusDriver,
  smaSpeedwireDriver,
  smlDriver,
  vedirectDriver,
];

/** Every simulated kind of meter with each of its layouts. */
export const METER_LAYOUTS: readonly (readonly [kind: string, layout: string])[] = Object.entries(
  METER_KINDS,
).flatMap(([name, { layouts }]) => layouts.map((layout) => [name, layout] as const));
