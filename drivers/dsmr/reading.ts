import { createHash } from "node:crypto";
import { Problem } from "../../attest/problem.ts";
import { type MeterReading, READING_STATUS } from "../../attest/reading.ts";
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
import type { RawTelegram } from "./framing.ts";
import { parseMeterTime } from "./meter-time.ts";
import type { Telegram } from "./telegram.ts";

/** The one boundary a P1 meter measures. */
export const GRID_CHANNEL = "grid";

/** A telegram as a reading, and what it did not or could not say. */
export interface DecodedTelegram {
  readonly reading: MeterReading;
  readonly absent: readonly string[];
}

/** Objects that a reading can be made of: their set stays the same from telegram to telegram of one meter. */
export const READ_CODES: readonly string[] = [
  ...["1-0:1.8", "1-0:2.8"].flatMap((register) => [0, 1, 2, 3, 4].map((tariff) => `${register}.${tariff}`)),
  ...["1-0:1.7.0", "1-0:2.7.0", "1-0:14.7.0"],
  ...["1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0"],
  ...["1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0"],
];

/**
 * Decodes a telegram (DSMR 5.0.2 P1, 6.12): 1.8.x is energy delivered to the client, hence import, 2.8.x energy
 * delivered by the client, hence export; power is 1.7.0 less 2.7.0.
 *
 * @param winterOffsetMinutes the meter's winter time ahead of UTC
 * @throws Problem `dsmr-value`, `dsmr-range`, `dsmr-conflict`, `dsmr-empty`
 */
export function decodeReading(
  telegram: Telegram,
  raw: RawTelegram,
  winterOffsetMinutes: number,
): DecodedTelegram {
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
  const reading = { channel: GRID_CHANNEL, ...values, ...time, evidence: sha256(raw.bytes) };
  return { reading, absent: decoder.absent };
}

const VOLTAGE_CODES = ["1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0"];
const CURRENT_CODES = ["1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0"];

type Registers = Pick<MeterReading, "importMwh" | "exportMwh" | "resolutionMwh" | "status">;

interface Register extends Quantity {
  readonly summed: boolean;
}

class Decoder {
  readonly absent: string[];
  readonly #telegram: Telegram;

  constructor(telegram: Telegram) {
    this.#telegram = telegram;
    this.absent = [...telegram.absent];
  }

  registers(): Registers {
    const imported = this.#register("1-0:1.8");
    const exported = this.#register("1-0:2.8");
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
    this.#requireSameWidth(["1-0:1.7.0", "1-0:2.7.0"]);
    const imported = this.#quantity("1-0:1.7.0", POWER_UNITS);
    const exported = this.#quantity("1-0:2.7.0", POWER_UNITS);
    if (imported !== undefined && exported !== undefined) {
      return { activePowerMw: imported.value - exported.value };
    }
    if (imported !== undefined && (imported.value > 0 || !this.#printsExport())) {
      return { activePowerMw: imported.value };
    }
    // One direction at rest says nothing about the other, and 0 would be an invention.
    if (imported !== undefined)
      this.absent.push("activePowerMw: 1-0:1.7.0 is 0 and 1-0:2.7.0 is not printed");
    if (exported !== undefined) this.absent.push("activePowerMw: 1-0:2.7.0 is printed without 1-0:1.7.0");
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
    return [0, 1, 2, 3, 4].some((tariff) => this.#telegram.objects.has(`1-0:2.8.${tariff}`));
  }

  phases<Name extends string>(
    name: Name,
    codes: readonly string[],
    units: Units,
  ): { [Key in Name]?: number[] } {
    const printed = codes.map((code) => this.#quantity(code, units)?.value);
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
    const frequency = this.#quantity("1-0:14.7.0", FREQUENCY_UNITS);
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

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
