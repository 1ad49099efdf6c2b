import { crc16Arc } from "../../drivers/dsmr/checksum.ts";

const WINTER_OFFSET_MS = 3_600_000;

/**
 * The telegram with the time `timeMs` in place of its own, and its checksum anew: the same telegram twice is a duplicate
 * that is sealed once. One without a time stays as it is.
 */
export function telegramAt(bytes: Uint8Array, timeMs: number): Uint8Array {
  const local = new Date(timeMs + WINTER_OFFSET_MS).toISOString().replace(/\D/g, "").slice(2, 14);
  const text = Buffer.from(bytes)
    .toString("latin1")
    .replace(/^(0-0:1\.0\.0\()\d{12}[SW]/m, `$1${local}W`);
  const end = text.lastIndexOf("\n!") + 2;
  const body = Buffer.from(text.slice(0, end), "latin1");
  const checksum =
    text.slice(end).trim() === "" ? "" : crc16Arc(body).toString(16).toUpperCase().padStart(4, "0");
  return new Uint8Array(Buffer.concat([body, Buffer.from(`${checksum}\r\n`, "latin1")]));
}
