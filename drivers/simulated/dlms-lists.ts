import {
  array,
  dateTime,
  integer8,
  joined,
  obis,
  octets,
  octetText,
  type ShownClock,
  scalerUnit,
  structure,
  unsigned16,
  unsigned32,
  visibleText,
} from "./dlms-axdr.ts";
import type { ShownByMeter } from "./speaking.ts";

/** How the lists of a simulated meter look. */
export type DlmsLayout = "kaifa" | "kamstrup" | "aidon" | "landis-gyr" | "iskra" | "sagemcom";

const [WATT, WH, AMPERE, VOLT] = [27, 30, 33, 35];

/** What is common to all lists, in the units and steps of a display. */
interface Display {
  readonly importW: number;
  readonly exportW: number;
  readonly importWh: number;
  readonly exportWh: number;
  readonly voltageMv: readonly number[];
  readonly currentMa: readonly number[];
}

/** What a list is made of. */
interface Shown {
  readonly serial: string;
  readonly display: Display;
  /** The meter's clock as a COSEM date-time. */
  readonly time: Uint8Array;
  /** Norwegian meters list them once an hour. */
  readonly hasRegisters: boolean;
}

type ListName = DlmsLayout | "austrian";

interface ListForm {
  readonly clock: ShownClock;
  /** What stands before the date-time of the notification; Kaifa tags it. */
  readonly timeHead: Uint8Array;
  list(shown: Shown): Uint8Array;
}

const UNTAGGED = Uint8Array.of(0x0c);
const FORMS: Readonly<Record<ListName, ListForm>> = {
  kaifa: { clock: "standard", timeHead: Uint8Array.of(0x09, 0x0c), list: kaifaList },
  kamstrup: { clock: "standard", timeHead: UNTAGGED, list: kamstrupList },
  aidon: { clock: "standard", timeHead: UNTAGGED, list: aidonList },
  "landis-gyr": { clock: "standard", timeHead: UNTAGGED, list: landisGyrList },
  iskra: { clock: "stated", timeHead: UNTAGGED, list: iskraList },
  sagemcom: { clock: "stated", timeHead: UNTAGGED, list: austrianList },
  austrian: { clock: "stated", timeHead: UNTAGGED, list: austrianList },
};

/** A list as its meter pushes it: a data-notification (IEC 62056-5-3). Aidon's has no date-time before it. */
export function notification(shown: ShownByMeter, name: ListName, hasRegisters: boolean): Uint8Array {
  const { clock, timeHead, list } = FORMS[name];
  const time = dateTime(shown.timeMs, clock);
  const before = name === "aidon" ? Uint8Array.of(0x00) : joined(timeHead, time);
  const body = list({ serial: shown.serial, display: displayOf(shown), time, hasRegisters });
  return joined(Uint8Array.of(0x0f, 0x40, 0, 0, 0), before, body);
}

function displayOf(shown: ShownByMeter): Display {
  const { importT1Mwh, importT2Mwh, exportT1Mwh, exportT2Mwh, activePowerMw, voltageMv, currentMa } = shown;
  const watt = Math.trunc(activePowerMw / 1_000);
  return {
    importW: Math.max(watt, 0),
    exportW: Math.max(-watt, 0),
    importWh: Math.trunc((importT1Mwh + importT2Mwh) / 1_000),
    exportWh: Math.trunc((exportT1Mwh + exportT2Mwh) / 1_000),
    ...{ voltageMv, currentMa },
  };
}

/** Norway: by place; currents in mA, voltages in tenths of a volt. One phase or three. */
function kaifaList({ serial, display, time, hasRegisters }: Shown): Uint8Array {
  const powers = [display.importW, display.exportW, 0, 0];
  const voltages = display.voltageMv.map((value) => Math.trunc(value / 100));
  const registers = [display.importWh, display.exportWh, 0, 0];
  return structure(
    ...[octetText("KFM_001"), octetText(`6970631${serial.padStart(9, "0")}`), octetText("MA304H3E")],
    ...[...powers, ...display.currentMa, ...voltages].map(unsigned32),
    ...(hasRegisters ? [octets(time), ...registers.map(unsigned32)] : []),
  );
}

/** Norway and Denmark: pairs without units; hundredths of an ampere, volts, tens of Wh. */
function kamstrupList({ serial, display, time, hasRegisters }: Shown): Uint8Array {
  const pair = (quantity: string, value: Uint8Array): Uint8Array[] => [obis(quantity, [1, 1]), value];
  return structure(
    visibleText("Kamstrup_V0001"),
    ...pair("0.0.5", visibleText(`5706567${serial.padStart(9, "0")}`)),
    ...pair("96.1.1", visibleText("6841131BN243101040")),
    ...pair("1.7.0", unsigned32(display.importW)),
    ...pair("2.7.0", unsigned32(display.exportW)),
    ...display.currentMa.flatMap((value, phase) =>
      pair(`${31 + 20 * phase}.7.0`, unsigned32(Math.trunc(value / 10))),
    ),
    ...display.voltageMv.flatMap((value, phase) =>
      pair(`${32 + 20 * phase}.7.0`, unsigned16(Math.trunc(value / 1_000))),
    ),
    ...(hasRegisters
      ? [
          ...[obis("1.0.0", [0, 1]), octets(time)],
          ...pair("1.8.0", unsigned32(Math.trunc(display.importWh / 10))),
          ...pair("2.8.0", unsigned32(Math.trunc(display.exportWh / 10))),
        ]
      : []),
  );
}

