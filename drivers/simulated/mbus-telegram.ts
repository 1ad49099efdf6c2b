import { checksum, isFromMaster, parseFrame } from "../mbus/frame.ts";
import { MbusFramer } from "../mbus/framing.ts";
import { ANY_ADDRESS, NETWORK_ADDRESS } from "../mbus/requests.ts";
import type { ShownByMeter, SimulatedAnswerer } from "./speaking.ts";

/** Which meter is simulated. */
export interface SimulatedMbusMeter {
  /** 1 to 250, or 0 for one that was given none yet. */
  readonly primary: number;
  /** Eight digits. */
  readonly identification: string;
  /** Three letters; ABB's meters say export and phases in their own way. */
  readonly manufacturer: string;
  readonly version?: number;
  /** Device type; 2 is electricity. */
  readonly medium?: number;
  /** Registers in one telegram, powers and phases in a second one. */
  readonly multiTelegram?: boolean;
  /** Two tariffs without a total. */
  readonly tariffsOnly?: boolean;
  /** Application error (CI 70) instead of every readout. */
  readonly error?: number;
}

const ACKNOWLEDGEMENT = Uint8Array.of(0xe5);
const RSP_UD = 0x08;
const FRAME_COUNT_BIT = 0x20;
const CI_SELECTION = 0x52;
const MORE_FOLLOWS = 0x1f;
/** Where the data of a long frame begins, and its two bytes of end. */
const DATA_AT = 7;
const END_BYTES = 2;

/**
 * A meter on a wired M-Bus: initialisation, application reset, selection by secondary address with wildcards, and
 * readouts of one telegram or two by the frame count bit (EN 13757-2 and -3).
 */
export function mbusAnswerer(meter: SimulatedMbusMeter): SimulatedAnswerer {
  const slave = new Slave(meter);
  return {
    answers: (bytes, shown) => slave.answers(bytes, shown),
    withWrongChecksum: (telegram) => {
      if (telegram.length <= DATA_AT) return undefined;
      return telegram.map((byte, at) => (at === DATA_AT ? byte ^ 0x01 : byte));
    },
  };
}

/** Primary and network address have a frame count each (EN 13757-2). */
interface Readout {
  /** Frame count bit of the last request; undefined after an initialisation. */
  frameCount: boolean | undefined;
  next: number;
  last: Uint8Array | undefined;
}

class Slave {
  readonly #meter: Required<Omit<SimulatedMbusMeter, "error">> & Pick<SimulatedMbusMeter, "error">;
  readonly #framer = new MbusFramer();
  readonly #direct: Readout = { frameCount: undefined, next: 0, last: undefined };
  readonly #network: Readout = { frameCount: undefined, next: 0, last: undefined };
  #selected = false;
  #accesses = 0;

  constructor(meter: SimulatedMbusMeter) {
    this.#meter = { version: 1, medium: 2, multiTelegram: false, tariffsOnly: false, ...meter };
  }

  answers(bytes: Uint8Array, shown: ShownByMeter): readonly Uint8Array[] {
    return this.#framer
      .push(bytes)
      .flatMap((framed) => (framed.kind === "telegram" ? this.#answer(framed.bytes, shown) : []));
  }

  #answer(bytes: Uint8Array, shown: ShownByMeter): Uint8Array[] {
    const frame = parseFrame(bytes);
    if (frame.kind === "acknowledgement" || !isFromMaster(frame.control)) return [];
    const { address, control } = frame;
    if (frame.kind === "long" && frame.information === CI_SELECTION) return this.#select(bytes);
    if (!this.#isCalled(address)) return [];
    const readout = address === NETWORK_ADDRESS ? this.#network : this.#direct;
    if (frame.kind !== "short") {
      readout.next = 0;
      return [ACKNOWLEDGEMENT];
    }
    if (control === 0x40) return this.#initialise(address, readout);
    return (control & 0x4f) === 0x4b ? [this.#readOut(readout, control, shown)] : [];
  }

  #isCalled(address: number): boolean {
    if (address === NETWORK_ADDRESS) return this.#selected;
    return address === this.#meter.primary || address === ANY_ADDRESS;
  }

  /** Whoever is not meant is let go. */
  #select(bytes: Uint8Array): Uint8Array[] {
    const wanted = bytes.subarray(DATA_AT, -END_BYTES);
    this.#selected = wanted.length === 8 && fits(wanted, this.#secondary());
    Object.assign(this.#network, { frameCount: undefined, next: 0 });
    return this.#selected ? [ACKNOWLEDGEMENT] : [];
  }

  #initialise(address: number, readout: Readout): Uint8Array[] {
    Object.assign(readout, { frameCount: undefined, next: 0 });
    if (address === NETWORK_ADDRESS) this.#selected = false;
    return [ACKNOWLEDGEMENT];
  }

  #readOut(readout: Readout, control: number, shown: ShownByMeter): Uint8Array {
    const frameCount = (control & FRAME_COUNT_BIT) !== 0;
    if (readout.frameCount === frameCount && readout.last !== undefined) return readout.last;
    const records = this.#records(shown);
    const at = readout.next % records.length;
    readout.frameCount = frameCount;
    readout.next = at + 1;
    readout.last = this.#telegram([
      ...(records[at] ?? []),
      ...(at + 1 < records.length ? [MORE_FOLLOWS] : []),
    ]);
    return readout.last;
  }

  #telegram(records: readonly number[]): Uint8Array {
    const { primary, error } = this.#meter;
    if (error !== undefined) return longFrame([RSP_UD, primary, 0x70, error]);
    this.#accesses = (this.#accesses + 1) & 0xff;
    const header = [...this.#secondary(), this.#accesses, 0, 0, 0];
    return longFrame([RSP_UD, primary, 0x72, ...header, ...records]);
  }

  #secondary(): number[] {
    const { identification, manufacturer, version, medium } = this.#meter;
    const letters = [...manufacturer].reduce((code, letter) => code * 32 + letter.charCodeAt(0) - 64, 0);
    return [...nibblesOf(identification), ...littleEndian(BigInt(letters), 2), version, medium];
  }

  /** The records of each telegram. */
  #records(shown: ShownByMeter): number[][] {
    const abb = this.#meter.manufacturer === "ABB";
    const registers = this.#meter.tariffsOnly ? tariffs(shown) : totals(shown, abb);
    const others = [...dateTime(shown.timeMs), ...power(shown), ...phases(shown, abb)];
    return this.#meter.multiTelegram ? [registers, others] : [[...registers, ...others]];
  }
}

