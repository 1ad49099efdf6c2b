/*
 * Every point of the models that simulated devices have, in its order, as `name:type` or `name:type@scale factor`. Facts of
 * github.com/sunspec/models json/model_N.json at 7abdf8982d5364f8ae916deee18aac86c11be36d (Apache-2.0), written down
 * a second time on purpose and without an offset: the simulated devices share nothing with the driver, so that a slip in
 * either shows.
 */

/** The points of a model, and of one set of its repeating group. */
export interface SimulatedTable {
  readonly points: string;
  readonly sets?: string;
}

const INVERTER = `
A:u16@A_SF AphA:u16@A_SF AphB:u16@A_SF AphC:u16@A_SF A_SF:sf PPVphAB:u16@V_SF PPVphBC:u16@V_SF
PPVphCA:u16@V_SF PhVphA:u16@V_SF PhVphB:u16@V_SF PhVphC:u16@V_SF V_SF:sf W:i16@W_SF W_SF:sf
Hz:u16@Hz_SF Hz_SF:sf VA:i16@VA_SF VA_SF:sf VAr:i16@VAr_SF VAr_SF:sf PF:i16@PF_SF PF_SF:sf
WH:a32@WH_SF WH_SF:sf DCA:u16@DCA_SF DCA_SF:sf DCV:u16@DCV_SF DCV_SF:sf DCW:i16@DCW_SF DCW_SF:sf
TmpCab:i16@Tmp_SF TmpSnk:i16@Tmp_SF TmpTrns:i16@Tmp_SF TmpOt:i16@Tmp_SF Tmp_SF:sf St:e16 StVnd:e16
Evt1:b32 Evt2:b32 EvtVnd1:b32 EvtVnd2:b32 EvtVnd3:b32 EvtVnd4:b32
`;

const INVERTER_FLOAT = `
A:f32 AphA:f32 AphB:f32 AphC:f32 PPVphAB:f32 PPVphBC:f32 PPVphCA:f32 PhVphA:f32 PhVphB:f32
PhVphC:f32 W:f32 Hz:f32 VA:f32 VAr:f32 PF:f32 WH:f32 DCA:f32 DCV:f32 DCW:f32 TmpCab:f32 TmpSnk:f32
TmpTrns:f32 TmpOt:f32 St:e16 StVnd:e16 Evt1:b32 Evt2:b32 EvtVnd1:b32 EvtVnd2:b32 EvtVnd3:b32
EvtVnd4:b32
`;

const METER = `
A:i16@A_SF AphA:i16@A_SF AphB:i16@A_SF AphC:i16@A_SF A_SF:sf PhV:i16@V_SF PhVphA:i16@V_SF
PhVphB:i16@V_SF PhVphC:i16@V_SF PPV:i16@V_SF PhVphAB:i16@V_SF PhVphBC:i16@V_SF PhVphCA:i16@V_SF
V_SF:sf Hz:i16@Hz_SF Hz_SF:sf W:i16@W_SF WphA:i16@W_SF WphB:i16@W_SF WphC:i16@W_SF W_SF:sf
VA:i16@VA_SF VAphA:i16@VA_SF VAphB:i16@VA_SF VAphC:i16@VA_SF VA_SF:sf VAR:i16@VAR_SF
VARphA:i16@VAR_SF VARphB:i16@VAR_SF VARphC:i16@VAR_SF VAR_SF:sf PF:i16@PF_SF PFphA:i16@PF_SF
PFphB:i16@PF_SF PFphC:i16@PF_SF PF_SF:sf TotWhExp:a32@TotWh_SF TotWhExpPhA:a32@TotWh_SF
TotWhExpPhB:a32@TotWh_SF TotWhExpPhC:a32@TotWh_SF TotWhImp:a32@TotWh_SF TotWhImpPhA:a32@TotWh_SF
TotWhImpPhB:a32@TotWh_SF TotWhImpPhC:a32@TotWh_SF TotWh_SF:sf TotVAhExp:a32@TotVAh_SF
TotVAhExpPhA:a32@TotVAh_SF TotVAhExpPhB:a32@TotVAh_SF TotVAhExpPhC:a32@TotVAh_SF
TotVAhImp:a32@TotVAh_SF TotVAhImpPhA:a32@TotVAh_SF TotVAhImpPhB:a32@TotVAh_SF
TotVAhImpPhC:a32@TotVAh_SF TotVAh_SF:sf TotVArhImpQ1:a32@TotVArh_SF TotVArhImpQ1PhA:a32@TotVArh_SF
TotVArhImpQ1PhB:a32@TotVArh_SF TotVArhImpQ1PhC:a32@TotVArh_SF TotVArhImpQ2:a32@TotVArh_SF
TotVArhImpQ2PhA:a32@TotVArh_SF TotVArhImpQ2PhB:a32@TotVArh_SF TotVArhImpQ2PhC:a32@TotVArh_SF
TotVArhExpQ3:a32@TotVArh_SF TotVArhExpQ3PhA:a32@TotVArh_SF TotVArhExpQ3PhB:a32@TotVArh_SF
TotVArhExpQ3PhC:a32@TotVArh_SF TotVArhExpQ4:a32@TotVArh_SF TotVArhExpQ4PhA:a32@TotVArh_SF
TotVArhExpQ4PhB:a32@TotVArh_SF TotVArhExpQ4PhC:a32@TotVArh_SF TotVArh_SF:sf Evt:b32
`;

