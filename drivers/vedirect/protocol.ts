import type { MeterIdentity } from "../driver.ts";
import type { MeterTelegram, TelegramProtocol } from "../telegram/protocol.ts";
import type { Framer } from "../telegram/telegram.ts";
import { conflict, fieldsOfBlock } from "./block.ts";
import { VedirectFramer } from "./framing.ts";
import { NOT_AVAILABLE } from "./labels.ts";
import { productName } from "./products.ts";
import {
  channelOf,
  type DeviceKind,
  deviceKind,
  type Fields,
  REGISTER_LABELS,
  readingOf,
} from "./reading.ts";

/** One device on one line, which speaks the text of VE.Direct. */
export function vedirectProtocol(): TelegramProtocol {
  return new VedirectProtocol();
}

/** A block as it came. */
export interface Block {
  readonly fields: Fields;
  readonly bytes: Uint8Array;
}

/**
 * A solar charger says everything in one block a second. A battery monitor sends two, each with a checksum of its own:
 * the first names the device and says what is now, the second has the registers. Both are read together; a first
 * block whose second one was lost gives way to the next.
 */
class VedirectProtocol implements TelegramProtocol {
  readonly what = "ve.direct block";
  readonly wiringHint =
    "check that it is a VE.Direct cable at 19200 8N1 with data from the device, and that nothing else sends commands to it";
  readonly finalCodes: readonly string[] = ["vedirect-no-energy"];
  /** The last first block of the device: who it is. */
  #device: { readonly fields: Fields; readonly kind: DeviceKind } | undefined;
  /** A first block that waits for the second one. */
  #waiting: Block | undefined;
  #hasSecondBlock = true;

  createFramer(): Framer {
    return new VedirectFramer();
  }

  decode(telegram: Uint8Array): MeterTelegram | undefined {
    const block = { fields: fieldsOfBlock(telegram), bytes: telegram };
    return namesDevice(block.fields) ? this.#first(block) : this.#second(block);
  }

  forget(): void {
    this.#device = undefined;
    this.#waiting = undefined;
    this.#hasSecondBlock = true;
  }

  #first(block: Block): MeterTelegram | undefined {
    this.#device = { fields: block.fields, kind: deviceKind(block.fields) };
    // Two first blocks in a row: the registers are late, lost, or not sent at all.
    if (this.#waiting !== undefined) this.#hasSecondBlock = false;
    this.#waiting = undefined;
    const whole = REGISTER_LABELS.some((label) => block.fields.has(label));
    if (whole || !this.#hasSecondBlock) return this.#telegram(block);
    this.#waiting = block;
    return undefined;
  }

  #second(block: Block): MeterTelegram | undefined {
    const first = this.#waiting;
    this.#waiting = undefined;
    this.#hasSecondBlock = true;
    if (first !== undefined) return this.#telegram(together(first, block));
    return REGISTER_LABELS.some((label) => block.fields.has(label)) ? this.#telegram(block) : undefined;
  }

  #telegram({ fields, bytes }: Block): MeterTelegram | undefined {
    // Registers before their device has named itself are nobody's.
    if (this.#device === undefined) return undefined;
    const { kind, fields: own } = this.#device;
    const { reading, absent } = readingOf(fields, kind);
    return {
      identity: identityOf(own),
      channels: [channelOf(new Map([...own, ...fields]), kind)],
      readings: [reading],
      absent,
      evidence: bytes,
    };
  }
}

/** Whether it is a device's first block. BMV-600 and older have no product number. */
export function namesDevice(fields: Fields): boolean {
  return fields.has("PID") || fields.has("BMV");
}

/**
 * Both blocks of a monitor as one.
 *
 * @throws Problem `vedirect-conflict`
 */
export function together(first: Block, second: Block): Block {
  const fields = new Map(first.fields);
  for (const [label, value] of second.fields) {
    const known = fields.get(label);
    if (known !== undefined && known !== value) throw conflict(label, [known, value]);
    fields.set(label, value);
  }
  const bytes = new Uint8Array(first.bytes.length + second.bytes.length);
  bytes.set(first.bytes);
  bytes.set(second.bytes, first.bytes.length);
  return { fields, bytes };
}

function identityOf(fields: Fields): MeterIdentity {
  const said = (label: string): string => {
    const text = fields.get(label)?.trim() ?? "";
    return text === NOT_AVAILABLE ? "" : text;
  };
  const number = said("PID");
  return {
    make: "Victron Energy",
    model: number === "" ? `BMV ${said("BMV")}`.trim() : productName(number),
    serial: said("SER#"),
    firmware: said("FWE") === "" ? said("FW") : said("FWE"),
  };
}
