import { SerialLine } from "../line/serial.ts";
import { TcpLine } from "../line/tcp.ts";
import type { OpenLine } from "./line.ts";
import { lineTiming } from "./line-timing.ts";
import { openRtuLine } from "./rtu-line.ts";
import { type LineSettings, nameOfLine } from "./settings.ts";
import { openTcpLine } from "./tcp-line.ts";

/** What opens a line of these settings, each time anew. */
export function openLineOf(line: LineSettings, timeoutMs: number): OpenLine {
  if (line.transport === "tcp") {
    const { host, port } = line;
    const where = nameOfLine(line);
    return (signal) =>
      openTcpLine(new TcpLine({ kind: "tcp", host, port }, timeoutMs), { where, timeoutMs, signal });
  }
  const options = { timing: lineTiming(line), openSilenceMs: timeoutMs };
  if (line.transport === "rtu") return (signal) => openRtuLine(new SerialLine(line), { ...options, signal });
  const { host, port } = line;
  return (signal) => openRtuLine(new TcpLine({ kind: "tcp", host, port }, timeoutMs), { ...options, signal });
}