const METER_FLOAT = `
A:f32 AphA:f32 AphB:f32 AphC:f32 PhV:f32 PhVphA:f32 PhVphB:f32 PhVphC:f32 PPV:f32 PPVphAB:f32
PPVphBC:f32 PPVphCA:f32 Hz:f32 W:f32 WphA:f32 WphB:f32 WphC:f32 VA:f32 VAphA:f32 VAphB:f32 VAphC:f32
VAR:f32 VARphA:f32 VARphB:f32 VARphC:f32 PF:f32 PFphA:f32 PFphB:f32 PFphC:f32 TotWhExp:f32
TotWhExpPhA:f32 TotWhExpPhB:f32 TotWhExpPhC:f32 TotWhImp:f32 TotWhImpPhA:f32 TotWhImpPhB:f32
TotWhImpPhC:f32 TotVAhExp:f32 TotVAhExpPhA:f32 TotVAhExpPhB:f32 TotVAhExpPhC:f32 TotVAhImp:f32
TotVAhImpPhA:f32 TotVAhImpPhB:f32 TotVAhImpPhC:f32 TotVArhImpQ1:f32 TotVArhImpQ1phA:f32
TotVArhImpQ1phB:f32 TotVArhImpQ1phC:f32 TotVArhImpQ2:f32 TotVArhImpQ2phA:f32 TotVArhImpQ2phB:f32
TotVArhImpQ2phC:f32 TotVArhExpQ3:f32 TotVArhExpQ3phA:f32 TotVArhExpQ3phB:f32 TotVArhExpQ3phC:f32
TotVArhExpQ4:f32 TotVArhExpQ4phA:f32 TotVArhExpQ4phB:f32 TotVArhExpQ4phC:f32 Evt:b32
`;