/** F stands for any digit, FF for any byte (EN 13757-3). */
function fits(wanted: Uint8Array, own: readonly number[]): boolean {
  return own.every((byte, at) => {
    const pattern = wanted[at] ?? 0;
    if (at >= 4) return pattern === 0xff || pattern === byte;
    return [0xf0, 0x0f].every((mask) => (pattern & mask) === mask || (pattern & mask) === (byte & mask));
  });
}

const MWH_PER_WH = 1_000;

/** Twelve digits of Wh; export by a VIFE for backward flow, at ABB by subunit 1. */
function totals(shown: ShownByMeter, abb: boolean): number[] {
  const imported = shown.importT1Mwh + shown.importT2Mwh;
  const exported = shown.exportT1Mwh + shown.exportT2Mwh;
  return abb
    ? [0x0e, 0x83, 0x00, ...bcdWh(imported), 0x8e, 0x40, 0x83, 0x00, ...bcdWh(exported)]
    : [0x0e, 0x03, ...bcdWh(imported), 0x0e, 0x83, 0x3c, ...bcdWh(exported)];
}

function tariffs(shown: ShownByMeter): number[] {
  return [0x8e, 0x10, 0x03, ...bcdWh(shown.importT1Mwh), 0x8e, 0x20, 0x03, ...bcdWh(shown.importT2Mwh)];
}

function bcdWh(mwh: number): number[] {
  const wh = Math.floor(mwh / MWH_PER_WH) % 10 ** 12;
  return nibblesOf(wh.toString().padStart(12, "0"));
}

/** Total power in mW, frequency in mHz. */
function power({ activePowerMw, frequencyMhz }: ShownByMeter): number[] {
  return [0x04, 0x28, ...int32(activePowerMw), 0x04, 0xfb, 0x2c, ...int32(frequencyMhz)];
}

/** Tenths of a volt and milliamperes, each with its phase. */
function phases({ voltageMv, currentMa }: ShownByMeter, abb: boolean): number[] {
  const named = (phase: number): number[] => (abb ? [0xff, 0x81 + phase, 0x00] : [0xfc, 0x01 + phase]);
  return [
    ...voltageMv.flatMap((mv, at) => [0x04, 0xfd, 0xc8, ...named(at), ...int32(Math.floor(mv / 100))]),
    ...currentMa.flatMap((ma, at) => [0x04, 0xfd, 0xd9, ...named(at), ...int32(ma)]),
  ];
}

/** Type F, in UTC. */
function dateTime(timeMs: number): number[] {
  const now = new Date(timeMs);
  const year = now.getUTCFullYear() % 100;
  const date = [((year & 7) << 5) | now.getUTCDate(), ((year >> 3) << 4) | (now.getUTCMonth() + 1)];
  return [0x04, 0x6d, now.getUTCMinutes(), now.getUTCHours(), ...date];
}

function int32(value: number): number[] {
  return littleEndian(BigInt.asUintN(32, BigInt(value)), 4);
}

function littleEndian(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn));
}

/** Two digits a byte, the last ones first. */
function nibblesOf(digits: string): number[] {
  return Array.from(Buffer.from(digits, "hex")).reverse();
}

function longFrame(content: readonly number[]): Uint8Array {
  const sum = checksum(Uint8Array.from(content));
  return Uint8Array.of(0x68, content.length, content.length, 0x68, ...content, sum, 0x16);
}
