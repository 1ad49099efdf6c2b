import { Problem } from "../../attest/problem.ts";
import type { MeterReading } from "../../attest/reading.ts";
import { digestOf } from "../digest.ts";
import type { ChannelDescription, MeterIdentity, PolledMeter, Snapshot } from "../driver.ts";
import { type LineAddress, lineName, type SerialFormat } from "../line/address.ts";
import { type AskedLine, type AskedLines, askedLines } from "../telegram/asked-line.ts";
import { GRID_CHANNEL, gridChannel } from "../telegram/obis-reading.ts";
import { Exchange } from "./exchange.ts";
import { identityOf, requireElectricity } from "./identity.ts";
import { makerCodes } from "./makers.ts";
import { type MbusReading, readingOf } from "./reading.ts";
import { type Readout, type ReadoutSettings, readOut } from "./readout.ts";
import { timingOf } from "./timing.ts";

/** EN 13757-2: 8E1, and 2400 baud unless it was changed. */
export const MBUS_FORMAT: SerialFormat = { baudRate: 2_400, dataBits: 8, parity: "even", stopBits: 1 };

/** Where a meter is and how it is read. */
export interface MbusMeterOptions extends Omit<ReadoutSettings, "where"> {
  readonly line: LineAddress;
  readonly timeoutMs?: number | undefined;
  /** So often a request is repeated that was not answered well. */
  readonly retries: number;
}

interface Known {
  readonly identity: MeterIdentity;
  readonly meterId: string;
  readonly channel: ChannelDescription;
  readonly registers: readonly string[];
}

/** Imported, exported. */
const DIRECTIONS = ["1-0:1.8.", "1-0:2.8."] as const;

/** An electricity meter on a wired M-Bus, one of many on its line. */
export class MbusMeter implements PolledMeter {
  readonly mode = "polled" as const;
  readonly #options: MbusMeterOptions;
  readonly #line: AskedLine;
  readonly #where: string;
  #known: Known | undefined;

  constructor(options: MbusMeterOptions, lines: AskedLines = askedLines) {
    const { address, line } = options;
    this.#options = options;
    this.#line = lines.lease(line, MBUS_FORMAT);
    const name = typeof address === "number" ? `address ${address}` : `meter ${address.text}`;
    this.#where = `${lineName(line)} ${name}`;
  }

  /**
   * Reads the meter out and takes it for the one at its address from then on.
   *
   * @throws Problem `mbus-not-electricity`, `mbus-no-energy`, and those of {@link readOut}
   */
  async identify(): Promise<MeterIdentity> {
    const { readout, reading } = await this.#read();
    return this.#adopt(readout, reading).identity;
  }

  channels(): readonly ChannelDescription[] {
    if (this.#known !== undefined) return [this.#known.channel];
    throw new Problem("driver-not-identified", "the meter has not been identified yet");
  }

  /**
   * One readout.
   *
   * @throws Problem `driver-identity-changed` when another meter answers, `mbus-incomplete` when a tariff or the total is
   *   missing, and as {@link identify}
   */
  async read(): Promise<Snapshot> {
    const { readout, reading } = await this.#read();
    const known = this.#known ?? this.#adopt(readout, reading);
    if (readout.meterId !== known.meterId) throw changed(this.#where, known.meterId, readout.meterId);
    requireSameRegisters(known.registers, reading.registers, this.#where);
    return snapshotOf(readout, reading, known.channel);
  }

  async close(): Promise<void> {
    await this.#line.release();
  }

  async #read(): Promise<{ readonly readout: Readout; readonly reading: MbusReading }> {
    const { line, timeoutMs, retries } = this.#options;
    const timing = timingOf(line, MBUS_FORMAT.baudRate, timeoutMs);
    const readout = await this.#line.talk((talk) =>
      readOut(new Exchange(talk, { timing, retries }), { ...this.#options, where: this.#where }),
    );
    requireElectricity(readout.header, this.#where);
    return { readout, reading: readingOf(readout) };
  }

  #adopt(readout: Readout, reading: MbusReading): Known {
    const known = {
      identity: identityOf(readout),
      meterId: readout.meterId,
      channel: channelOf(readout, reading),
      registers: reading.registers,
    };
    this.#known = known;
    return known;
  }
}

const SIGN_SOURCE =
  "EN 13757-3: energy and power without a direction are taken for import, VIFE 3C is export";

function channelOf({ header }: Readout, { values, rolloverMwh }: MbusReading): ChannelDescription {
  const signSource = makerCodes(header.manufacturer)?.signSource ?? SIGN_SOURCE;
  const channel = gridChannel(values, { signSource, signVerified: false });
  return { ...channel, ...(rolloverMwh === undefined ? {} : { rolloverMwh }) };
}

/** Which described quantity a value belongs to. */
const QUANTITIES = { importMwh: "import", exportMwh: "export", activePowerMw: "power" } as const;

function snapshotOf(
  { bytes }: Readout,
  { values, absent }: MbusReading,
  channel: ChannelDescription,
): Snapshot {
  const evidence = digestOf(bytes);
  const { resolutionMwh, ...rest } = values;
  const said = Object.entries(rest).filter(([name]) => isDescribed(name, channel));
  const strange = Object.keys(rest).filter((name) => !isDescribed(name, channel));
  const reading: MeterReading = {
    ...{ channel: GRID_CHANNEL, evidence, ...Object.fromEntries(said) },
    ...(resolutionMwh === undefined || resolutionMwh === channel.resolutionMwh ? {} : { resolutionMwh }),
  };
  return {
    readings: [reading],
    flexibility: [],
    absent: [...absent, ...strange.map((name) => `${name}: was not there when the meter was identified`)],
    frames: [{ digest: evidence, bytes, what: "mbus telegrams" }],
  };
}

function isDescribed(name: string, { quantities }: ChannelDescription): boolean {
  const quantity = Object.hasOwn(QUANTITIES, name) ? QUANTITIES[name as keyof typeof QUANTITIES] : undefined;
  return quantity === undefined || quantities.includes(quantity);
}

/** A sum that lacks a tariff, or that stands in for a total, would be a register that fell. A direction may be absent. */
function requireSameRegisters(known: readonly string[], found: readonly string[], where: string): void {
  for (const direction of DIRECTIONS) {
    const [expected, got] = [known, found].map((codes) =>
      codes.filter((code) => code.startsWith(direction)).join(", "),
    );
    if (got === "" || expected === "" || expected === got) continue;
    throw new Problem(
      "mbus-incomplete",
      "the readout has other registers than when the meter was identified",
      {
        ...{ where, ...(expected === undefined || got === undefined ? {} : { expected, got }) },
        hint: "if the meter's readout was set up anew, have it identified again",
      },
    );
  }
}

function changed(where: string, expected: string, got: string): Problem {
  return new Problem("driver-identity-changed", "another meter answers at this address", {
    ...{ where, expected, got },
    hint: "if it was replaced, nothing is to be done: it is identified anew; if not, two meters answer here",
  });
}
