import type { LineAddress, SerialFormat } from "./address.ts";
import type { ByteLine } from "./line.ts";
import { SerialLine } from "./serial.ts";
import { TcpLine } from "./tcp.ts";

/**
 * A line, not yet open, for an address.
 *
 * @param defaults what a serial address that does not say means to this driver
 */
export function createLine(address: LineAddress, defaults: SerialFormat): ByteLine {
  if (address.kind === "tcp") return new TcpLine(address);
  return new SerialLine({ ...defaults, ...address });
}

/** Makes the next line to open; a line is opened once. */
export type CreateLine = (address: LineAddress, defaults: SerialFormat) => ByteLine;
