import { joined } from "./dlms-axdr.ts";
import { blockFrames, enciphered, hdlcFrames, mbusFrames } from "./dlms-frame.ts";
import { type DlmsLayout, notification } from "./dlms-lists.ts";
import type { ShownByMeter, SimulatedSpeaker } from "./speaking.ts";

/** How a simulated meter pushes its lists. */
export interface DlmsSpeakerSettings {
  readonly layout: DlmsLayout;
  /** Kaifa speaks as in Norway over HDLC and as in Austria over M-Bus; Landis+Gyr sends blocks over HDLC. */
  readonly framing: "hdlc" | "mbus";
  /** Sixteen bytes: telegrams are encrypted. */
  readonly key?: Uint8Array | undefined;
  /** Sixteen bytes: they are authenticated, too. */
  readonly authenticationKey?: Uint8Array | undefined;
  /** The most information in one HDLC frame: what is longer comes in segments. */
  readonly segmentBytes?: number;
  /** As in Norway: Kaifa, Kamstrup and Aidon list their registers only in the first seconds of an hour. */
  readonly isHourly?: boolean;
}

const HOUR_MS = 3_600_000;
const PERIOD_MS = 10_000;

/** More than any list: one frame. */
const WHOLE_BYTES = 2_000;

/** Letters that a maker's system titles begin with. */
const TITLES: Readonly<Record<DlmsLayout, string>> = {
  kaifa: "KFMg",
  kamstrup: "KAME",
  aidon: "AIDO",
  "landis-gyr": "LGZg",
  iskra: "ISKg",
  sagemcom: "SAGY",
};

/** A meter that pushes one list every 10 s. Its frame counter goes on with its clock, and with every telegram. */
export function dlmsSpeaker(settings: DlmsSpeakerSettings): SimulatedSpeaker {
  let counter = 0;
  return {
    periodMs: PERIOD_MS,
    telegrams: (shown) => {
      counter = Math.max(counter + 1, Math.floor(shown.timeMs / 1_000) % 2 ** 31);
      return [dlmsTelegram(shown, settings, counter)];
    },
    withWrongChecksum: withOtherValue,
  };
}

function dlmsTelegram(shown: ShownByMeter, settings: DlmsSpeakerSettings, counter: number): Uint8Array {
  const { layout, framing, key, authenticationKey, segmentBytes = WHOLE_BYTES } = settings;
  const hasRegisters = settings.isHourly !== true || shown.timeMs % HOUR_MS < PERIOD_MS;
  const name = layout === "kaifa" && framing === "mbus" ? "austrian" : layout;
  const plain = notification(shown, name, hasRegisters);
  const title = titleOf(layout, shown.serial);
  const apdu = key === undefined ? plain : enciphered(plain, { key, authenticationKey, title, counter });
  if (framing === "mbus") return mbusFrames(apdu);
  return layout === "landis-gyr" ? blockFrames(apdu) : hdlcFrames(apdu, segmentBytes);
}

function titleOf(layout: DlmsLayout, serial: string): Uint8Array {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(Number(serial.slice(-9)));
  return joined(Buffer.from(TITLES[layout], "latin1"), number);
}

/** The last byte of the last value, or of the tag: before check or checksum and the end. */
function withOtherValue(telegram: Uint8Array): Uint8Array | undefined {
  const at = telegram.length - 4;
  const byte = telegram[at];
  return byte === undefined ? undefined : telegram.with(at, byte ^ 0x01);
}
