import type { SerialFormat } from "../line/address.ts";
import type { SerialDelivery } from "./profile.ts";

/** How a device's serial port is set when it is delivered. Modbus RTU has eight data bits. */
export function formatOf({ baud, parity, stopBits }: SerialDelivery): SerialFormat {
  return { baudRate: baud, dataBits: 8, parity, stopBits };
}
