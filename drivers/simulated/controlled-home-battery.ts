import type { WireFault } from "./modbus-faults.ts";
import type { PeerRequest } from "./modbus-peer.ts";
import type { SlaveModel, SlaveRead, SlaveWrite } from "./modbus-slave.ts";
import type { SiteInstant } from "./physical-site.ts";
import type { SimulatedControlFault } from "./profile-faults.ts";
import type { Steering } from "./steering.ts";
import { SUITE, SunSpecCommands } from "./sunspec-commands.ts";
import { encodeModel, type SimulatedModel } from "./sunspec-encode.ts";
import { chainRegisters, type ModelRegisters } from "./sunspec-map.ts";
import { simulatedCommon } from "./sunspec-suite.ts";

const BASE = 40_000;
const HEADER = 2;
const MARKER = 2;
const UNIT = 1;
const NO_TARGET = 11;
const ILLEGAL_ADDRESS = 2;
/** Model 802: what is kept back until somebody says otherwise, and less than which it cannot have, %. */
const RESERVE_PERCENT = 10;
const LEAST_PERCENT = 5;
/** Model 802, ChaSt. */
const CHARGE_STATUS = { discharging: 3, charging: 4, holding: 6 } as const;

/** What the device shows until time passes or somebody tells it something. */
interface Shown {
  readonly atMs: number;
  readonly models: readonly ModelRegisters[];
  readonly map: readonly number[];
}

/** The inverter of a home's battery: SunSpec 701, 702, 704, 713 and 802, with the energies of its AC side. */
export class BatteryInverter implements SlaveModel {
  readonly #clock: () => number;
  readonly #truth: () => SiteInstant;
  readonly #commands = new SunSpecCommands([704, 802], new Map([[802, { SoCRsvMin: RESERVE_PERCENT }]]));
  readonly #writes: SlaveWrite[] = [];
  #faults: readonly SimulatedControlFault[] = [];
  #writesSinceFault = 0;
  #hangUp: () => void = () => undefined;
  #shown: Shown | undefined;

  constructor(clock: () => number, truth: () => SiteInstant) {
    this.#clock = clock;
    this.#truth = truth;
  }

  get writes(): readonly SlaveWrite[] {
    return this.#writes;
  }

  /** What the battery is told at an instant. */
  steering(nowMs: number): Steering {
    return this.#commands.at(nowMs);
  }

  setFaults(faults: readonly SimulatedControlFault[], hangUp: () => void): void {
    this.#faults = faults;
    this.#hangUp = hangUp;
    this.#writesSinceFault = 0;
    this.#shown = undefined;
    this.#commands.setFaults(faults, this.#clock());
  }

  faultOf({ pdu }: PeerRequest): WireFault | undefined {
    const isWrite = pdu[0] === 6 || pdu[0] === 16;
    if (!isWrite || ++this.#writesSinceFault !== 2) return undefined;
    if (!this.#faults.includes("loses-connection-in-the-middle")) return undefined;
    this.#hangUp();
    return { kind: "lost" };
  }

  read({ unit, table, start, count }: SlaveRead): readonly number[] | { readonly exception: number } {
    if (unit !== UNIT) return { exception: NO_TARGET };
    const { map } = this.#show();
    const from = start - BASE;
    if (table !== "holding" || from < 0 || from + count > map.length) return { exception: ILLEGAL_ADDRESS };
    return map.slice(from, from + count);
  }

  write(request: SlaveWrite): { readonly exception: number } | undefined {
    const { unit, start, values } = request;
    if (unit !== UNIT) return { exception: NO_TARGET };
    this.#truth();
    let begin = BASE + MARKER;
    for (const { id, registers } of this.#show().models) {
      const first = begin + HEADER;
      begin = first + registers.length;
      if (start < first || start + values.length > begin) continue;
      return this.#written(request, { id, offset: start - first });
    }
    return { exception: ILLEGAL_ADDRESS };
  }

  #written(
    request: SlaveWrite,
    { id, offset }: { readonly id: number; readonly offset: number },
  ): { readonly exception: number } | undefined {
    const exception = this.#commands.write(id, offset, request.values, this.#clock());
    this.#shown = undefined;
    if (exception !== undefined) return { exception };
    this.#writes.push(request);
    return undefined;
  }

  #show(): Shown {
    const atMs = this.#clock();
    if (this.#shown?.atMs === atMs) return this.#shown;
    const models = this.#models(this.#truth()).map(encodeModel);
    this.#shown = { atMs, models, map: chainRegisters(models) };
    return this.#shown;
  }

  #models({ boundaries, stateOfChargePpm, voltageMv, frequencyMhz }: SiteInstant): SimulatedModel[] {
    const { powerMw = 0, importMwh = 0, exportMwh = 0 } = boundaries.get("battery") ?? {};
    const watts = 0 - powerMw / 1000;
    const charge = Math.floor(stateOfChargePpm / 1000) / 10;
    const energies = {
      TotWhInj: BigInt(Math.floor(exportMwh / 1000)),
      TotWhAbs: BigInt(Math.floor(importMwh / 1000)),
    };
    const { rateW, capacityWh, outputW } = SUITE;
    const rates = { WChaRteMaxRtg: rateW, WDisChaRteMaxRtg: rateW, WChaRteMax: rateW, WDisChaRteMax: rateW };
    return [
      simulatedCommon("SIM-BAT-0001", "Kilowitness", "Simulated battery inverter"),
      {
        id: 701,
        values: {
          ...{ ACType: 3, St: 1, InvSt: 3, ConnSt: 1, W: watts, ...energies, Hz: frequencyMhz / 1000 },
          ...{ VL1: voltageMv[0] / 1000, VL2: voltageMv[1] / 1000, VL3: voltageMv[2] / 1000 },
        },
        scales: { Hz_SF: -2, V_SF: -1 },
      },
      { id: 702, values: { WMaxRtg: outputW, WMax: outputW, ...rates } },
      this.#own(704),
      {
        id: 713,
        values: { WHRtg: capacityWh, WHAvail: Math.floor(charge * 100), SoC: charge, SoH: 100, Sta: 0 },
        scales: { Pct_SF: -1 },
      },
      this.#own(802, {
        ...{ WHRtg: capacityWh, WChaRteMax: rateW, WDisChaRteMax: rateW, SoCMax: 100, SoCMin: LEAST_PERCENT },
        ...{ SoC: charge, ChaSt: chargeStatus(watts), LocRemCtl: 0, State: 3, W: watts },
      }),
    ];
  }

  #own(id: number, more: SimulatedModel["values"] = {}): SimulatedModel {
    return this.#commands.model(id, this.#clock(), more);
  }
}

function chargeStatus(dischargingWatts: number): number {
  if (dischargingWatts === 0) return CHARGE_STATUS.holding;
  return dischargingWatts > 0 ? CHARGE_STATUS.discharging : CHARGE_STATUS.charging;
}
