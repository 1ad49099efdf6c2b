import {
  ILLEGAL_ADDRESS,
  type ModbusServer,
  type ModbusServerOptions,
  NO_TARGET,
  type ReadAnswer,
  type ReadRequest,
  startModbusServer,
} from "./modbus-server.ts";
import { chainRegisters, type ModelRange, type ModelRegisters, modelRange, toScaled } from "./sunspec-map.ts";
import {
  accumulated,
  batteryModel,
  commonModel,
  inverterModel,
  LARGEST_INT16,
  meterModel,
  nameplateModel,
  type SimulatedIdentity,
  type SimulatedOutput,
  type SimulatedRegisters,
  type SimulatedStorage,
  storageModel,
} from "./sunspec-models.ts";

/** What an inverter is doing: power is negative while it generates, `exportMwh` what it has generated. */
export interface SimulatedInverterState extends SimulatedIdentity, SimulatedOutput {
  /** Adds model 120 with this rating. */
  readonly ratedPowerMw?: number;
}

/** What a battery is doing: power is positive while it charges; the registers are those of its AC meter. */
export interface SimulatedBatteryState extends SimulatedIdentity, SimulatedRegisters, SimulatedStorage {}

/** The values of the energy-bearing block as they went out on the wire, in our units and signs. */
export interface ServedEnergy {
  readonly importMwh?: number;
  readonly exportMwh: number;
  readonly activePowerMw: number;
}

export interface SunSpecDeviceOptions<State>
  extends Pick<ModbusServerOptions, "host" | "port" | "misbehave"> {
  /** Default 1; other units are answered as by a gateway that does not reach them. */
  readonly unit?: number;
  /** First register of the map; default 40000. */
  readonly base?: number;
  /** Asked anew at each request, so that every answer is of one instant. */
  state(): State;
  /** Called for each answer that held the whole energy-bearing block. */
  onServed?(values: ServedEnergy): void;
}

/** A photovoltaic inverter: models 1, 103 and, with a rating, 120. The energy-bearing block is 103. */
export function startSunSpecInverter(
  options: SunSpecDeviceOptions<SimulatedInverterState>,
): Promise<ModbusServer> {
  return startDevice(options, { models: inverterModels, energyModel: 103, served: servedByInverter });
}

/** A battery: models 1, 802, 713, and 203 for the meter on its AC side, which is the energy-bearing block. */
export function startSunSpecBattery(
  options: SunSpecDeviceOptions<SimulatedBatteryState>,
): Promise<ModbusServer> {
  return startDevice(options, { models: batteryModels, energyModel: 203, served: servedByMeter });
}

interface Kind<State> {
  models(state: State): readonly ModelRegisters[];
  readonly energyModel: number;
  served(state: State): ServedEnergy;
}

function inverterModels(state: SimulatedInverterState): readonly ModelRegisters[] {
  const plate = state.ratedPowerMw === undefined ? [] : [nameplateModel(state.ratedPowerMw)];
  return [commonModel(state), inverterModel(state), ...plate];
}

function batteryModels(state: SimulatedBatteryState): readonly ModelRegisters[] {
  return [commonModel(state), batteryModel(state), storageModel(state), meterModel(state)];
}

function servedByInverter(state: SimulatedInverterState): ServedEnergy {
  return {
    exportMwh: shownMwh(state.exportMwh, state.energyScale ?? 0),
    activePowerMw: shownPowerMw(state.activePowerMw),
  };
}

function servedByMeter(state: SimulatedBatteryState): ServedEnergy {
  return {
    importMwh: shownMwh(state.importMwh, 0),
    exportMwh: shownMwh(state.exportMwh, 0),
    activePowerMw: shownPowerMw(state.activePowerMw),
  };
}

/** The energy that a 32-bit register with steps of 10^scale Wh shows. */
function shownMwh(energyMwh: number, scale: number): number {
  return (accumulated(energyMwh, scale) % 2 ** 32) * 10 ** (scale + 3);
}

function shownPowerMw(powerMw: number): number {
  const { mantissa, exponent } = toScaled(powerMw / 1000, LARGEST_INT16);
  return mantissa * 10 ** exponent * 1000;
}

interface Answered {
  readonly answer: ReadAnswer;
  /** What the answer showed, when it held the whole energy-bearing block. */
  readonly served: ServedEnergy | undefined;
}

function startDevice<State>(options: SunSpecDeviceOptions<State>, kind: Kind<State>): Promise<ModbusServer> {
  const base = options.base ?? 40000;
  const unit = options.unit ?? 1;
  // Keyed by the registers of the answer, since a late or refused answer is never "served".
  const shown = new WeakMap<readonly number[], ServedEnergy>();
  return startModbusServer({
    ...options,
    read: (request) => {
      if (request.unit !== unit) return { exception: NO_TARGET };
      const { answer, served } = answerFrom(options.state(), { kind, base, request });
      if (served !== undefined && "registers" in answer) shown.set(answer.registers, served);
      return answer;
    },
    onServed: (_request, registers) => {
      const served = shown.get(registers);
      if (served !== undefined) options.onServed?.(served);
    },
  });
}

interface Question<State> {
  readonly kind: Kind<State>;
  readonly base: number;
  readonly request: ReadRequest;
}

function answerFrom<State>(state: State, { kind, base, request }: Question<State>): Answered {
  const models = kind.models(state);
  const map = chainRegisters(models);
  const from = request.start - base;
  if (from < 0 || from + request.count > map.length)
    return { answer: { exception: ILLEGAL_ADDRESS }, served: undefined };
  const whole = covers(request, modelRange(models, base, kind.energyModel));
  const registers = map.slice(from, from + request.count);
  return { answer: { registers }, served: whole ? kind.served(state) : undefined };
}

function covers(request: ReadRequest, range: ModelRange | undefined): boolean {
  if (range === undefined) return false;
  return request.start <= range.start && request.start + request.count >= range.start + range.count;
}
