import { type Command, InvalidArgumentError, Option } from "commander";
import { Problem } from "../../attest/problem.ts";
import { type LineAddress, parseLineAddress } from "../../drivers/line/address.ts";
import { createLine } from "../../drivers/line/create.ts";
import { DEFAULT_TIMEOUT_MS, SmpConnection } from "../../firmware-bridge/smp/connection.ts";
import type { Connect } from "../../firmware-bridge/update/target.ts";

/** Where a microcontroller is, as the command line says it. */
export interface FirmwarePlace {
  readonly port: LineAddress;
  readonly baud: number;
  readonly smp: 1 | 2;
}

const BITS_PER_BYTE = 10;
/** A message of 4096 bytes, the longest that is sent, in base64 and lines of its own. */
const LONGEST_LINES_BYTES = 5_700;

/** Adds the options of {@link FirmwarePlace} to a command. */
export function withFirmwarePlace(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--port <place>",
        "its serial port: /dev/serial/by-id/…, serial:///dev/…?baud=115200&format=8N1, or tcp://HOST:PORT",
      )
        .argParser(place)
        .makeOptionMandatory(),
    )
    .option("--baud <rate>", "of a serial port whose address does not say it; 8N1", baud, 115_200)
    .option("--smp <version>", "1 for firmware that answers no request of version 2", smpVersion, 2);
}

/** Opens a line of its own with each call. */
export function firmwareConnect({ port, baud: baudRate, smp }: FirmwarePlace): Connect {
  const rate = port.kind === "serial" ? (port.baudRate ?? baudRate) : baudRate;
  const wireMs = Math.ceil((LONGEST_LINES_BYTES * BITS_PER_BYTE * 1000) / rate);
  const settings = { timeoutMs: DEFAULT_TIMEOUT_MS + wireMs, version: smp };
  return () =>
    SmpConnection.over(createLine(port, { baudRate, dataBits: 8, parity: "none", stopBits: 1 }), settings);
}

function place(text: string): LineAddress {
  if (text.startsWith("/")) return { kind: "serial", path: text };
  try {
    return parseLineAddress(text);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new InvalidArgumentError(error.message);
  }
}

function smpVersion(text: string): 1 | 2 {
  if (text === "1" || text === "2") return text === "1" ? 1 : 2;
  throw new InvalidArgumentError(`expected 1 or 2, got "${text}"`);
}

function baud(text: string): number {
  const rate = /^\d{3,7}$/.test(text) ? Number(text) : 0;
  if (rate >= 300 && rate <= 4_000_000) return rate;
  throw new InvalidArgumentError(`expected 300 to 4000000, got "${text}"`);
}
