import type { DriverDefinition, MeterDriver } from "../drivers/driver.ts";
import { coprocessorDriver } from "./coprocessor/driver.ts";
import { pulseDriver, pulseOptions } from "./pulse/driver.ts";
import { PulseLook } from "./pulse/look.ts";
import { counterSettings, PulseMeter } from "./pulse/pulse-meter.ts";

/** The same driver for who only looks: its meters write nothing that is there afterwards. */
export function looking(definition: DriverDefinition): DriverDefinition {
  if (definition.name === pulseDriver.name) return { ...definition, open: lookAtPulses };
  if (definition.name !== coprocessorDriver.name) return definition;
  return {
    ...definition,
    open: ({ stateFile: _kept, ...options }): MeterDriver => definition.open(options),
  };
}

function lookAtPulses(given: unknown): MeterDriver {
  const options = pulseOptions(given);
  return new PulseMeter(options, new PulseLook(counterSettings(options)));
}
