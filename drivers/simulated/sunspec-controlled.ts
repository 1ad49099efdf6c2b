import { METER_FORMAT } from "../modbus/settings.ts";
import type { WireFault } from "./modbus-faults.ts";
import type { PeerRequest } from "./modbus-peer.ts";
import type { SlaveModel, SlaveRead, SlaveWrite } from "./modbus-slave.ts";
import { PhysicalSite, type SiteInstant } from "./physical-site.ts";
import type { SimulatedControlFault } from "./profile-faults.ts";
import { type OpenPlace, openPlace, type SimulatedPlace } from "./profile-place.ts";
import { type CommandModels, SUITE, SunSpecCommands } from "./sunspec-commands.ts";
import { encodeModel, type SimulatedModel, type SimulatedValues } from "./sunspec-encode.ts";
import { chainRegisters, type ModelRegisters } from "./sunspec-map.ts";
import { simulatedCommon } from "./sunspec-suite.ts";

/** How a SunSpec device that takes commands is simulated. */
export interface ControlledSuiteOptions {
  readonly place: SimulatedPlace;
  /** `der`: 701, 702, 704, 713, 802 of a battery; `storage`: 103, 120, 124 of a hybrid; `output`: 103, 120, 121, 123 of PV. */
  readonly models: CommandModels;
  /** Milliseconds; by default a clock that is never set. */
  readonly clock?: () => number;
  /** Part of the battery's power that is lost in each direction; default 5 %. */
  readonly lossPpm?: number;
  /** Points that are otherwise: undefined is "not implemented". By model. */
  readonly values?: ReadonlyMap<number, Readonly<Record<string, number | undefined>>>;
  /** Answers every write with this exception. */
  readonly refuses?: 1 | 2 | 3 | 4;
}

export interface ControlledSuite {
  readonly port: number;
  readonly unit: number;
  /** What truly flows. */
  truth(): SiteInstant;
  setFaults(faults: readonly SimulatedControlFault[]): void;
  /** Every write so far, in order. */
  writes(): readonly SlaveWrite[];
  hangUp(): void;
  close(): Promise<void>;
}

const BASE = 40_000;
const HEADER = 2;
const MARKER = 2;
const NO_TARGET = 11;
const MOST_CLIENTS = 8;
const COMMANDS: Readonly<Record<CommandModels, readonly number[]>> = {
  ...{ der: [704, 802], storage: [124], output: [123] },
};

/** Starts it. Throws Problem `simulate-place` where its place cannot be opened. */
export async function startControlledSuite(options: ControlledSuiteOptions): Promise<ControlledSuite> {
  const device = new Device(options);
  await device.open();
  return device;
}

class Device implements ControlledSuite, SlaveModel {
  readonly unit = 1;
  readonly #options: ControlledSuiteOptions;
  readonly #clock: () => number;
  readonly #commands: SunSpecCommands;
  readonly #site: PhysicalSite;
  readonly #writes: SlaveWrite[] = [];
  #faults: readonly SimulatedControlFault[] = [];
  #sinceFault = 0;
  #place: OpenPlace | undefined;

  constructor(options: ControlledSuiteOptions) {
    const { clock = () => performance.now(), models, lossPpm = 50_000 } = options;
    this.#options = options;
    this.#clock = clock;
    this.#commands = new SunSpecCommands(COMMANDS[models], new Map([[802, { SoCRsvMin: 10 }]]));
    const part = { index: 0, count: 1 };
    const starts = { part, importStartMwh: 1_000_000, exportStartMwh: 1_000_000 };
    this.#site = new PhysicalSite(
      {
        divisor: 1,
        boundaries: [
          { name: "battery", role: "storage", ...starts },
          { name: "pv", role: "generation", ...starts },
          { name: "grid", role: "grid", ...starts },
        ],
      },
      { startMs: clock(), lossPpm, steering: (nowMs) => this.#commands.at(nowMs) },
    );
  }

