import { Problem } from "../../attest/problem.ts";
import { type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import { GRID_CHANNEL } from "../telegram/obis-reading.ts";
import type { UnprovenReading } from "../telegram/protocol.ts";
import {
  CURRENT_UNITS,
  ENERGY_UNITS,
  FREQUENCY_UNITS,
  POWER_UNITS,
  parseQuantity,
  type Quantity,
  type Units,
  VOLTAGE_UNITS,
} from "./decimal.ts";
import { parseMeterTime } from "./meter-time.ts";
import type { Telegram } from "./telegram.ts";

/** A telegram as a reading, and what it did not or could not say. */
export interface DecodedReading {
  readonly reading: UnprovenReading;
  readonly absent: readonly string[];
}

const TARIFFS = [0, 1, 2, 3, 4];
const FLOW_CODES: readonly string[] = [
  ...["1.8", "2.8"].flatMap((register) => TARIFFS.map((tariff) => `${register}.${tariff}`)),
  ...["1.7.0", "2.7.0"],
];
const VOLTAGE_CODES = ["32.7.0", "52.7.0", "72.7.0"];
const CURRENT_CODES = ["31.7.0", "51.7.0", "71.7.0"];
const LINE_CODES: readonly string[] = [...VOLTAGE_CODES, ...CURRENT_CODES, "14.7.0"];

/** Electricity, channel 0; meters in Switzerland print channel 1 (github.com/esphome-libs/dsmr_parser pull request 19). */
const ELECTRICITY = ["1-0", "1-1"] as const;

/** Objects that a reading can be made of: their set stays the same from telegram to telegram of one meter. */
export const READ_CODES: readonly string[] = ELECTRICITY.flatMap((medium) =>
  [...FLOW_CODES, ...LINE_CODES].map((code) => `${medium}:${code}`),
);

/**
 * Decodes a telegram (DSMR 5.0.2 P1, 6.12): 1.8.x is energy delivered to the client, hence import, 2.8.x energy
 * delivered by the client, hence export; power is 1.7.0 less 2.7.0.
 *
 * @param winterOffsetMinutes the meter's winter time ahead of UTC
 * @throws Problem `dsmr-value`, `dsmr-range`, `dsmr-conflict`, `dsmr-empty`
 */
export function decodeReading(telegram: Telegram, winterOffsetMinutes: number): DecodedReading {
  const decoder = new Decoder(telegram);
  const values = {
    ...decoder.registers(),
    ...decoder.power(),
    ...decoder.phases("voltageMv", VOLTAGE_CODES, VOLTAGE_UNITS),
    ...decoder.phases("currentMa", CURRENT_CODES, CURRENT_UNITS),
    ...decoder.frequency(),
  };
  if (Object.keys(values).length === 0) {
    throw new Problem("dsmr-empty", "the telegram prints no register and no power", {
      where: "telegram",
      expected: "at least one of 1-0:1.8.x, 2.8.x, 1.7.0",
      got: `${telegram.objects.size} other objects`,
    });
  }
  const time = decoder.meterTime(winterOffsetMinutes);
  return { reading: { channel: GRID_CHANNEL, ...values, ...time }, absent: decoder.absent };
}

/** The channel of electricity that prints these. Of two it is not known which one is the meter's. */
function mediumOf({ objects }: Telegram, codes: readonly string[]): string {
  const [first, second] = ELECTRICITY.map((medium) =>
    codes.map((code) => `${medium}:${code}`).filter((code) => objects.has(code)),
  );
  if (first === undefined || second === undefined || second.length === 0) return ELECTRICITY[0];
  if (first.length === 0) return ELECTRICITY[1];
  throw new Problem("dsmr-conflict", "objects of two channels of electricity are printed", {
    where: [...first, ...second].join(", "),
    expected: `all of ${ELECTRICITY.join(", or all of ")}`,
  });
}

type Registers = Pick<MeterReading, "importMwh" | "exportMwh" | "resolutionMwh" | "status">;

interface Register extends Quantity {
  readonly summed: boolean;
}

class Decoder {
  readonly absent: string[];
  readonly #telegram: Telegram;
  readonly #flow: string;
  readonly #line: string;

  constructor(telegram: Telegram) {
    this.#telegram = telegram;
    this.#flow = mediumOf(telegram, FLOW_CODES);
    this.#line = mediumOf(telegram, LINE_CODES);
    this.absent = [...telegram.absent];
  }

  registers(): Registers {
    const imported = this.#register(`${this.#flow}:1.8`);
    const exported = this.#register(`${this.#flow}:2.8`);
    const printed = [imported, exported].filter((register) => register !== undefined);
    if (printed.length === 0) return {};
    return {
      ...(imported === undefined ? {} : { importMwh: imported.value }),
      ...(exported === undefined ? {} : { exportMwh: exported.value }),
      resolutionMwh: Math.max(...printed.map((register) => register.step)),
      ...(printed.some((register) => register.summed) ? { status: READING_STATUS.tariffSum } : {}),
    };
  }

  /** The printed total, or the sum of all tariffs of this telegram, never a mix of both. */
  #register(prefix: string): Register | undefined {
    const total = this.#quantity(`${prefix}.0`, ENERGY_UNITS);
    if (total !== undefined) return { ...total, summed: false };
    const codes = [1, 2, 3, 4].map((tariff) => `${prefix}.${tariff}`);
    this.#requireSameWidth(codes);
    const tariffs = codes
      .map((code) => this.#quantity(code, ENERGY_UNITS))
      .filter((quantity) => quantity !== undefined);
    if (tariffs.length === 0) return undefined;
    const value = tariffs.reduce((sum, tariff) => sum + tariff.value, 0);
    if (!Number.isSafeInteger(value)) {
      throw new Problem("dsmr-range", "the sum of the tariffs is too large", { where: `${prefix}.1 to .4` });
    }
    return { value, step: Math.max(...tariffs.map((tariff) => tariff.step)), summed: true };
  }

  power(): Pick<MeterReading, "activePowerMw"> {
    const [inward, outward] = [`${this.#flow}:1.7.0`, `${this.#flow}:2.7.0`];
    this.#requireSameWidth([inward, outward]);
    const imported = this.#quantity(inward, POWER_UNITS);
    const exported = this.#quantity(outward, POWER_UNITS);
    if (imported !== undefined && exported !== undefined) {
      return { activePowerMw: imported.value - exported.value };
    }
    if (imported !== undefined && (imported.value > 0 || !this.#printsExport())) {
      return { activePowerMw: imported.value };
    }
    // One direction at rest says nothing about the other, and 0 would be an invention.
    if (imported !== undefined)
      this.absent.push(`activePowerMw: ${inward} is 0 and ${outward} is not printed`);
    if (exported !== undefined) this.absent.push(`activePowerMw: ${outward} is printed without ${inward}`);
    return {};
  }

  /** Without a checksum a lost digit or point shows only in this: meters print with leading zeros. */
  #requireSameWidth(codes: readonly string[]): void {
    if (this.#telegram.checksum === "verified") return;
    const printed = codes
      .map((code) => this.#telegram.objects.get(code)?.values.join(")("))
      .filter((value) => value !== undefined);
    if (new Set(printed.map((value) => value.length)).size <= 1) return;
    throw new Problem(
      "dsmr-value",
      "values of one format differ in length, and the telegram has no checksum",
      {
        where: codes.join(", "),
        expected: "the same number of characters",
        got: printed.join(", "),
      },
    );
  }

  #printsExport(): boolean {
    return TARIFFS.some((tariff) => this.#telegram.objects.has(`${this.#flow}:2.8.${tariff}`));
  }

  phases<Name extends string>(
    name: Name,
    codes: readonly string[],
    units: Units,
  ): { [Key in Name]?: number[] } {
    const printed = codes.map((code) => this.#quantity(`${this.#line}:${code}`, units)?.value);
    const values = printed.filter((value) => value !== undefined);
    if (values.length === 0) return {};
    // A list has no place for a missing phase: L3 would pass for L2.
    if (printed.slice(0, values.length).includes(undefined)) {
      this.absent.push(`${name}: a phase before the last printed one is missing`);
      return {};
    }
    const result: { [Key in Name]?: number[] } = {};
    result[name] = values;
    return result;
  }

  frequency(): Pick<MeterReading, "frequencyMhz"> {
    const frequency = this.#quantity(`${this.#line}:14.7.0`, FREQUENCY_UNITS);
    return frequency === undefined ? {} : { frequencyMhz: frequency.value };
  }

  meterTime(winterOffsetMinutes: number): Pick<MeterReading, "meterTimeMs"> {
    const printed = this.#telegram.objects.get("0-0:1.0.0")?.values[0];
    if (printed === undefined) return {};
    const meterTimeMs = parseMeterTime(printed, winterOffsetMinutes);
    if (meterTimeMs !== undefined) return { meterTimeMs };
    this.absent.push(
      `meterTimeMs: 0-0:1.0.0 prints ${JSON.stringify(printed.slice(0, 40))}, which is no time`,
    );
    return {};
  }

  #quantity(code: string, units: Units): Quantity | undefined {
    const object = this.#telegram.objects.get(code);
    if (object === undefined) return undefined;
    if (this.#telegram.conflicts.has(code)) {
      const where = `telegram offset ${object.offset}, ${code}`;
      throw new Problem("dsmr-conflict", "an object is printed twice with different values", { where });
    }
    return parseQuantity(object, units);
  }
}
