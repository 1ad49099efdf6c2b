import type { SimulatedModel, SimulatedValues } from "../../../drivers/simulated/sunspec-encode.ts";

/*
 * Simulated devices with one value for everything that the driver reads, in the units of the models. The expectations
 * stand beside them in the tests, in the driver's own units and signs.
 */

const PHASE_LETTERS = ["A", "B", "C"] as const;

function perPhase(prefix: string, values: readonly number[]): SimulatedValues {
  return Object.fromEntries(values.map((value, at) => [`${prefix}${PHASE_LETTERS[at]}`, value]));
}

/** Generating 1.2 kW a phase at 230.1, 231.2, 232.3 V. */
export function inverter(id: number, values: SimulatedValues = {}): SimulatedModel {
  const phases = ((id - 1) % 10) + 1;
  return {
    id,
    values: {
      ...{ A: 5.3 * phases, W: 1200 * phases, Hz: 49.98, WH: 12_345_600, St: 4 },
      ...perPhase("Aph", [5.2, 5.3, 5.4].slice(0, phases)),
      ...perPhase("PhVph", [230.1, 231.2, 232.3].slice(0, phases)),
      ...values,
    },
    ...(id < 110 ? { scales: { A_SF: -1, V_SF: -1, Hz_SF: -2, WH_SF: 2 } } : {}),
  };
}

/** W positive, with registers of both directions. A delta meter has voltages between its lines only. */
export function meterOf(id: number, values: SimulatedValues = {}): SimulatedModel {
  const wires = (id % 10) as 1 | 2 | 3 | 4;
  const phases = wires === 4 ? 3 : wires;
  const lines = id > 210 ? "PPVph" : "PhVph";
  return {
    id,
    values: {
      ...{ W: 700 * phases, Hz: 50.02, TotWhImp: 7_654_321, TotWhExp: 1_234_567 },
      ...perPhase("Aph", [-3.1, 3.2, 3.3].slice(0, phases)),
      ...perPhase("Wph", [700, 700, 700].slice(0, phases)),
      ...(wires === 4
        ? { [`${lines}AB`]: 400, [`${lines}BC`]: 401, [`${lines}CA`]: 402 }
        : perPhase("PhVph", [229, 230, 231].slice(0, phases))),
      ...values,
    },
    ...(id < 210 ? { scales: { A_SF: -1, V_SF: 0, Hz_SF: -2, TotWh_SF: 0 } } : {}),
  };
}

/** A three-phase device of IEEE 1547-2018 that injects 9 kW. */
export function derAc(values: SimulatedValues = {}): SimulatedModel {
  return {
    id: 701,
    values: {
      ...{ ACType: 2, St: 1, InvSt: 3, ConnSt: 1, W: 9000, Hz: 60.01 },
      ...{ TotWhInj: 5_000_000_000_000n, TotWhAbs: 123_456n },
      ...{ WL1: 2900, WL2: 3000, WL3: 3100, AL1: 10.5, AL2: -10.6, AL3: 10.7 },
      ...{ VL1: 277.1, VL2: 277.2, VL3: 277.3 },
      ...values,
    },
    scales: { A_SF: -1, V_SF: -1, Hz_SF: -2, W_SF: 0, TotWh_SF: 0 },
  };
}

export function derCapacity(values: SimulatedValues = {}): SimulatedModel {
  return {
    id: 702,
    values: {
      ...{ WMaxRtg: 10_000, WMax: 9500, WChaRteMaxRtg: 6000, WDisChaRteMaxRtg: 6000 },
      ...{ WChaRteMax: 5000, WDisChaRteMax: 5500, ...values },
    },
  };
}

export function enterService(values: SimulatedValues = {}): SimulatedModel {
  return { id: 703, values: { ES: 1, ESDlyRemTms: 0, ...values } };
}

/** Output limited to 80 % with a timer, and told to charge with 2 kW, with another. */
export function derControls(values: SimulatedValues = {}): SimulatedModel {
  return {
    id: 704,
    values: {
      ...{ WMaxLimPctEna: 1, WMaxLimPct: 80, WMaxLimPctRvrt: 100, WMaxLimPctEnaRvrt: 0 },
      ...{ WMaxLimPctRvrtTms: 3600, WMaxLimPctRvrtRem: 1234 },
      ...{ WSetEna: 1, WSetMod: 1, WSet: -2000, WSetRvrt: 0, WSetPct: -40, WSetPctRvrt: 10 },
      ...{ WSetEnaRvrt: 1, WSetRvrtTms: 900, WSetRvrtRem: 70_000, ...values },
    },
    scales: { WMaxLimPct_SF: -1, WSet_SF: 0, WSetPct_SF: -1 },
  };
}

