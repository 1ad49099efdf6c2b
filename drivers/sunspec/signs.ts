/** Which way positive W of a meter flows, as seen from the metered boundary. */
export type MeterPowerSign = "import-positive" | "export-positive";
/** Which way positive W of model 802 flows. */
export type BatteryPowerSign = "discharge-positive" | "charge-positive";

/** A sign convention and where it is known from; without a source it is a guess. */
export interface MeterSign {
  readonly sign: MeterPowerSign;
  readonly source?: string;
}

/** What is known of the devices of one maker, by the beginning of Mn of model 1 in lower case. */
interface Make {
  readonly name: string;
  readonly meter?: MeterSign;
  /** TotWhExp counts down from 0 as a signed number. */
  readonly negativeExport?: true;
  /** Model 123 takes commands and does not say what it does. */
  readonly writeOnlyControls?: true;
  /** A capture shows that W of the inverter is positive while it generates. */
  readonly inverterCapture?: string;
}

const EVCC = "github.com/evcc-io/evcc templates/definition/meter at b29b49e";

/*
 * The meter models (github.com/sunspec/models json/model_201.json ff. at 7abdf89) say which register is imported and
 * which is exported, but nothing about the sign of W, and makers differ. evcc's grid power is positive for import.
 * Nothing was found about meters of SMA and Fimer behind SunSpec.
 */
const MAKES: readonly Make[] = [
  {
    name: "solaredge",
    meter: { sign: "export-positive", source: `${EVCC}: solaredge-hybrid takes 203:W times -1` },
  },
  {
    name: "fronius",
    meter: { sign: "import-positive", source: `${EVCC}: fronius-gen24 takes 203:W, 213:W as they are` },
  },
  {
    name: "kostal",
    meter: { sign: "import-positive", source: `${EVCC}: kostal-ksem takes 203:W, 213:W as they are` },
    // Registers of a PLENTICORE in github.com/evcc-io/evcc issue 18358 (TotWhExp 0xFFB6D9FD beside TotWhImp
    // 0x002E108F); the same in github.com/volkszaehler/mbmd pull request 97 and github.com/CJNE/ha-sunspec issue 249.
    negativeExport: true,
  },
  {
    name: "keba",
    meter: { sign: "import-positive", source: `${EVCC}: keba-kecontact takes 203:W, 213:W as they are` },
  },
  {
    name: "sma",
    // github.com/sunspec/pysunspec issue 26; the dump below has WMaxLimPct 0, enabled, and Conn 0, at full power.
    writeOnlyControls: true,
    inverterCapture:
      "registers of a Sunny Boy 3.6 in github.com/nielsbasjes/modbus-schema at 68d672d: W positive, St MPPT",
  },
];

function makeOf(make: string): Make | undefined {
  return MAKES.find(({ name }) => make.toLowerCase().startsWith(name));
}

/** The sign of W of a meter of this make; what the configuration says goes first. */
export function meterSign(configured: MeterPowerSign | undefined, make: string): MeterSign {
  if (configured !== undefined) return { sign: configured, source: "configuration: meterPowerSign" };
  return makeOf(make)?.meter ?? { sign: "import-positive" };
}

/** Whether meters of this make count exported energy downward from 0. */
export function countsExportDown(make: string): boolean {
  return makeOf(make)?.negativeExport === true;
}

/** Whether model 123 of this make can be believed. */
export function controlsAreReadable(make: string): boolean {
  return makeOf(make)?.writeOnlyControls !== true;
}

/** Where the sign of an inverter's W is known from, and whether a capture of the make shows it. */
export function inverterSign(make: string): { readonly signSource: string; readonly signVerified?: true } {
  const definition =
    "SunSpec inverter models: W is output power; model 701 of the same suite says positive for generation";
  const capture = makeOf(make)?.inverterCapture;
  return capture === undefined
    ? { signSource: definition }
    : { signSource: `${definition}; ${capture}`, signVerified: true };
}
