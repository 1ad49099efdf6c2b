import { type Model, model, type Points, points } from "./models.ts";

/*
 * Models of inverters and meters. Offsets, types, scale factors and units are those of the public model definitions,
 * github.com/sunspec/models json/model_N.json at 7abdf8982d5364f8ae916deee18aac86c11be36d (Apache-2.0). Only points that
 * become part of a reading, or decide about one, are listed.
 */

export const COMMON_MODEL: Model = model(1, "common", [
  ["Mn", 0, "string", 16],
  ["Md", 16, "string", 16],
  ["Vr", 40, "string", 8],
  ["SN", 48, "string", 16],
]);

const INVERTER: Points = points([
  ["A", 0, "uint16", "A_SF", "A"],
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
]);

const INVERTER_FLOAT: Points = points([
  ["A", 0, "float32", undefined, "A"],
  ["AphA", 2, "float32", undefined, "A"],
  ["AphB", 4, "float32", undefined, "A"],
  ["AphC", 6, "float32", undefined, "A"],
  ["PhVphA", 14, "float32", undefined, "V"],
  ["PhVphB", 16, "float32", undefined, "V"],
  ["PhVphC", 18, "float32", undefined, "V"],
  ["W", 20, "float32", undefined, "W"],
  ["Hz", 22, "float32", undefined, "Hz"],
  ["WH", 30, "float32", undefined, "Wh"],
  ["St", 46, "enum16"],
]);

const METER: Points = points([
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
  ["WphA", 17, "int16", "W_SF", "W"],
  ["WphB", 18, "int16", "W_SF", "W"],
  ["WphC", 19, "int16", "W_SF", "W"],
  ["W_SF", 20, "sunssf"],
  ["TotWhExp", 36, "acc32", "TotWh_SF", "Wh"],
  ["TotWhImp", 44, "acc32", "TotWh_SF", "Wh"],
  ["TotWh_SF", 52, "sunssf"],
]);

const METER_FLOAT: Points = points([
  ["AphA", 2, "float32", undefined, "A"],
  ["AphB", 4, "float32", undefined, "A"],
  ["AphC", 6, "float32", undefined, "A"],
  ["PhVphA", 10, "float32", undefined, "V"],
  ["PhVphB", 12, "float32", undefined, "V"],
  ["PhVphC", 14, "float32", undefined, "V"],
  ["Hz", 24, "float32", undefined, "Hz"],
  ["W", 26, "float32", undefined, "W"],
  ["WphA", 28, "float32", undefined, "W"],
  ["WphB", 30, "float32", undefined, "W"],
  ["WphC", 32, "float32", undefined, "W"],
  ["TotWhExp", 58, "float32", undefined, "Wh"],
  ["TotWhImp", 66, "float32", undefined, "Wh"],
]);

const PHASES: readonly (readonly [wires: string, phases: 1 | 2 | 3])[] = [
  ["single phase", 1],
  ["split phase", 2],
  ["three phases", 3],
];

function family(first: number, title: string, table: Points): readonly Model[] {
  return PHASES.map(([wires, phases], at) => ({
    ...{ id: first + at, title: `${title}, ${wires}`, points: table, phases },
  }));
}

function delta(id: number, title: string, table: Points): Model {
  return { id, title: `${title}, three phases, delta`, points: table, phases: 3 };
}

/** Models of inverters whose numbers are integers with a scale factor. */
export const INVERTER_MODELS: readonly Model[] = family(101, "inverter", INVERTER);
export const INVERTER_FLOAT_MODELS: readonly Model[] = family(111, "inverter, float", INVERTER_FLOAT);

/** Models of meters whose numbers are integers with a scale factor. */
export const METER_MODELS: readonly Model[] = [...family(201, "meter", METER), delta(204, "meter", METER)];
export const METER_FLOAT_MODELS: readonly Model[] = [
  ...family(211, "meter, float", METER_FLOAT),
  delta(214, "meter, float", METER_FLOAT),
];

/** Meters without a neutral: there are no voltages to it. */
export const DELTA_METERS: ReadonlySet<number> = new Set([204, 214]);
