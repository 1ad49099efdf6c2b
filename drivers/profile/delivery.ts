import type { SerialFormat } from "../line/address.ts";
import { lineSettings, type PlacedDevice } from "../modbus/options.ts";
import { type LineSettings, METER_FORMAT } from "../modbus/settings.ts";
import type { CompiledProfile } from "./compiled.ts";
import type { SerialDelivery } from "./profile.ts";

/** How a device's serial port is set when it is delivered. Modbus RTU has eight data bits. */
export function formatOf({ baud, parity, stopBits }: SerialDelivery): SerialFormat {
  return { baudRate: baud, dataBits: 8, parity, stopBits };
}

/** The line that a device of the profile is on; what its address does not say is as delivered. */
export function lineOf({ profile }: CompiledProfile, device: PlacedDevice): LineSettings {
  const { serial } = profile.transport;
  return lineSettings(device, serial === undefined ? METER_FORMAT : formatOf(serial));
}
