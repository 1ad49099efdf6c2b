import type { ByteLine } from "../../../drivers/line/line.ts";
import { joinLines } from "../../../firmware-bridge/simulated/joined-lines.ts";
import { buildImage } from "../../../firmware-bridge/simulated/mcuboot-image.ts";
import {
  type MicrocontrollerOptions,
  SimulatedMicrocontroller,
} from "../../../firmware-bridge/simulated/microcontroller.ts";
import { type ConnectionSettings, SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { closeLater } from "../../kit/close-later.ts";

/** `length` bytes that depend on `seed`. */
export function bytesOf(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

export const OLD: Uint8Array = buildImage({ major: 1, minor: 0, revision: 0, body: bytesOf(3_000, 1) });
export const NEW: Uint8Array = buildImage({ major: 1, minor: 1, revision: 0, body: bytesOf(5_000, 2) });

export function microcontroller(options: Partial<MicrocontrollerOptions> = {}): SimulatedMicrocontroller {
  return new SimulatedMicrocontroller({ image: OLD, slotBytes: 16 * 1024, ...options });
}

/** What a line does to what passes it; undefined: nothing arrives. */
export interface Wire {
  readonly toDevice?: (bytes: Uint8Array) => Uint8Array | undefined;
  readonly fromDevice?: (bytes: Uint8Array) => Uint8Array | undefined;
}

/** Joins something that answers bytes with bytes to a line, and gives the other end. */
export function lineTo(answer: (bytes: Uint8Array) => Uint8Array, wire: Wire = {}): ByteLine {
  const [near, far] = joinLines("test");
  const { toDevice = (bytes) => bytes, fromDevice = (bytes) => bytes } = wire;
  const onBytes = (bytes: Uint8Array): void => {
    const heard = toDevice(bytes);
    const said = heard === undefined ? undefined : fromDevice(answer(heard));
    if (said !== undefined && said.length > 0) far.write(said).catch(() => undefined);
  };
  void far.open({ onBytes, onClosed: () => undefined });
  return near;
}

/** Short: nothing that answers in this process is late, whatever else the machine does. */
export const QUICK: ConnectionSettings = { timeoutMs: 15, attempts: 4 };

export async function connect(
  mcu: SimulatedMicrocontroller,
  settings: ConnectionSettings & { readonly wire?: Wire } = {},
): Promise<SmpConnection> {
  const line = lineTo((bytes) => mcu.receive(bytes), settings.wire);
  return closeLater(await SmpConnection.over(line, { ...QUICK, ...settings }));
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
}

export function shownHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}
