import { type Model, model, points } from "./models.ts";

/*
 * The suite of IEEE 1547-2018. Offsets, types, scale factors and units are those of github.com/sunspec/models
 * json/model_N.json at 7abdf8982d5364f8ae916deee18aac86c11be36d (Apache-2.0).
 */

/** Longer than a request; all that is listed lies within its first 121 registers. */
export const DER_AC_MODEL: Model = model(701, "DER AC measurement", [
  ["ACType", 0, "enum16"],
  ["St", 1, "enum16"],
  ["InvSt", 2, "enum16"],
  ["ConnSt", 3, "enum16"],
  ["W", 8, "int16", "W_SF", "W"],
  ["Hz", 15, "uint32", "Hz_SF", "Hz"],
  ["TotWhInj", 17, "uint64", "TotWh_SF", "Wh"],
  ["TotWhAbs", 21, "uint64", "TotWh_SF", "Wh"],
  ["WL1", 39, "int16", "W_SF", "W"],
  ["AL1", 43, "int16", "A_SF", "A"],
  ["VL1", 45, "uint16", "V_SF", "V"],
  ["WL2", 62, "int16", "W_SF", "W"],
  ["AL2", 66, "int16", "A_SF", "A"],
  ["VL2", 68, "uint16", "V_SF", "V"],
  ["WL3", 85, "int16", "W_SF", "W"],
  ["AL3", 89, "int16", "A_SF", "A"],
  ["VL3", 91, "uint16", "V_SF", "V"],
  ["A_SF", 111, "sunssf"],
  ["V_SF", 112, "sunssf"],
  ["Hz_SF", 113, "sunssf"],
  ["W_SF", 114, "sunssf"],
  ["TotWh_SF", 118, "sunssf"],
]);

export const DER_CAPACITY_MODEL: Model = model(702, "DER capacity", [
  ["WMaxRtg", 0, "uint16", "W_SF", "W"],
  ["WChaRteMaxRtg", 8, "uint16", "W_SF", "W"],
  ["WDisChaRteMaxRtg", 9, "uint16", "W_SF", "W"],
  ["WMax", 24, "uint16", "W_SF", "W"],
  ["WChaRteMax", 32, "uint16", "W_SF", "W"],
  ["WDisChaRteMax", 33, "uint16", "W_SF", "W"],
  ["W_SF", 43, "sunssf"],
]);

export const ENTER_SERVICE_MODEL: Model = model(703, "enter service", [
  ["ES", 0, "enum16"],
  ["ESDlyRemTms", 13, "uint32", undefined, "Secs"],
]);

export const DER_CONTROL_MODEL: Model = model(704, "DER AC controls", [
  ["WMaxLimPctEna", 12, "enum16"],
  ["WMaxLimPct", 13, "uint16", "WMaxLimPct_SF", "Pct"],
  ["WMaxLimPctRvrt", 14, "uint16", "WMaxLimPct_SF", "Pct"],
  ["WMaxLimPctEnaRvrt", 15, "enum16"],
  ["WMaxLimPctRvrtTms", 16, "uint32", undefined, "Secs"],
  ["WMaxLimPctRvrtRem", 18, "uint32", undefined, "Secs"],
  ["WSetEna", 20, "enum16"],
  ["WSetMod", 21, "enum16"],
  ["WSet", 22, "int32", "WSet_SF", "W"],
  ["WSetRvrt", 24, "int32", "WSet_SF", "W"],
  ["WSetPct", 26, "int16", "WSetPct_SF", "Pct"],
  ["WSetPctRvrt", 27, "int16", "WSetPct_SF", "Pct"],
  ["WSetEnaRvrt", 28, "enum16"],
  ["WSetRvrtTms", 29, "uint32", undefined, "Secs"],
  ["WSetRvrtRem", 31, "uint32", undefined, "Secs"],
  ["WRmp", 47, "uint16", undefined, "%Max/Sec"],
  ["WMaxLimPct_SF", 52, "sunssf"],
  ["WSet_SF", 53, "sunssf"],
  ["WSetPct_SF", 54, "sunssf"],
]);

export const STORAGE_MODEL: Model = model(713, "DER storage capacity", [
  ["WHRtg", 0, "uint16", "WH_SF", "WH"],
  ["WHAvail", 1, "uint16", "WH_SF", "WH"],
  ["SoC", 2, "uint16", "Pct_SF", "Pct"],
  ["Sta", 4, "enum16"],
  ["WH_SF", 5, "sunssf"],
  ["Pct_SF", 6, "sunssf"],
]);

export const DC_MODEL: Model = model(
  714,
  "DER DC measurement",
  [
    ["NPrt", 2, "uint16"],
    ["DCW_SF", 15, "sunssf"],
    ["DCWH_SF", 16, "sunssf"],
  ],
  {
    ...{ name: "Prt", offset: 18, size: 25, count: "NPrt" },
    points: points([
      ["PrtTyp", 0, "enum16"],
      ["IDStr", 2, "string", 8],
      ["DCW", 12, "int16", "DCW_SF", "W"],
      ["DCWhInj", 13, "uint64", "DCWH_SF", "Wh"],
      ["DCWhAbs", 17, "uint64", "DCWH_SF", "Wh"],
    ]),
  },
);
