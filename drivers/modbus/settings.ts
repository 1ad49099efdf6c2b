import { formatText, lineName, type SerialFormat } from "../line/address.ts";

/** A Modbus TCP device or gateway. */
export interface TcpLineSettings {
  readonly transport: "tcp";
  readonly host: string;
  readonly port: number;
}

/** RTU frames over a TCP connection, as serial servers in raw mode carry them. */
export interface RtuOverTcpLineSettings extends SerialFormat {
  readonly transport: "rtu-over-tcp";
  readonly host: string;
  readonly port: number;
}

/** RTU on a serial port of this machine; the path best under /dev/serial/by-id, which survives replugging. */
export interface RtuLineSettings extends SerialFormat {
  readonly transport: "rtu";
  readonly path: string;
}

export type LineSettings = TcpLineSettings | RtuOverTcpLineSettings | RtuLineSettings;

/** What most meters are delivered with; the standard's own default is 19200 8E1. */
export const METER_FORMAT: SerialFormat = { baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1 };

/** How messages call a line. */
export function nameOfLine(line: LineSettings): string {
  if (line.transport === "rtu") return line.path;
  const { host, port } = line;
  if (line.transport === "rtu-over-tcp") return lineName({ kind: "tcp", host, port });
  return `${host}:${port}`;
}

/** All that two users of one line have to agree about, in words. */
export function describeLine(line: LineSettings): string {
  if (line.transport === "tcp") return "Modbus TCP";
  return `${line.transport === "rtu" ? "RTU" : "RTU over TCP"} ${formatText(line)}`;
}
