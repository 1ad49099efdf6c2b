import type { SerialFormat } from "../line/address.ts";
import type { SimulatedAnswerer, SimulatedSpeaker } from "./speaking.ts";
import type { MeteredPart } from "./telegram-home.ts";

/** What encrypted telegrams are made with, 16 bytes each. */
export interface MeterKeys {
  readonly key?: Uint8Array;
  readonly authenticationKey?: Uint8Array;
}

export interface MeterSettings {
  readonly layout: string;
  readonly keys: MeterKeys;
}

/** How a meter speaks by itself, or what answers on each line. */
export type MeterSpeech =
  | { readonly speaker: SimulatedSpeaker }
  /** Of a meter with that number. */
  | { readonly answerer: (serial: string) => SimulatedAnswerer };

/** One kind of meter that can be simulated. */
export interface MeterKind {
  readonly title: string;
  /** Name of the driver that reads it. */
  readonly driver: string;
  /** Which meters of the kind there are, the first one where nothing is said. */
  readonly layouts: readonly string[];
  readonly isEncryptable: boolean;
  readonly format: SerialFormat;
  /** Where it is spoken: on a line, or in the local network. */
  readonly medium: "line" | "datagrams";
  /** What the driver has to be told of that layout beside the line. */
  configuration(layout: string): Readonly<Record<string, string | number>>;
  partOf(layout: string): MeteredPart;
  load(settings: MeterSettings): Promise<MeterSpeech>;
}

function grid(): MeteredPart {
  return "grid";
}

function format(baudRate: number, form: "8N1" | "7E1" | "8E1"): SerialFormat {
  return {
    baudRate,
    dataBits: form === "7E1" ? 7 : 8,
    parity: form === "8N1" ? "none" : "even",
    stopBits: 1,
  };
}

const MBUS_ADDRESS = 1;
const MBUS_DIGITS = 8;
const NOTHING_MORE = (): Readonly<Record<string, string | number>> => ({});

const DLMS_LAYOUTS = ["kaifa", "kamstrup", "aidon", "landis-gyr", "iskra", "sagemcom"] as const;

/** The meter of a layout, over HDLC or (`-mbus`) over wired M-Bus. */
function dlmsLayout(name: string): (typeof DLMS_LAYOUTS)[number] {
  return DLMS_LAYOUTS.find((layout) => name === layout || name === `${layout}-mbus`) ?? "kaifa";
}

/** What lists without units mean, and a clock whose telegrams do not say how far it is from UTC. */
function dlmsConfiguration(name: string): Readonly<Record<string, string | number>> {
  switch (dlmsLayout(name)) {
    case "kamstrup":
      return { registerStepWh: 10, clock: "CET" };
    case "landis-gyr":
      return { registerStepWh: 1, clock: "CET" };
    case "kaifa":
    case "aidon":
      return { clock: "CET" };
    case "iskra":
    case "sagemcom":
      return {};
  }
}

/** Encoders are in modules of their own: nobody simulates all of these meters at a time. */
export const METER_KINDS: Readonly<Record<string, MeterKind>> = {
  dsmr: {
    title: "smart meter with a P1 port",
    driver: "dsmr-p1",
    layouts: ["dsmr-5"],
    isEncryptable: true,
    format: format(115_200, "8N1"),
    medium: "line",
    configuration: NOTHING_MORE,
    partOf: grid,
    load: async ({ keys }) => {
      const { p1Speaker } = await import("./p1-telegram.ts");
      return { speaker: p1Speaker(keys) };
    },
  },
  sml: {
    title: "German meter that speaks SML",
    driver: "sml",
    layouts: ["open", "locked", "tariffs", "kermit"],
    isEncryptable: false,
    format: format(9_600, "8N1"),
    medium: "line",
    configuration: NOTHING_MORE,
    partOf: grid,
    load: async ({ layout }) => {
      const { smlSpeaker } = await import("./sml-telegram.ts");
      const checksum = layout === "kermit" ? "kermit" : "x25";
      return {
        speaker: smlSpeaker({ checksum, locked: layout === "locked", tariffs: layout === "tariffs" }),
      };
    },
  },
  iec62056: {
    title: "meter of IEC 62056-21",
    driver: "iec62056-21",
    layouts: ["mode-c", "mode-d"],
    isEncryptable: false,
    // It begins at 300 baud, and a meter on a wire of its own may stay there.
    format: format(300, "7E1"),
    medium: "line",
    configuration: (layout) => ({ mode: layout === "mode-d" ? "D" : "C" }),
    partOf: grid,
    load: async ({ layout }) => {
      const { iec62056Answerer, iec62056Speaker } = await import("./iec62056-telegram.ts");
      return layout === "mode-d" ? { speaker: iec62056Speaker() } : { answerer: () => iec62056Answerer() };
    },
  },
  mbus: {
    title: "electricity meter on a wired M-Bus",
    driver: "mbus",
    layouts: ["plain", "two-telegrams", "tariffs", "abb"],
    isEncryptable: false,
    format: format(2_400, "8E1"),
    medium: "line",
    configuration: () => ({ address: MBUS_ADDRESS }),
    partOf: grid,
    load: async ({ layout }) => {
      const { mbusAnswerer } = await import("./mbus-telegram.ts");
      const answerer = (serial: string): SimulatedAnswerer =>
        mbusAnswerer({
          primary: MBUS_ADDRESS,
          identification: serial.padStart(MBUS_DIGITS, "0").slice(-MBUS_DIGITS),
          manufacturer: layout === "abb" ? "ABB" : "KWS",
          multiTelegram: layout === "two-telegrams",
          tariffsOnly: layout === "tariffs",
        });
      return { answerer };
    },
  },
  dlms: {
    title: "meter that pushes DLMS lists",
    driver: "dlms-push",
    layouts: DLMS_LAYOUTS.flatMap((layout) => [layout, `${layout}-mbus`]),
    isEncryptable: true,
    format: format(2_400, "8E1"),
    medium: "line",
    configuration: dlmsConfiguration,
    partOf: grid,
    load: async ({ layout: name, keys }) => {
      const { dlmsSpeaker } = await import("./dlms-telegram.ts");
      const layout = dlmsLayout(name);
      const framing = name.endsWith("-mbus") ? "mbus" : "hdlc";
      return { speaker: dlmsSpeaker({ layout, framing, ...keys }) };
    },
  },
  vedirect: {
    title: "Victron device with a VE.Direct port",
    driver: "victron-ve-direct",
    layouts: ["mppt", "bmv", "smartshunt"],
    isEncryptable: false,
    format: format(19_200, "8N1"),
    medium: "line",
    configuration: NOTHING_MORE,
    partOf: (layout) => (layout === "mppt" ? "solar" : "battery"),
    load: async ({ layout }) => {
      const { vedirectSpeaker } = await import("./vedirect-telegram.ts");
      const device = layout === "bmv" || layout === "smartshunt" ? layout : "mppt";
      return { speaker: vedirectSpeaker({ device }) };
    },
  },
  speedwire: {
    title: "SMA meter that speaks Speedwire",
    driver: "sma-speedwire",
    layouts: ["energy-meter", "home-manager"],
    isEncryptable: false,
    format: format(9_600, "8N1"),
    medium: "datagrams",
    configuration: NOTHING_MORE,
    partOf: grid,
    load: async ({ layout }) => {
      const { speedwireSpeaker } = await import("./speedwire-telegram.ts");
      return {
        speaker: speedwireSpeaker({ device: layout === "home-manager" ? layout : "energy-meter" }),
      };
    },
  },
};
