import { Problem } from "../../../attest/problem.ts";
import { SpeedwireFramer } from "../../../drivers/speedwire/framing.ts";
import { type CutStream, framedBy } from "../telegram/framed.ts";

export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(/\s+/g, ""), "hex"));
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function number(value: number | bigint, bytes: number): string {
  return value.toString(16).padStart(2 * bytes, "0");
}

/** A telegram as it was published, as far as it matters here. */
export interface Published {
  readonly susyId: number;
  readonly serial: number;
  readonly tickerMs: number;
  /** Values by index and type, "1.4". */
  readonly values: Readonly<Record<string, number>>;
  /** Eight hexadecimal digits. */
  readonly version: string;
}

/** The telegram with these values, made by hand from the drawing of the format, not by the simulator's encoder. */
export function telegram({ susyId, serial, tickerMs, values, version }: Published): Uint8Array {
  const records = Object.entries(values).map(([code, value]) => {
    const [index = 0, type = 0] = code.split(".").map(Number);
    return `00${number(index, 1)}${number(type, 1)}00${number(BigInt(value), type)}`;
  });
  const inner = `6069${number(susyId, 2)}${number(serial, 4)}${number(tickerMs, 4)}${records.join("")}90000000${version}`;
  return hex(`534d4100 0004 02a0 00000001 ${number(inner.length / 2, 2)} 0010 ${inner} 00000000`);
}

/** Lengths count what follows the tag from the protocol on. */
export const METER: Published = {
  susyId: 349,
  serial: 1_900_000_001,
  tickerMs: 1_000,
  values: { "1.4": 5_000, "1.8": 3_600_000, "2.4": 0, "2.8": 360, "32.4": 230_000, "31.4": 2_174 },
  version: "02001252",
};

export const frame: CutStream = framedBy(() => new SpeedwireFramer());

/** The code of the Problem that something throws, else "none". */
export function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
  return "none";
}
