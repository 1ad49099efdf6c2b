import { type Model, model, points } from "./models.ts";

/*
 * Models 120-124 and 160, which stand beside an inverter. Offsets, types, scale factors and units are those of
 * github.com/sunspec/models json/model_N.json at 7abdf8982d5364f8ae916deee18aac86c11be36d (Apache-2.0).
 */

export const NAMEPLATE_MODEL: Model = model(120, "nameplate", [
  ["DERTyp", 0, "enum16"],
  ["WRtg", 1, "uint16", "WRtg_SF", "W"],
  ["WRtg_SF", 2, "sunssf"],
  ["WHRtg", 17, "uint16", "WHRtg_SF", "Wh"],
  ["WHRtg_SF", 18, "sunssf"],
  ["MaxChaRte", 21, "uint16", "MaxChaRte_SF", "W"],
  ["MaxChaRte_SF", 22, "sunssf"],
  ["MaxDisChaRte", 23, "uint16", "MaxDisChaRte_SF", "W"],
  ["MaxDisChaRte_SF", 24, "sunssf"],
]);

export const SETTINGS_MODEL: Model = model(121, "basic settings", [
  ["WMax", 0, "uint16", "WMax_SF", "W"],
  ["WMax_SF", 20, "sunssf"],
]);

export const STATUS_MODEL: Model = model(122, "measurements and status", [["ECPConn", 2, "bitfield16"]]);

export const IMMEDIATE_MODEL: Model = model(123, "immediate controls", [
  ["Conn_RvrtTms", 1, "uint16", undefined, "Secs"],
  ["Conn", 2, "enum16"],
  ["WMaxLimPct", 3, "uint16", "WMaxLimPct_SF", "% WMax"],
  ["WMaxLimPct_WinTms", 4, "uint16", undefined, "Secs"],
  ["WMaxLimPct_RvrtTms", 5, "uint16", undefined, "Secs"],
  ["WMaxLimPct_RmpTms", 6, "uint16", undefined, "Secs"],
  ["WMaxLim_Ena", 7, "enum16"],
  ["WMaxLimPct_SF", 21, "sunssf"],
]);

export const STORAGE_CONTROL_MODEL: Model = model(124, "storage", [
  ["WChaMax", 0, "uint16", "WChaMax_SF", "W"],
  ["WChaGra", 1, "uint16", "WChaDisChaGra_SF", "% WChaMax/sec"],
  ["StorCtl_Mod", 3, "bitfield16"],
  ["MinRsvPct", 5, "uint16", "MinRsvPct_SF", "% WChaMax"],
  ["ChaState", 6, "uint16", "ChaState_SF", "% AhrRtg"],
  ["ChaSt", 9, "enum16"],
  ["OutWRte", 10, "int16", "InOutWRte_SF", "% WDisChaMax"],
  ["InWRte", 11, "int16", "InOutWRte_SF", "% WChaMax"],
  ["InOutWRte_WinTms", 12, "uint16", undefined, "Secs"],
  ["InOutWRte_RvrtTms", 13, "uint16", undefined, "Secs"],
  ["InOutWRte_RmpTms", 14, "uint16", undefined, "Secs"],
  ["ChaGriSet", 15, "enum16"],
  ["WChaMax_SF", 16, "sunssf"],
  ["WChaDisChaGra_SF", 17, "sunssf"],
  ["MinRsvPct_SF", 19, "sunssf"],
  ["ChaState_SF", 20, "sunssf"],
  ["InOutWRte_SF", 23, "sunssf"],
]);

/** The definition leaves the number of modules to L; N says it, too. */
export const MPPT_MODEL: Model = model(
  160,
  "multiple MPPT",
  [
    ["DCW_SF", 2, "sunssf"],
    ["DCWH_SF", 3, "sunssf"],
    ["N", 6, "count"],
  ],
  {
    ...{ name: "module", offset: 8, size: 20, count: "N" },
    points: points([
      ["IDStr", 1, "string", 8],
      ["DCW", 11, "uint16", "DCW_SF", "W"],
      ["DCWH", 12, "acc32", "DCWH_SF", "Wh"],
    ]),
  },
);
