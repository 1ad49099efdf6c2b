import type { MeterReading } from "../../attest/reading.ts";
import { currentText, energyText, frequencyText, powerText, voltageText } from "../words.ts";
import type { Limits } from "./limits.ts";
import { type Reason, reason } from "./reason.ts";

const FULL_PPM = 1_000_000;
const EVIDENCE_BYTES = 32;

/** The first value of a reading that cannot be, or undefined when all can. */
export function outOfRange(reading: MeterReading, limits: Limits): Reason | undefined {
  return (
    malformed(reading) ??
    registerRange(reading) ??
    powerRange(reading, limits) ??
    lineRange(reading, limits) ??
    chargeRange(reading)
  );
}

function malformed(reading: MeterReading): Reason | undefined {
  const { channel: _c, evidence, ...values } = reading;
  const wrong = Object.entries(values).find(([, value]) => ![value].flat().every(Number.isSafeInteger));
  if (wrong !== undefined)
    return reason("malformed", `${wrong[0]} is ${String(wrong[1])}, which is no whole number`);
  if (evidence.length === EVIDENCE_BYTES) return undefined;
  return reason("malformed", `the evidence has ${evidence.length} bytes, a SHA-256 digest has 32`);
}

function registerRange({ importMwh, exportMwh }: MeterReading): Reason | undefined {
  if (importMwh !== undefined && importMwh < 0) return negative("import", importMwh);
  if (exportMwh !== undefined && exportMwh < 0) return negative("export", exportMwh);
  return undefined;
}

function negative(register: string, energyMwh: number): Reason {
  return reason("register-range", `the ${register} register shows ${energyText(energyMwh)}, less than zero`);
}

function powerRange({ activePowerMw: power }: MeterReading, limits: Limits): Reason | undefined {
  if (power === undefined) return undefined;
  if (power >= -limits.exportMw && power <= limits.importMw) return undefined;
  return reason(
    "power-range",
    `power is ${powerText(power)}, possible is ${powerText(-limits.exportMw)} to ${powerText(limits.importMw)}`,
  );
}

function lineRange(reading: MeterReading, limits: Limits): Reason | undefined {
  const { voltageMv, currentMa, frequencyMhz } = reading;
  const within = (most: number) => (value: number) => value >= 0 && value <= most;
  if (voltageMv !== undefined && !voltageMv.every(within(limits.voltageMv)))
    return tooMuch("voltage-range", voltageText, [voltageMv, [limits.voltageMv]]);
  if (currentMa !== undefined && !currentMa.every(within(limits.currentMa)))
    return tooMuch("current-range", currentText, [currentMa, [limits.currentMa]]);
  if (frequencyMhz !== undefined && !within(limits.frequencyMhz)(frequencyMhz))
    return tooMuch("frequency-range", frequencyText, [frequencyMhz, limits.frequencyMhz]);
  return undefined;
}

function tooMuch<T>(
  code: "voltage-range" | "current-range" | "frequency-range",
  words: (value: T) => string,
  [value, most]: readonly [T, T],
): Reason {
  return reason(code, `${code.replace("-range", "")} is ${words(value)}, possible is 0 to ${words(most)}`);
}

function chargeRange({ stateOfChargePpm: ppm }: MeterReading): Reason | undefined {
  if (ppm === undefined || (ppm >= 0 && ppm <= FULL_PPM)) return undefined;
  return reason("state-of-charge-range", `state of charge is ${ppm / 10_000} %, possible is 0 to 100 %`);
}
