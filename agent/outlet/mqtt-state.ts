import { isoTime } from "../../attest/iso-time.ts";
import type { Sensor } from "./home-assistant.ts";
import type { ChannelReport } from "./report.ts";

/** The values of a channel by the keys of its state message, exact decimal numbers as text. */
export function valuesOf(channel: ChannelReport): ReadonlyMap<Sensor, string> {
  const { activePowerMw, importMwh, exportMwh, stateOfChargePpm } = channel;
  const values: readonly (readonly [Sensor, number | undefined, number])[] = [
    ["power_w", activePowerMw, 3],
    ["import_kwh", importMwh, 6],
    ["export_kwh", exportMwh, 6],
    ["state_of_charge_percent", stateOfChargePpm, 4],
  ];
  return new Map(
    values.flatMap(([sensor, value, decimals]) =>
      value === undefined ? [] : [[sensor, decimalText(value, decimals)] as const],
    ),
  );
}

/** What the channel can show: what it was described with, and what it has shown. */
export function sensorsOf(channel: ChannelReport): ReadonlySet<Sensor> {
  const { quantities } = channel;
  return new Set<Sensor>([
    ...(quantities.includes("power") ? (["power_w"] as const) : []),
    ...(quantities.includes("import") ? (["import_kwh"] as const) : []),
    ...(quantities.includes("export") ? (["export_kwh"] as const) : []),
    ...(quantities.includes("stateOfCharge") ? (["state_of_charge_percent"] as const) : []),
    ...valuesOf(channel).keys(),
  ]);
}

/** The state message of a channel: JSON with the values that its last reading carried, and when it was accepted. */
export function statePayload(channel: ChannelReport): string {
  const values = [...valuesOf(channel)].map(([sensor, value]) => `"${sensor}":${value}`);
  return `{${[...values, `"time":"${isoTime(channel.acceptedAtMs ?? 0)}"`].join(",")}}`;
}

/** The integer with its last digits behind the point, without zeros at the end: no product, so no rounding. */
export function decimalText(value: number, decimals: number): string {
  const digits = String(Math.abs(value)).padStart(decimals + 1, "0");
  const whole = digits.slice(0, -decimals);
  const rest = digits.slice(-decimals).replace(/0+$/, "");
  return `${value < 0 ? "-" : ""}${whole}${rest === "" ? "" : `.${rest}`}`;
}