export function derStorage(values: SimulatedValues = {}): SimulatedModel {
  return {
    id: 713,
    values: { WHRtg: 12_000, WHAvail: 7200, SoC: 60, SoH: 100, Sta: 0, ...values },
    scales: { WH_SF: 1, Pct_SF: -1 },
  };
}

/** Two inputs of a roof and one battery that charges. */
export function derDc(sets?: readonly SimulatedValues[]): SimulatedModel {
  const ports = sets ?? [
    { PrtTyp: 0, ID: 1, IDStr: "Roof", DCW: 6000, DCWhInj: 4_000_000n, DCWhAbs: 0n },
    { PrtTyp: 0, ID: 2, IDStr: "Barn", DCW: 5000, DCWhInj: 3_000_000n, DCWhAbs: 0n },
    { PrtTyp: 1, ID: 3, IDStr: "Cellar", DCW: -1500, DCWhInj: 2_000_000n, DCWhAbs: 2_500_000n },
  ];
  return { id: 714, values: { NPrt: ports.length, DCW: 9500 }, sets: ports };
}

export function nameplate(values: SimulatedValues = {}): SimulatedModel {
  return { id: 120, values: { DERTyp: 4, WRtg: 8000, ...values } };
}

export function settings(values: SimulatedValues = {}): SimulatedModel {
  return { id: 121, values: { WMax: 7500, ...values } };
}

/** Connected, and limited to 60 % for ten minutes. */
export function immediate(values: SimulatedValues = {}): SimulatedModel {
  const limit = { WMaxLimPct: 60, WMaxLimPct_RvrtTms: 600, WMaxLim_Ena: 1 };
  return {
    id: 123,
    values: { Conn: 1, Conn_RvrtTms: 0, ...limit, ...values },
    scales: { WMaxLimPct_SF: -2 },
  };
}

/** A hybrid's battery, 55 % full, free to charge with 5 kW. */
export function hybridStorage(values: SimulatedValues = {}): SimulatedModel {
  return {
    id: 124,
    values: {
      ...{ WChaMax: 5000, StorCtl_Mod: 0, MinRsvPct: 5, ChaState: 55, ChaSt: 4 },
      ...{ OutWRte: 100, InWRte: 100, InOutWRte_RvrtTms: 0, ChaGriSet: 1, ...values },
    },
    scales: { MinRsvPct_SF: -2, ChaState_SF: -2, InOutWRte_SF: -2 },
  };
}

/** Two strings of modules, and a battery the way Fronius shows it. */
export function mppt(sets?: readonly SimulatedValues[]): SimulatedModel {
  const modules = sets ?? [
    { ID: 1, IDStr: "MPPT 1", DCW: 2100.5, DCWH: 1_000_000 },
    { ID: 2, IDStr: "MPPT 2", DCW: 900.2, DCWH: 500_000 },
    { ID: 3, IDStr: "StCha 3", DCW: 1500, DCWH: 300_000.25 },
    { ID: 4, IDStr: "StDisCha 4", DCW: 0, DCWH: 250_000.5 },
  ];
  return {
    id: 160,
    values: { N: modules.length },
    scales: { DCW_SF: -1, DCWH_SF: -2 },
    sets: modules,
  };
}

/** Discharging 1.8 kW of up to 5 kW, 64.5 % full, with a reserve of 10 %. */
export function bank(values: SimulatedValues = {}): SimulatedModel {
  return {
    id: 802,
    values: {
      ...{ WHRtg: 10_000, WChaRteMax: 5000, WDisChaRteMax: 4600, SoC: 64.5, SoCRsvMin: 10, SoCMin: 5 },
      ...{ ChaSt: 3, LocRemCtl: 0, State: 3, V: 400, AChaMax: 10, ADisChaMax: 25, W: 1800, ...values },
    },
    scales: { SoC_SF: -2 },
  };
}

export function lithiumBank(values: SimulatedValues = {}): SimulatedModel {
  return {
    id: 803,
    values: { NStr: 2, NStrCon: 2, ...values },
    scales: { SoC_SF: -1 },
    sets: [{ StrSoC: 64.2 }, { StrSoC: 64.8 }],
  };
}

export function lithiumString(index: number, stateOfCharge: number): SimulatedModel {
  const modules = [{ ModNCell: 14 }, { ModNCell: 14 }];
  return {
    ...{ id: 804, values: { Idx: index, NMod: 2, SoC: stateOfCharge }, scales: { SoC_SF: -1 } },
    sets: modules,
  };
}