/** By the number of the model. */
export const SIMULATED_TABLES: ReadonlyMap<number, SimulatedTable> = new Map<number, SimulatedTable>([
  [
    1,
    {
      points: `
Mn:str16 Md:str16 Opt:str8 Vr:str8 SN:str16 DA:u16 Pad:pad
`,
    },
  ],
  [101, { points: INVERTER }],
  [102, { points: INVERTER }],
  [103, { points: INVERTER }],
  [111, { points: INVERTER_FLOAT }],
  [112, { points: INVERTER_FLOAT }],
  [113, { points: INVERTER_FLOAT }],
  [201, { points: METER }],
  [202, { points: METER }],
  [203, { points: METER }],
  [204, { points: METER }],
  [211, { points: METER_FLOAT }],
  [212, { points: METER_FLOAT }],
  [213, { points: METER_FLOAT }],
  [214, { points: METER_FLOAT }],
  [
    120,
    {
      points: `
DERTyp:e16 WRtg:u16@WRtg_SF WRtg_SF:sf VARtg:u16@VARtg_SF VARtg_SF:sf VArRtgQ1:i16@VArRtg_SF
VArRtgQ2:i16@VArRtg_SF VArRtgQ3:i16@VArRtg_SF VArRtgQ4:i16@VArRtg_SF VArRtg_SF:sf ARtg:u16@ARtg_SF
ARtg_SF:sf PFRtgQ1:i16@PFRtg_SF PFRtgQ2:i16@PFRtg_SF PFRtgQ3:i16@PFRtg_SF PFRtgQ4:i16@PFRtg_SF
PFRtg_SF:sf WHRtg:u16@WHRtg_SF WHRtg_SF:sf AhrRtg:u16@AhrRtg_SF AhrRtg_SF:sf
MaxChaRte:u16@MaxChaRte_SF MaxChaRte_SF:sf MaxDisChaRte:u16@MaxDisChaRte_SF MaxDisChaRte_SF:sf
Pad:pad
`,
    },
  ],
  [
    121,
    {
      points: `
WMax:u16@WMax_SF VRef:u16@VRef_SF VRefOfs:i16@VRefOfs_SF VMax:u16@VMinMax_SF VMin:u16@VMinMax_SF
VAMax:u16@VAMax_SF VArMaxQ1:i16@VArMax_SF VArMaxQ2:i16@VArMax_SF VArMaxQ3:i16@VArMax_SF
VArMaxQ4:i16@VArMax_SF WGra:u16@WGra_SF PFMinQ1:i16@PFMin_SF PFMinQ2:i16@PFMin_SF
PFMinQ3:i16@PFMin_SF PFMinQ4:i16@PFMin_SF VArAct:e16 ClcTotVA:e16 MaxRmpRte:u16@MaxRmpRte_SF
ECPNomHz:u16@ECPNomHz_SF ConnPh:e16 WMax_SF:sf VRef_SF:sf VRefOfs_SF:sf VMinMax_SF:sf VAMax_SF:sf
VArMax_SF:sf WGra_SF:sf PFMin_SF:sf MaxRmpRte_SF:sf ECPNomHz_SF:sf
`,
    },
  ],
  [
    122,
    {
      points: `
PVConn:b16 StorConn:b16 ECPConn:b16 ActWh:a64 ActVAh:a64 ActVArhQ1:a64 ActVArhQ2:a64 ActVArhQ3:a64
ActVArhQ4:a64 VArAval:i16@VArAval_SF VArAval_SF:sf WAval:u16@WAval_SF WAval_SF:sf StSetLimMsk:b32
StActCtl:b32 TmSrc:str4 Tms:u32 RtSt:b16 Ris:u16@Ris_SF Ris_SF:sf
`,
    },
  ],
  [
    123,
    {
      points: `
Conn_WinTms:u16 Conn_RvrtTms:u16 Conn:e16 WMaxLimPct:u16@WMaxLimPct_SF WMaxLimPct_WinTms:u16
WMaxLimPct_RvrtTms:u16 WMaxLimPct_RmpTms:u16 WMaxLim_Ena:e16 OutPFSet:i16@OutPFSet_SF
OutPFSet_WinTms:u16 OutPFSet_RvrtTms:u16 OutPFSet_RmpTms:u16 OutPFSet_Ena:e16
VArWMaxPct:i16@VArPct_SF VArMaxPct:i16@VArPct_SF VArAvalPct:i16@VArPct_SF VArPct_WinTms:u16
VArPct_RvrtTms:u16 VArPct_RmpTms:u16 VArPct_Mod:e16 VArPct_Ena:e16 WMaxLimPct_SF:sf OutPFSet_SF:sf
VArPct_SF:sf
`,
    },
  ],
  [
    124,
    {
      points: `
WChaMax:u16@WChaMax_SF WChaGra:u16@WChaDisChaGra_SF WDisChaGra:u16@WChaDisChaGra_SF StorCtl_Mod:b16
VAChaMax:u16@VAChaMax_SF MinRsvPct:u16@MinRsvPct_SF ChaState:u16@ChaState_SF
StorAval:u16@StorAval_SF InBatV:u16@InBatV_SF ChaSt:e16 OutWRte:i16@InOutWRte_SF
InWRte:i16@InOutWRte_SF InOutWRte_WinTms:u16 InOutWRte_RvrtTms:u16 InOutWRte_RmpTms:u16
ChaGriSet:e16 WChaMax_SF:sf WChaDisChaGra_SF:sf VAChaMax_SF:sf MinRsvPct_SF:sf ChaState_SF:sf
StorAval_SF:sf InBatV_SF:sf InOutWRte_SF:sf
`,
    },
  ],
  [
    160,
    {
      points: `
DCA_SF:sf DCV_SF:sf DCW_SF:sf DCWH_SF:sf Evt:b32 N:cnt TmsPer:u16
`,
      sets: `
ID:u16 IDStr:str8 DCA:u16@DCA_SF DCV:u16@DCV_SF DCW:u16@DCW_SF DCWH:a32@DCWH_SF Tms:u32 Tmp:i16
DCSt:e16 DCEvt:b32
`,
    },
  ],
  [
    701,
    {
      points: `
ACType:e16 St:e16 InvSt:e16 ConnSt:e16 Alrm:b32 DERMode:b32 W:i16@W_SF VA:i16@VA_SF Var:i16@Var_SF
PF:i16@PF_SF A:i16@A_SF LLV:u16@V_SF LNV:u16@V_SF Hz:u32@Hz_SF TotWhInj:u64@TotWh_SF
TotWhAbs:u64@TotWh_SF TotVarhInj:u64@TotVarh_SF TotVarhAbs:u64@TotVarh_SF TmpAmb:i16@Tmp_SF
TmpCab:i16@Tmp_SF TmpSnk:i16@Tmp_SF TmpTrns:i16@Tmp_SF TmpSw:i16@Tmp_SF TmpOt:i16@Tmp_SF
WL1:i16@W_SF VAL1:i16@VA_SF VarL1:i16@Var_SF PFL1:i16@PF_SF AL1:i16@A_SF VL1L2:u16@V_SF VL1:u16@V_SF
TotWhInjL1:u64@TotWh_SF TotWhAbsL1:u64@TotWh_SF TotVarhInjL1:u64@TotVarh_SF
TotVarhAbsL1:u64@TotVarh_SF WL2:i16@W_SF VAL2:i16@VA_SF VarL2:i16@Var_SF PFL2:i16@PF_SF AL2:i16@A_SF
VL2L3:u16@V_SF VL2:u16@V_SF TotWhInjL2:u64@TotWh_SF TotWhAbsL2:u64@TotWh_SF
TotVarhInjL2:u64@TotVarh_SF TotVarhAbsL2:u64@TotVarh_SF WL3:i16@W_SF VAL3:i16@VA_SF VarL3:i16@Var_SF
PFL3:i16@PF_SF AL3:i16@A_SF VL3L1:u16@V_SF VL3:u16@V_SF TotWhInjL3:u64@TotWh_SF
TotWhAbsL3:u64@TotWh_SF TotVarhInjL3:u64@TotVarh_SF TotVarhAbsL3:u64@TotVarh_SF ThrotPct:u16
ThrotSrc:b32 A_SF:sf V_SF:sf Hz_SF:sf W_SF:sf PF_SF:sf VA_SF:sf Var_SF:sf TotWh_SF:sf TotVarh_SF:sf
Tmp_SF:sf MnAlrmInfo:str32
`,
    },
  ],
  [
    702,
    {
      points: `
WMaxRtg:u16@W_SF WOvrExtRtg:u16@W_SF WOvrExtRtgPF:u16@PF_SF WUndExtRtg:u16@W_SF
WUndExtRtgPF:u16@PF_SF VAMaxRtg:u16@VA_SF VarMaxInjRtg:u16@Var_SF VarMaxAbsRtg:u16@Var_SF
WChaRteMaxRtg:u16@W_SF WDisChaRteMaxRtg:u16@W_SF VAChaRteMaxRtg:u16@VA_SF
VADisChaRteMaxRtg:u16@VA_SF VNomRtg:u16@V_SF VMaxRtg:u16@V_SF VMinRtg:u16@V_SF AMaxRtg:u16@A_SF
PFOvrExtRtg:u16@PF_SF PFUndExtRtg:u16@PF_SF ReactSusceptRtg:u16@S_SF NorOpCatRtg:e16 AbnOpCatRtg:e16
CtrlModes:b32 IntIslandCatRtg:b16 WMax:u16@W_SF WMaxOvrExt:u16@W_SF WOvrExtPF:u16@PF_SF
WMaxUndExt:u16@W_SF WUndExtPF:u16@PF_SF VAMax:u16@VA_SF VarMaxInj:u16@Var_SF VarMaxAbs:u16@Var_SF
WChaRteMax:u16@W_SF WDisChaRteMax:u16@W_SF VAChaRteMax:u16@VA_SF VADisChaRteMax:u16@VA_SF
VNom:u16@V_SF VMax:u16@V_SF VMin:u16@V_SF AMax:u16@A_SF PFOvrExt:u16@PF_SF PFUndExt:u16@PF_SF
IntIslandCat:b16 W_SF:sf PF_SF:sf VA_SF:sf Var_SF:sf V_SF:sf A_SF:sf S_SF:sf
`,
    },
  ],
  [
    703,
    {
      points: `
ES:e16 ESVHi:u16@V_SF ESVLo:u16@V_SF ESHzHi:u32@Hz_SF ESHzLo:u32@Hz_SF ESDlyTms:u32 ESRndTms:u32
ESRmpTms:u32 ESDlyRemTms:u32 V_SF:sf Hz_SF:sf
`,
    },
  ],
  [
    704,
    {
      points: `
PFWInjEna:e16 PFWInjEnaRvrt:e16 PFWInjRvrtTms:u32 PFWInjRvrtRem:u32 PFWAbsEna:e16 PFWAbsEnaRvrt:e16
PFWAbsRvrtTms:u32 PFWAbsRvrtRem:u32 WMaxLimPctEna:e16 WMaxLimPct:u16@WMaxLimPct_SF
WMaxLimPctRvrt:u16@WMaxLimPct_SF WMaxLimPctEnaRvrt:e16 WMaxLimPctRvrtTms:u32 WMaxLimPctRvrtRem:u32
WSetEna:e16 WSetMod:e16 WSet:i32@WSet_SF WSetRvrt:i32@WSet_SF WSetPct:i16@WSetPct_SF
WSetPctRvrt:i16@WSetPct_SF WSetEnaRvrt:e16 WSetRvrtTms:u32 WSetRvrtRem:u32 VarSetEna:e16
VarSetMod:e16 VarSetPri:e16 VarSet:i32@VarSet_SF VarSetRvrt:i32@VarSet_SF VarSetPct:i16@VarSetPct_SF
VarSetPctRvrt:i16@VarSetPct_SF VarSetEnaRvrt:e16 VarSetRvrtTms:u32 VarSetRvrtRem:u32 WRmp:u16
WRmpRef:e16 VarRmp:u16 AntiIslEna:e16 PF_SF:sf WMaxLimPct_SF:sf WSet_SF:sf WSetPct_SF:sf
VarSet_SF:sf VarSetPct_SF:sf PFWInjPF:u16@PF_SF PFWInjExt:e16 PFWInjRvrtPF:u16@PF_SF
PFWInjRvrtExt:e16 PFWAbsPF:u16@PF_SF PFWAbsExt:e16 PFWAbsRvrtPF:u16@PF_SF PFWAbsRvrtExt:e16
`,
    },
  ],
  [
    713,
    {
      points: `
WHRtg:u16@WH_SF WHAvail:u16@WH_SF SoC:u16@Pct_SF SoH:u16@Pct_SF Sta:e16 WH_SF:sf Pct_SF:sf
`,
    },
  ],
  [
    714,
    {
      points: `
PrtAlrms:b32 NPrt:u16 DCA:i16@DCA_SF DCW:i16@DCW_SF DCWhInj:u64@DCWH_SF DCWhAbs:u64@DCWH_SF
DCA_SF:sf DCV_SF:sf DCW_SF:sf DCWH_SF:sf Tmp_SF:sf
`,
      sets: `
PrtTyp:e16 ID:u16 IDStr:str8 DCA:i16@DCA_SF DCV:u16@DCV_SF DCW:i16@DCW_SF DCWhInj:u64@DCWH_SF
DCWhAbs:u64@DCWH_SF Tmp:i16@Tmp_SF DCSta:e16 DCAlrm:b32
`,
    },
  ],
  [
    802,
    {
      points: `
AHRtg:u16@AHRtg_SF WHRtg:u16@WHRtg_SF WChaRteMax:u16@WChaDisChaMax_SF
WDisChaRteMax:u16@WChaDisChaMax_SF DisChaRte:u16@DisChaRte_SF SoCMax:u16@SoC_SF SoCMin:u16@SoC_SF
SocRsvMax:u16@SoC_SF SoCRsvMin:u16@SoC_SF SoC:u16@SoC_SF DoD:u16@DoD_SF SoH:u16@SoH_SF NCyc:u32
ChaSt:e16 LocRemCtl:e16 Hb:u16 CtrlHb:u16 AlmRst:u16 Typ:e16 State:e16 StateVnd:e16 WarrDt:u32
Evt1:b32 Evt2:b32 EvtVnd1:b32 EvtVnd2:b32 V:u16@V_SF VMax:u16@V_SF VMin:u16@V_SF
CellVMax:u16@CellV_SF CellVMaxStr:u16 CellVMaxMod:u16 CellVMin:u16@CellV_SF CellVMinStr:u16
CellVMinMod:u16 CellVAvg:u16@CellV_SF A:i16@A_SF AChaMax:u16@AMax_SF ADisChaMax:u16@AMax_SF
W:i16@W_SF ReqInvState:e16 ReqW:i16@W_SF SetOp:e16 SetInvState:e16 AHRtg_SF:sf WHRtg_SF:sf
WChaDisChaMax_SF:sf DisChaRte_SF:sf SoC_SF:sf DoD_SF:sf SoH_SF:sf V_SF:sf CellV_SF:sf A_SF:sf
AMax_SF:sf W_SF:sf
`,
    },
  ],
  [
    803,
    {
      points: `
NStr:u16 NStrCon:u16 ModTmpMax:i16@ModTmp_SF ModTmpMaxStr:u16 ModTmpMaxMod:u16
ModTmpMin:i16@ModTmp_SF ModTmpMinStr:u16 ModTmpMinMod:u16 ModTmpAvg:i16@ModTmp_SF StrVMax:u16@V_SF
StrVMaxStr:u16 StrVMin:u16@V_SF StrVMinStr:u16 StrVAvg:u16@V_SF StrAMax:i16@A_SF StrAMaxStr:u16
StrAMin:i16@A_SF StrAMinStr:u16 StrAAvg:i16@A_SF NCellBal:u16 CellV_SF:sf ModTmp_SF:sf A_SF:sf
SoH_SF:sf SoC_SF:sf V_SF:sf
`,
      sets: `
StrNMod:u16 StrSt:b32 StrConFail:e16 StrSoC:u16@SoC_SF StrSoH:u16@SoH_SF StrA:i16@A_SF
StrCellVMax:u16@CellV_SF StrCellVMaxMod:u16 StrCellVMin:u16@CellV_SF StrCellVMinMod:u16
StrCellVAvg:u16@CellV_SF StrModTmpMax:i16@ModTmp_SF StrModTmpMaxMod:u16 StrModTmpMin:i16@ModTmp_SF
StrModTmpMinMod:u16 StrModTmpAvg:i16@ModTmp_SF StrDisRsn:e16 StrConSt:b32 StrEvt1:b32 StrEvt2:b32
StrEvtVnd1:b32 StrEvtVnd2:b32 StrSetEna:e16 StrSetCon:e16 Pad1:pad Pad2:pad
`,
    },
  ],
  [
    804,
    {
      points: `
Idx:u16 NMod:u16 St:b32 ConFail:e16 NCellBal:u16 SoC:u16@SoC_SF DoD:u16@DoD_SF NCyc:u32
SoH:u16@SoH_SF A:i16@A_SF V:u16@V_SF CellVMax:u16@CellV_SF CellVMaxMod:u16 CellVMin:u16@CellV_SF
CellVMinMod:u16 CellVAvg:u16@CellV_SF ModTmpMax:i16@ModTmp_SF ModTmpMaxMod:u16
ModTmpMin:i16@ModTmp_SF ModTmpMinMod:u16 ModTmpAvg:i16@ModTmp_SF Pad1:pad ConSt:b32 Evt1:b32
Evt2:b32 EvtVnd1:b32 EvtVnd2:b32 SetEna:e16 SetCon:e16 SoC_SF:sf SoH_SF:sf DoD_SF:sf A_SF:sf V_SF:sf
CellV_SF:sf ModTmp_SF:sf Pad2:pad Pad3:pad Pad4:pad
`,
      sets: `
ModNCell:u16 ModSoC:u16@SoC_SF ModSoH:u16@SoH_SF ModCellVMax:u16@CellV_SF ModCellVMaxCell:u16
ModCellVMin:u16@CellV_SF ModCellVMinCell:u16 ModCellVAvg:u16@CellV_SF ModCellTmpMax:i16@ModTmp_SF
ModCellTmpMaxCell:u16 ModCellTmpMin:i16@ModTmp_SF ModCellTmpMinCell:u16 ModCellTmpAvg:i16@ModTmp_SF
Pad5:pad Pad6:pad Pad7:pad
`,
    },
  ],
]);
