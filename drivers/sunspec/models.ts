/** How a point is stored; names as in the SunSpec Device Information Model Specification 1.1, 4.2. */
export type PointType =
  | "int16"
  | "uint16"
  | "acc32"
  | "uint32"
  | "int32"
  | "uint64"
  | "sunssf"
  | "enum16"
  | "bitfield32"
  | "string";

/** One value of a model. */
export interface Point {
  readonly name: string;
  /** Registers after the model's ID and L. */
  readonly offset: number;
  readonly type: PointType;
  /** Registers that a string takes; the other types have their own width. */
  readonly length?: number;
  /** The point with the power of ten. */
  readonly scale?: string;
  readonly unit?: string;
}

/** A SunSpec model: one block of registers with a fixed meaning. */
export interface Model {
  readonly id: number;
  readonly title: string;
  /** Wires whose voltage and current the model must carry. */
  readonly phases: 0 | 1 | 2 | 3;
  readonly points: ReadonlyMap<string, Point>;
}

type Row = readonly [name: string, offset: number, type: PointType, scale?: string, unit?: string];

function table(rows: readonly Row[]): Map<string, Point> {
  const points = rows.map(([name, offset, type, scale, unit]): [string, Point] => [
    name,
    {
      name,
      offset,
      type,
      ...(scale === undefined ? {} : { scale }),
      ...(unit === undefined ? {} : { unit }),
    },
  ]);
  return new Map(points);
}

function text(name: string, offset: number, length: number): [string, Point] {
  return [name, { name, offset, type: "string", length }];
}

/*
 * Offsets, types, scale factors and units are those of the public model definitions, github.com/sunspec/models
 * json/model_N.json at 7abdf89 (Apache-2.0). Only points that become part of a reading are listed.
 */

const COMMON = new Map([text("Mn", 0, 16), text("Md", 16, 16), text("Vr", 40, 8), text("SN", 48, 16)]);

const INVERTER = table([
  ["AphA", 1, "uint16", "A_SF", "A"],
  ["AphB", 2, "uint16", "A_SF", "A"],
  ["AphC", 3, "uint16", "A_SF", "A"],
  ["A_SF", 4, "sunssf"],
  ["PhVphA", 8, "uint16", "V_SF", "V"],
  ["PhVphB", 9, "uint16", "V_SF", "V"],
  ["PhVphC", 10, "uint16", "V_SF", "V"],
  ["V_SF", 11, "sunssf"],
  ["W", 12, "int16", "W_SF", "W"],
  ["W_SF", 13, "sunssf"],
  ["Hz", 14, "uint16", "Hz_SF", "Hz"],
  ["Hz_SF", 15, "sunssf"],
  ["WH", 22, "acc32", "WH_SF", "Wh"],
  ["WH_SF", 24, "sunssf"],
  ["St", 36, "enum16"],
  ["StVnd", 37, "enum16"],
  ["Evt1", 38, "bitfield32"],
]);

const NAMEPLATE = table([
  ["DERTyp", 0, "enum16"],
  ["WRtg", 1, "uint16", "WRtg_SF", "W"],
  ["WRtg_SF", 2, "sunssf"],
]);

const METER = table([
  ["AphA", 1, "int16", "A_SF", "A"],
  ["AphB", 2, "int16", "A_SF", "A"],
  ["AphC", 3, "int16", "A_SF", "A"],
  ["A_SF", 4, "sunssf"],
  ["PhVphA", 6, "int16", "V_SF", "V"],
  ["PhVphB", 7, "int16", "V_SF", "V"],
  ["PhVphC", 8, "int16", "V_SF", "V"],
  ["V_SF", 13, "sunssf"],
  ["Hz", 14, "int16", "Hz_SF", "Hz"],
  ["Hz_SF", 15, "sunssf"],
  ["W", 16, "int16", "W_SF", "W"],
  ["W_SF", 20, "sunssf"],
  ["TotWhExp", 36, "acc32", "TotWh_SF", "Wh"],
  ["TotWhImp", 44, "acc32", "TotWh_SF", "Wh"],
  ["TotWh_SF", 52, "sunssf"],
]);

const STORAGE_CAPACITY = table([
  ["WHRtg", 0, "uint16", "WH_SF", "Wh"],
  ["WHAvail", 1, "uint16", "WH_SF", "Wh"],
  ["SoC", 2, "uint16", "Pct_SF", "%"],
  ["SoH", 3, "uint16", "Pct_SF", "%"],
  ["Sta", 4, "enum16"],
  ["WH_SF", 5, "sunssf"],
  ["Pct_SF", 6, "sunssf"],
]);

const BATTERY = table([
  ["WHRtg", 1, "uint16", "WHRtg_SF", "Wh"],
  ["WChaRteMax", 2, "uint16", "WChaDisChaMax_SF", "W"],
  ["WDisChaRteMax", 3, "uint16", "WChaDisChaMax_SF", "W"],
  ["SoCMax", 5, "uint16", "SoC_SF", "%"],
  ["SoCMin", 6, "uint16", "SoC_SF", "%"],
  ["SoCRsvMin", 8, "uint16", "SoC_SF", "%"],
  ["SoC", 9, "uint16", "SoC_SF", "%"],
  ["SoH", 11, "uint16", "SoH_SF", "%"],
  ["ChaSt", 14, "enum16"],
  ["LocRemCtl", 15, "enum16"],
  ["State", 20, "enum16"],
  ["V", 32, "uint16", "V_SF", "V"],
  ["AChaMax", 43, "uint16", "AMax_SF", "A"],
  ["ADisChaMax", 44, "uint16", "AMax_SF", "A"],
  ["W", 45, "int16", "W_SF", "W"],
  ["WHRtg_SF", 51, "sunssf"],
  ["WChaDisChaMax_SF", 52, "sunssf"],
  ["SoC_SF", 54, "sunssf"],
  ["SoH_SF", 56, "sunssf"],
  ["V_SF", 57, "sunssf"],
  ["AMax_SF", 60, "sunssf"],
  ["W_SF", 61, "sunssf"],
]);

export const COMMON_MODEL: Model = { id: 1, title: "common", phases: 0, points: COMMON };
export const NAMEPLATE_MODEL: Model = { id: 120, title: "nameplate", phases: 0, points: NAMEPLATE };
export const BATTERY_MODEL: Model = { id: 802, title: "battery base", phases: 0, points: BATTERY };
export const STORAGE_MODEL: Model = {
  id: 713,
  title: "DER storage capacity",
  phases: 0,
  points: STORAGE_CAPACITY,
};

export const INVERTER_MODELS: readonly Model[] = [
  { id: 101, title: "inverter, single phase", phases: 1, points: INVERTER },
  { id: 102, title: "inverter, split phase", phases: 2, points: INVERTER },
  { id: 103, title: "inverter, three phases", phases: 3, points: INVERTER },
];

export const METER_MODELS: readonly Model[] = [
  { id: 201, title: "meter, single phase", phases: 1, points: METER },
  { id: 202, title: "meter, split phase", phases: 2, points: METER },
  { id: 203, title: "meter, three phases, wye", phases: 3, points: METER },
];