/** Norway: entries with scaler and unit, tens of Wh. */
function aidonList({ serial, display, time, hasRegisters }: Shown): Uint8Array {
  return array(
    structure(obis("0.2.129", [1, 1]), visibleText("AIDON_V0001")),
    structure(obis("96.1.0", [0, 0]), visibleText(`7359992${serial.padStart(9, "0")}`)),
    structure(obis("96.1.7", [0, 0]), visibleText("6534")),
    ...powerEntries(display),
    ...phaseEntries(display, { currentScaler: -1 }),
    ...(hasRegisters
      ? [
          structure(obis("1.0.0", [0, 0]), octets(time)),
          structure(obis("1.8.0"), unsigned32(Math.trunc(display.importWh / 10)), scalerUnit(1, WH)),
          structure(obis("2.8.0"), unsigned32(Math.trunc(display.exportWh / 10)), scalerUnit(1, WH)),
        ]
      : []),
  );
}

/** Iskra's AM550 with codes, as in the capture of esphome-libs/dlms_parser, tests/dumps/hdlc_iskra550.log. */
function iskraList({ serial, display }: Shown): Uint8Array {
  return array(
    structure(obis("96.1.0", [0, 0]), octetText(serial.padStart(8, "0"))),
    structure(obis("42.0.0", [0, 0]), octetText(`ISK10307${serial.padStart(8, "0").slice(-8)}`)),
    ...powerEntries(display),
    ...phaseEntries(display, { currentScaler: -2 }),
    structure(obis("1.8.0"), unsigned32(display.importWh), scalerUnit(0, WH)),
    structure(obis("2.8.0"), unsigned32(display.exportWh), scalerUnit(0, WH)),
  );
}

function powerEntries({ importW, exportW }: Display): Uint8Array[] {
  return [
    structure(obis("1.7.0"), unsigned32(importW), scalerUnit(0, WATT)),
    structure(obis("2.7.0"), unsigned32(exportW), scalerUnit(0, WATT)),
  ];
}

function phaseEntries(display: Display, { currentScaler }: { readonly currentScaler: number }): Uint8Array[] {
  return phaseTriples(display, currentScaler).map((triple) => structure(...triple));
}

/** Code, value, scaler and unit of each current and voltage. */
function phaseTriples({ voltageMv, currentMa }: Display, currentScaler: number): Uint8Array[][] {
  const step = 10 ** (3 + currentScaler);
  return [
    ...currentMa.map((value, phase) => [
      ...[obis(`${31 + 20 * phase}.7.0`), unsigned16(Math.trunc(value / step))],
      scalerUnit(currentScaler, AMPERE),
    ]),
    ...voltageMv.map((value, phase) => [
      ...[obis(`${32 + 20 * phase}.7.0`), unsigned16(Math.trunc(value / 100))],
      scalerUnit(-1, VOLT),
    ]),
  ];
}

/** Austria (Kaifa, Sagemcom): flat triples between the clock and the meter's number. */
function austrianList({ serial, display, time }: Shown): Uint8Array {
  const triple = (quantity: string, value: number, unit: number): Uint8Array[] => [
    ...[obis(quantity), unsigned32(value), scalerUnit(0, unit)],
  ];
  return structure(
    octets(time),
    ...triple("1.8.0", display.importWh, WH),
    ...triple("2.8.0", display.exportWh, WH),
    ...triple("1.7.0", display.importW, WATT),
    ...triple("2.7.0", display.exportW, WATT),
    ...phaseTriples(display, -2).flat(),
    octetText(serial.padStart(12, "0")),
  );
}

/** Switzerland: the objects first, their values behind them, no units. */
function landisGyrList({ serial, display }: Shown): Uint8Array {
  const setup = Uint8Array.of(0, 8, 25, 9, 0, 255);
  const values: (readonly [Uint8Array, number, Uint8Array])[] = [
    [obis("96.1.0", [0, 0]), 1, octetText(serial.padStart(8, "0"))],
    [obis("1.7.0"), 3, unsigned32(display.importW)],
    [obis("2.7.0"), 3, unsigned32(display.exportW)],
    [obis("1.8.0", [1, 1]), 3, unsigned32(display.importWh)],
    [obis("2.8.0", [1, 1]), 3, unsigned32(display.exportWh)],
  ];
  const described = values.map(([code, classId]) => objectOf(code, classId, 2));
  return structure(
    array(objectOf(octets(setup), 40, 2), objectOf(octets(setup), 40, 1), ...described),
    octets(setup),
    ...values.map(([, , value]) => value),
  );
}

function objectOf(code: Uint8Array, classId: number, attribute: number): Uint8Array {
  return structure(unsigned16(classId), code, integer8(attribute), unsigned16(0));
}