  async open(): Promise<void> {
    this.#place = await openPlace(this.#options.place, {
      peer: { model: this, order: "turn", fault: (request) => this.#faultOf(request) },
      ...{ format: METER_FORMAT, maxClients: MOST_CLIENTS, onLost: () => undefined },
    });
  }

  get port(): number {
    return this.#place?.port ?? 0;
  }

  truth(): SiteInstant {
    this.#site.advanceTo(this.#clock());
    return this.#site.instant;
  }

  setFaults(faults: readonly SimulatedControlFault[]): void {
    this.truth();
    this.#faults = faults;
    this.#sinceFault = 0;
    this.#commands.setFaults(faults, this.#clock());
  }

  writes(): readonly SlaveWrite[] {
    return this.#writes;
  }

  hangUp(): void {
    this.#place?.hangUp();
  }

  async close(): Promise<void> {
    await this.#place?.close();
  }

  read({ unit, table, start, count }: SlaveRead): readonly number[] | { readonly exception: number } {
    if (unit !== this.unit) return { exception: NO_TARGET };
    const map = chainRegisters(this.#models());
    const from = start - BASE;
    if (table !== "holding" || from < 0 || from + count > map.length) return { exception: 2 };
    return map.slice(from, from + count);
  }

  write(request: SlaveWrite): { readonly exception: number } | undefined {
    const { unit, start, values } = request;
    if (unit !== this.unit) return { exception: NO_TARGET };
    const { refuses } = this.#options;
    if (refuses !== undefined) return { exception: refuses };
    this.truth();
    let begin = BASE + MARKER;
    for (const { id, registers } of this.#models()) {
      const first = begin + HEADER;
      begin = first + registers.length;
      if (start < first || start + values.length > begin) continue;
      const exception = this.#commands.write(id, start - first, values, this.#clock());
      if (exception !== undefined) return { exception };
      this.#writes.push(request);
      return undefined;
    }
    return { exception: 2 };
  }

  #models(): readonly ModelRegisters[] {
    return this.#chain().map((model) => encodeModel(this.#changed(model)));
  }

  /** Points as the options have them; what is undefined there is left out, which is "not implemented". */
  #changed(model: SimulatedModel): SimulatedModel {
    const changes = this.#options.values?.get(model.id);
    if (changes === undefined) return model;
    const kept = Object.entries({ ...model.values, ...changes }).flatMap(
      ([name, value]): [string, SimulatedValues[string]][] => (value === undefined ? [] : [[name, value]]),
    );
    return { ...model, values: Object.fromEntries(kept) };
  }

  #chain(): readonly SimulatedModel[] {
    const common = simulatedCommon("CONTROL-1", "Kilowitness", `Simulated ${this.#options.models}`);
    switch (this.#options.models) {
      case "der":
        return [common, ...this.#der()];
      case "storage":
        return [
          common,
          this.#inverter(true),
          plate(),
          this.#own(124, { ChaState: this.#charge(), ChaSt: 4 }),
        ];
      case "output":
        return [common, this.#inverter(false), plate(), settings(), this.#own(123)];
    }
  }

  #der(): readonly SimulatedModel[] {
    const watts = 0 - this.#power("battery");
    const { rateW, capacityWh, outputW } = SUITE;
    const rates = { WChaRteMaxRtg: rateW, WDisChaRteMaxRtg: rateW, WChaRteMax: rateW, WDisChaRteMax: rateW };
    const charge = this.#charge();
    return [
      {
        id: 701,
        values: { ACType: 0, St: 1, InvSt: 3, ConnSt: 1, W: watts, TotWhInj: 5000n, TotWhAbs: 6000n },
      },
      { id: 702, values: { WMaxRtg: outputW, WMax: outputW, ...rates } },
      this.#own(704),
      {
        id: 713,
        values: { WHRtg: capacityWh, WHAvail: Math.floor(charge * 100), SoC: charge, SoH: 100, Sta: 0 },
        scales: { WH_SF: 0, Pct_SF: -1 },
      },
      this.#bank(charge, watts),
    ];
  }

  #bank(charge: number, watts: number): SimulatedModel {
    const { rateW, capacityWh } = SUITE;
    const more = {
      ...{ WHRtg: capacityWh, WChaRteMax: rateW, WDisChaRteMax: rateW, SoCMax: 100, SoCMin: 5 },
      ...{ SoC: charge, ChaSt: 6, LocRemCtl: 0, State: 3, W: watts },
    };
    return this.#own(802, more);
  }

  #own(id: number, more: SimulatedValues = {}): SimulatedModel {
    return this.#commands.model(id, this.#clock(), more);
  }

  #inverter(hybrid: boolean): SimulatedModel {
    const battery = hybrid ? this.#power("battery") : 0;
    const watts = 0 - this.#power("pv") - battery;
    return { id: 103, values: { W: watts, WH: 1_000_000, Hz: 50, St: 4, A: 1, AphA: 1, PhVphA: 230 } };
  }

  #power(name: string): number {
    return (this.truth().boundaries.get(name)?.powerMw ?? 0) / 1000;
  }

  #charge(): number {
    return Math.floor(this.truth().stateOfChargePpm / 1000) / 10;
  }

  #faultOf({ pdu }: PeerRequest): WireFault | undefined {
    const isWrite = pdu[0] === 6 || pdu[0] === 16;
    const cut = isWrite && ++this.#sinceFault === 2;
    if (!cut || !this.#faults.includes("loses-connection-in-the-middle")) return undefined;
    this.hangUp();
    return { kind: "lost" };
  }
}

function plate(): SimulatedModel {
  const { outputW, rateW, capacityWh } = SUITE;
  return {
    id: 120,
    values: { DERTyp: 82, WRtg: outputW, WHRtg: capacityWh, MaxChaRte: rateW, MaxDisChaRte: rateW },
  };
}

function settings(): SimulatedModel {
  return { id: 121, values: { WMax: SUITE.outputW } };
}
