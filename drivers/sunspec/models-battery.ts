import { type Model, model, points } from "./models.ts";

/*
 * Battery banks and their strings. Offsets, types, scale factors and units are those of github.com/sunspec/models
 * json/model_N.json at 7abdf8982d5364f8ae916deee18aac86c11be36d (Apache-2.0).
 */

export const BATTERY_MODEL: Model = model(802, "battery base", [
  ["WHRtg", 1, "uint16", "WHRtg_SF", "Wh"],
  ["WChaRteMax", 2, "uint16", "WChaDisChaMax_SF", "W"],
  ["WDisChaRteMax", 3, "uint16", "WChaDisChaMax_SF", "W"],
  ["SoCMax", 5, "uint16", "SoC_SF", "%WHRtg"],
  ["SoCMin", 6, "uint16", "SoC_SF", "%WHRtg"],
  ["SoCRsvMin", 8, "uint16", "SoC_SF", "%WHRtg"],
  ["SoC", 9, "uint16", "SoC_SF", "%WHRtg"],
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
  ["V_SF", 57, "sunssf"],
  ["AMax_SF", 60, "sunssf"],
  ["W_SF", 61, "sunssf"],
]);

export const BANK_MODEL: Model = model(
  803,
  "lithium-ion bank",
  [
    ["NStr", 0, "uint16"],
    ["NStrCon", 1, "uint16"],
    ["SoC_SF", 24, "sunssf"],
  ],
  {
    ...{ name: "string", offset: 26, size: 32, count: "NStr" },
    points: points([["StrSoC", 4, "uint16", "SoC_SF", "%"]]),
  },
);

/** Its modules are of no concern here. */
export const STRING_MODEL: Model = model(804, "lithium-ion string", [
  ["SoC", 6, "uint16", "SoC_SF", "%"],
  ["SoC_SF", 36, "sunssf"],
]);
