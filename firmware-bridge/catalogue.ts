import { catalogueOf, type DriverCatalogue, driverCatalogue } from "../drivers/catalogue.ts";
import { coprocessorDriver } from "./coprocessor/driver.ts";
import { pulseDriver } from "./pulse/driver.ts";

/** Every driver of the project: those of buses and serial meters, and those of pins and microcontrollers. */
export const gatewayCatalogue: DriverCatalogue = catalogueOf([pulseDriver, coprocessorDriver], {
  names: driverCatalogue.names,
  load: (name) => driverCatalogue.find(name),
});
