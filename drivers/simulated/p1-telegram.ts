import { crc16Arc } from "../dsmr/checksum.ts";

/** What a simulated DSMR 5 meter shows at one instant. */
export interface P1State {
  /** Printed as hexadecimal ASCII, as meters do. */
  readonly serial: string;
  readonly importT1Mwh: number;
  readonly importT2Mwh: number;
  readonly exportT1Mwh: number;
  readonly exportT2Mwh: number;
  /** + import, - export. */
  readonly activePowerMw: number;
  /** The meter's own clock, ms since 1970 UTC; printed in Central European time, to the second. */
  readonly timeMs: number;
  /** Per phase, L1 first, one to three elements. */
  readonly voltageMv: readonly number[];
  readonly currentMa: readonly number[];
}

/**
 * A DSMR 5 telegram with its checksum. Values are cut to the printed digits, as a display does: energy to 1 Wh,
 * power to 1 W, voltage to 100 mV, current to 10 mA.
 */
export function encodeP1Telegram(state: P1State): Uint8Array {
  const power = state.activePowerMw;
  const lines = [
    "/KWS5\\2P1-SIMULATED",
    "",
    "1-3:0.2.8(50)",
    `0-0:1.0.0(${timeStamp(state.timeMs)})`,
    `0-0:96.1.1(${Buffer.from(state.serial, "latin1").toString("hex").toUpperCase()})`,
    `1-0:1.8.1(${decimal(state.importT1Mwh, [1_000, 3, 10])}*kWh)`,
    `1-0:1.8.2(${decimal(state.importT2Mwh, [1_000, 3, 10])}*kWh)`,
    `1-0:2.8.1(${decimal(state.exportT1Mwh, [1_000, 3, 10])}*kWh)`,
    `1-0:2.8.2(${decimal(state.exportT2Mwh, [1_000, 3, 10])}*kWh)`,
    "0-0:96.14.0(0001)",
    `1-0:1.7.0(${decimal(Math.max(power, 0), [1_000, 3, 6])}*kW)`,
    `1-0:2.7.0(${decimal(Math.max(-power, 0), [1_000, 3, 6])}*kW)`,
    ...state.voltageMv.map((value, phase) => `1-0:${32 + 20 * phase}.7.0(${decimal(value, [100, 1, 5])}*V)`),
    ...state.currentMa.map((value, phase) => `1-0:${31 + 20 * phase}.7.0(${decimal(value, [10, 2, 6])}*A)`),
    "!",
  ];
  const body = Buffer.from(lines.join("\r\n"), "latin1");
  const checksum = crc16Arc(body).toString(16).toUpperCase().padStart(4, "0");
  return new Uint8Array(Buffer.concat([body, Buffer.from(`${checksum}\r\n`, "latin1")]));
}

/** `value` cut to whole `step`s, with `places` digits after the point, `width` characters in all. */
function decimal(value: number, [step, places, width]: readonly [number, number, number]): string {
  const digits = String(Math.trunc(value / step)).padStart(width - 1, "0");
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** `YYMMDDhhmmssX` in Central European time. */
function timeStamp(timeMs: number): string {
  const summer = isSummerTime(timeMs);
  const local = new Date(timeMs + (summer ? 2 : 1) * 3_600_000);
  return `${local.toISOString().replace(/\D/g, "").slice(2, 14)}${summer ? "S" : "W"}`;
}

/** Directive 2000/84/EC: from the last Sunday of March to the last Sunday of October, both at 01:00 UTC. */
function isSummerTime(timeMs: number): boolean {
  const year = new Date(timeMs).getUTCFullYear();
  return timeMs >= lastSundayOneOClock(year, 2) && timeMs < lastSundayOneOClock(year, 9);
}

function lastSundayOneOClock(year: number, month: number): number {
  const lastDay = new Date(Date.UTC(year, month + 1, 0));
  return Date.UTC(year, month, lastDay.getUTCDate() - lastDay.getUTCDay(), 1);
}
