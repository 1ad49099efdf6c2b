import type { MeterReading } from "../../attest/reading.ts";
import type { Snapshot } from "../driver.ts";

/** Low and medium voltage, and a line that is switched off. */
const VOLTAGE_MV = { least: 20_000, most: 40_000_000 };
const FREQUENCY_MHZ = { least: 40_000, most: 70_000 };
/** Voltage, current and power are of slightly different instants, and small loads are coarse. */
const APPARENT = { percent: 125, slackMw: 100_000 };

/** The first value of a snapshot that physics does not allow, in words; undefined when all are possible. */
export function physicsFault({ readings, doubts = [] }: Snapshot): string | undefined {
  const [doubt] = doubts;
  if (doubt !== undefined) return `channel ${doubt.channel}: ${doubt.message}`;
  for (const reading of readings) {
    const fault = voltageFault(reading) ?? frequencyFault(reading) ?? powerFault(reading);
    if (fault !== undefined) return `channel ${reading.channel}: ${fault}`;
  }
  return undefined;
}

function voltageFault({ voltageMv = [] }: MeterReading): string | undefined {
  const { least, most } = VOLTAGE_MV;
  const wrong = voltageMv.find((one) => one !== 0 && (one < least || one > most));
  return wrong === undefined ? undefined : `a voltage of ${wrong} mV`;
}

function frequencyFault({ frequencyMhz = 0 }: MeterReading): string | undefined {
  const { least, most } = FREQUENCY_MHZ;
  if (frequencyMhz === 0 || (frequencyMhz >= least && frequencyMhz <= most)) return undefined;
  return `a frequency of ${frequencyMhz} mHz`;
}

/** Active power is at most apparent power: the sum of voltage times current over the phases. */
function powerFault({ activePowerMw, voltageMv, currentMa }: MeterReading): string | undefined {
  if (activePowerMw === undefined || voltageMv === undefined || currentMa === undefined) return undefined;
  if (voltageMv.length !== currentMa.length) return undefined;
  const apparentMw = voltageMv.reduce((sum, voltage, at) => sum + (voltage * (currentMa[at] ?? 0)) / 1000, 0);
  const mostMw = (apparentMw * APPARENT.percent) / 100 + APPARENT.slackMw;
  if (Math.abs(activePowerMw) <= mostMw) return undefined;
  return `an active power of ${activePowerMw} mW with an apparent power of ${Math.round(apparentMw)} mVA`;
}
