import { type FormatText, formatFrom } from "../../../drivers/discovery/serial-format.ts";
import type { SerialFormat } from "../../../drivers/line/address.ts";
import { type DlmsSpeakerSettings, dlmsSpeaker } from "../../../drivers/simulated/dlms-telegram.ts";
import { iec62056Speaker } from "../../../drivers/simulated/iec62056-telegram.ts";
import { p1Speaker } from "../../../drivers/simulated/p1-telegram.ts";
import { type SmlSpeakerSettings, smlSpeaker } from "../../../drivers/simulated/sml-telegram.ts";
import type { ShownByMeter, SimulatedSpeaker } from "../../../drivers/simulated/speaking.ts";
import { vedirectSpeaker } from "../../../drivers/simulated/vedirect-telegram.ts";

/** A simulated meter that speaks by itself. */
export interface SimulatedMeter {
  readonly name: string;
  readonly driver: string;
  /** How its bytes are on the wire. */
  readonly format: SerialFormat;
  /** With which settings it is listened to. */
  readonly heard: FormatText;
  readonly encrypted: boolean;
  /** What is in its serial number, whatever else is there. */
  readonly serial: RegExp;
  telegrams(): readonly Uint8Array[];
}

export const SHOWN: ShownByMeter = {
  serial: "1234567890",
  ...{ importT1Mwh: 1_234_567_000, importT2Mwh: 2_345_678_000, exportT1Mwh: 34_000_000, exportT2Mwh: 0 },
  ...{ activePowerMw: 1_234_000, timeMs: Date.UTC(2026, 4, 5, 12) },
  ...{ voltageMv: [230_100, 229_900, 231_200], currentMa: [5_370, 0, 0], frequencyMhz: 50_010 },
};

const KEY = Uint8Array.from({ length: 16 }, (_, at) => at + 1);

/** DSMR 2.2: no checksum, characters of seven bits. */
const OLD_P1: SimulatedSpeaker = {
  periodMs: 10_000,
  telegrams: () => [
    new TextEncoder().encode(
      [
        ...["/KWS4\\2OLD-P1", "", `0-0:96.1.1(${"31".repeat(10)})`, "1-0:1.8.1(01234.567*kWh)"],
        ...["1-0:1.8.2(02345.678*kWh)", "1-0:2.8.1(00000.000*kWh)", "1-0:2.8.2(00000.000*kWh)"],
        ...["0-0:96.14.0(0001)", "1-0:1.7.0(0001.01*kW)", "1-0:2.7.0(0000.00*kW)", "0-0:17.0.0(0999.00*kW)"],
        ...["0-0:96.3.10(1)", "0-0:96.13.1()", "0-0:96.13.0()", "!", ""],
      ].join("\r\n"),
    ),
  ],
  withWrongChecksum: () => undefined,
};

type Told = Omit<SimulatedMeter, "name" | "format" | "heard" | "encrypted" | "serial" | "telegrams"> &
  Partial<Pick<SimulatedMeter, "heard" | "encrypted" | "serial">> & {
    readonly sent: FormatText;
    readonly speaker: SimulatedSpeaker;
  };

function meter(name: string, { sent, speaker, ...told }: Told): SimulatedMeter {
  const usual = { heard: sent, encrypted: false, serial: /1234567890/ };
  return { name, format: formatFrom(sent), ...usual, ...told, telegrams: () => speaker.telegrams(SHOWN) };
}

function dlms(name: string, sent: FormatText, settings: DlmsSpeakerSettings): SimulatedMeter {
  const encrypted = settings.key !== undefined;
  return meter(name, { driver: "dlms-push", sent, speaker: dlmsSpeaker(settings), encrypted });
}

function sml(name: string, settings: SmlSpeakerSettings): SimulatedMeter {
  return meter(name, { driver: "sml", sent: "9600 8N1", speaker: smlSpeaker(settings) });
}

const P1 = { driver: "dsmr-p1", sent: "115200 8N1" } as const;
const READOUT = { driver: "iec62056-21" } as const;
const VICTRON = { driver: "victron-ve-direct", sent: "19200 8N1" } as const;

/** One of each kind, at each of the settings where it is found. */
export const SIMULATED: readonly SimulatedMeter[] = [
  meter("P1", { ...P1, speaker: p1Speaker() }),
  meter("P1 of DSMR 2.2", { ...P1, sent: "9600 7E1", speaker: OLD_P1, serial: /^1{10}$/ }),
  meter("P1, encrypted", { ...P1, speaker: p1Speaker({ key: KEY }), encrypted: true }),
  sml("SML", {}),
  sml("SML, locked", { locked: true }),
  sml("SML of Holley", { checksum: "kermit" }),
  dlms("DLMS of Aidon", "2400 8E1", { layout: "aidon", framing: "hdlc" }),
  dlms("DLMS of Kamstrup", "2400 8N1", { layout: "kamstrup", framing: "hdlc" }),
  dlms("DLMS in segments", "9600 8N1", { layout: "sagemcom", framing: "hdlc", segmentBytes: 60 }),
  dlms("DLMS of Kaifa over M-Bus, encrypted", "2400 8E1", { layout: "kaifa", framing: "mbus", key: KEY }),
  meter("readout pushed", { ...READOUT, sent: "9600 7E1", heard: "9600 8N1", speaker: iec62056Speaker() }),
  meter("readout pushed, short codes", {
    ...{ ...READOUT, sent: "2400 7E1", heard: "2400 8N1" },
    speaker: iec62056Speaker({ short: true }),
  }),
  meter("solar charger", { ...VICTRON, speaker: vedirectSpeaker({ device: "mppt" }) }),
  // Older battery monitors print no number.
  meter("battery monitor", { ...VICTRON, speaker: vedirectSpeaker({ device: "bmv" }), serial: /^$/ }),
];
