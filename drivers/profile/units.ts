/** Units of points: what is measured, and what one of them is in the unit of a reading (mW, mWh, mV, mA, mHz, ppm). */
export const UNITS = {
  W: { quantity: "power", factor: "1000" },
  kW: { quantity: "power", factor: "1000000" },
  MW: { quantity: "power", factor: "1000000000" },
  Wh: { quantity: "energy", factor: "1000" },
  kWh: { quantity: "energy", factor: "1000000" },
  MWh: { quantity: "energy", factor: "1000000000" },
  V: { quantity: "voltage", factor: "1000" },
  kV: { quantity: "voltage", factor: "1000000" },
  mV: { quantity: "voltage", factor: "1" },
  A: { quantity: "current", factor: "1000" },
  mA: { quantity: "current", factor: "1" },
  Hz: { quantity: "frequency", factor: "1000" },
  "%": { quantity: "share", factor: "10000" },
  none: { quantity: "number", factor: "1" },
} as const;

export type Unit = keyof typeof UNITS;
export type Quantity = (typeof UNITS)[Unit]["quantity"];

export function isUnit(text: string): text is Unit {
  return Object.hasOwn(UNITS, text);
}
