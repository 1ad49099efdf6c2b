import { READING_STATUS } from "../../attest/reading.ts";
import { type ObisQuantities, obisReading } from "../telegram/obis-reading.ts";
import type { SmlValue } from "./decode.ts";
import { LOCKED_MWH, provenStep } from "./resolution.ts";
import { type MeterStatus, meterStatus } from "./status-word.ts";

/** The values of one meter as a reading, and what is known of their signs and steps. */
export interface SmlReading {
  readonly values: ObisQuantities;
  /** The step of the meter's registers, mWh: as sent, or whole kWh where it is locked. */
  readonly countsInMwh?: number;
  readonly absent: readonly string[];
  /** The meter says how much power flows, also where the reading leaves it out. */
  readonly hasPower: boolean;
  /** The meter says beside the power which way the energy flows. */
  readonly saysDirection: boolean;
}

const POWER = /^1-\d+:(?:16|1|2)\.7\.0\*255$/;
const MAGNITUDE = /^1-\d+:15\.7\.0\*255$/;

/**
 * Makes a reading of a meter's values.
 *
 * A power is left out where its sign is not sure: where it is negative and the meter of a family that sent positive ones so
 * (`doubt`), unless the meter's status word says that it exports; where the status word says the opposite of the sign,
 * as with meters that send a magnitude as 16.7.0 (Holley DTZ251: Apollon77/ioBroker.smartmeter issue 306); and where there
 * is only 15.7.0, a magnitude by its definition.
 *
 * @throws Problem `telegram-unit`, `telegram-range`, `telegram-conflict`, `telegram-empty`
 */
export function smlReading(values: readonly SmlValue[]): SmlReading {
  const status = meterStatus(values);
  const doubtful = status?.direction === "export" ? [] : values.filter(isDoubtful);
  const { values: found, absent } = obisReading(values.filter((value) => !doubtful.includes(value)));
  const contradicted = contradiction(found, status);
  const { activePowerMw, ...others } = found;
  const power = contradicted === undefined && activePowerMw !== undefined ? { activePowerMw } : {};
  const proven = resolution(found);
  const step = proven.resolutionMwh === LOCKED_MWH ? LOCKED_MWH : found.resolutionMwh;
  return {
    values: { ...others, ...power, ...proven, ...faultStatus(found, status) },
    ...(step === undefined ? {} : { countsInMwh: step }),
    absent: [
      ...doubtful.map(({ code, text }) => `activePowerMw: ${code} is ${text}, ${DOUBTFUL}`),
      ...(contradicted === undefined ? [] : [contradicted]),
      ...absent,
      ...withoutPower(values, found),
    ],
    hasPower: values.some(({ code, scaled }) => POWER.test(code) && scaled !== undefined),
    saysDirection: status !== undefined,
  };
}

function isDoubtful({ code, doubt }: SmlValue): boolean {
  return doubt !== undefined && POWER.test(code);
}

const DOUBTFUL = "and this meter may be one that sends positive powers as negative ones";

function contradiction({ activePowerMw = 0 }: ObisQuantities, status?: MeterStatus): string | undefined {
  const { direction } = status ?? {};
  if (direction === undefined || activePowerMw === 0) return undefined;
  if (direction === (activePowerMw > 0 ? "import" : "export")) return undefined;
  return `activePowerMw: the power is ${activePowerMw} mW, and the meter's status word says ${direction}`;
}

function withoutPower(values: readonly SmlValue[], found: ObisQuantities): readonly string[] {
  if (values.some(({ code }) => POWER.test(code))) return [];
  if (values.some(({ code }) => MAGNITUDE.test(code)))
    return ["activePowerMw: 15.7.0 is a magnitude without a direction"];
  if (resolution(found).resolutionMwh !== LOCKED_MWH) return [];
  return ["activePowerMw: the meter is locked and shows whole kWh only: enter its PIN"];
}

function resolution(found: ObisQuantities): Pick<ObisQuantities, "resolutionMwh"> {
  const { importMwh, exportMwh, resolutionMwh } = found;
  if (resolutionMwh === undefined) return {};
  const registers = [importMwh, exportMwh].filter((register) => register !== undefined);
  return { resolutionMwh: provenStep(resolutionMwh, registers) };
}

function faultStatus({ status = 0 }: ObisQuantities, meter?: MeterStatus): Pick<ObisQuantities, "status"> {
  return meter?.fault === true ? { status: status | READING_STATUS.deviceFault } : {};
}
