import { Problem } from "../../attest/problem.ts";
import type { ControlLimits } from "../control/options.ts";
import type { ControlPlan, ControlSurface, PlanContext, RegisterWrite } from "../control/surface.ts";
import type {
  ControlCapability,
  ControlCommand,
  ControlKind,
  ControlRatings,
  ControlState,
} from "../control.ts";
import type { Block, Source } from "./block.ts";
import type { BlockReader } from "./block-reader.ts";
import type { Channel } from "./channel.ts";
import { derLimitControl, derSetpointControl } from "./control-der.ts";
import { immediateLimitControl } from "./control-immediate.ts";
import type { ModelControl, SunSpecRatings } from "./control-model.ts";
import { ratingsOf } from "./control-ratings.ts";
import { reserveControl } from "./control-reserve.ts";
import { storageRateControls } from "./control-storage.ts";
import type { Model } from "./models.ts";
import { BATTERY_MODEL } from "./models-battery.ts";
import {
  IMMEDIATE_MODEL,
  NAMEPLATE_MODEL,
  SETTINGS_MODEL,
  STORAGE_CONTROL_MODEL,
} from "./models-controls.ts";
import { DER_CAPACITY_MODEL, DER_CONTROL_MODEL, STORAGE_MODEL } from "./models-der.ts";
import { controlsAreReadable } from "./signs.ts";
import { onlySource, type Survey } from "./survey.ts";

/** Models that ratings are taken from. */
const RATING_MODELS: readonly Model[] = [
  ...[DER_CAPACITY_MODEL, NAMEPLATE_MODEL, SETTINGS_MODEL, STORAGE_CONTROL_MODEL, BATTERY_MODEL],
  ...[STORAGE_MODEL, DER_CONTROL_MODEL, IMMEDIATE_MODEL],
];

/** What a device can be told, as its models were when it was identified. */
export interface SunSpecControls {
  readonly controls: readonly ModelControl[];
  /** Where its ratings are. */
  readonly sources: readonly Source[];
  readonly hasStorage: boolean;
}

interface Planned {
  readonly survey: Survey;
  readonly make: string;
  readonly channels: readonly Channel[];
  readonly limits: ControlLimits;
}

/** Only where the device has exactly one of a model is it known what a command in it is about. */
export function planControls({ survey, make, channels, limits }: Planned): SunSpecControls {
  const named = (role: string): string | undefined =>
    channels.find(({ description }) => description.role === role)?.description.name;
  const battery = named("storage");
  const inverter =
    channels.find(({ description }) => description.name === "inverter")?.description.name ?? battery;
  const sources = RATING_MODELS.flatMap((model) => onlySource(survey, model) ?? []);
  const block = (id: number): Block | undefined =>
    survey.blocks.find(sources.find(({ model }) => model.id === id));
  const ratings = ratingsOf(block, limits, battery !== undefined);
  const at = (model: Model, channel: string | undefined): Place | undefined => {
    const source = sources.find((one) => one.model === model);
    const now = block(model.id);
    return source === undefined || now === undefined || channel === undefined
      ? undefined
      : { source, block: now, channel, ratings };
  };
  const controls = [
    ...powerControls(at(DER_CONTROL_MODEL, inverter), at(STORAGE_CONTROL_MODEL, battery)),
    ...limitControls(
      at(DER_CONTROL_MODEL, inverter),
      controlsAreReadable(make) ? at(IMMEDIATE_MODEL, inverter) : undefined,
    ),
    ...reserves(at(BATTERY_MODEL, battery), at(STORAGE_CONTROL_MODEL, battery)),
  ];
  return { controls: oneOfAKind(controls), sources, hasStorage: battery !== undefined };
}

interface Place {
  readonly source: Source;
  readonly block: Block;
  readonly channel: string;
  readonly ratings: SunSpecRatings;
}

function powerControls(der: Place | undefined, storage: Place | undefined): readonly ModelControl[] {
  const setpoint = der === undefined ? undefined : derSetpointControl(der);
  if (setpoint !== undefined) return [setpoint];
  return storage === undefined ? [] : storageRateControls(storage);
}

function limitControls(der: Place | undefined, immediate: Place | undefined): readonly ModelControl[] {
  const limit = der === undefined ? undefined : derLimitControl(der);
  if (limit !== undefined) return [limit];
  return [immediate === undefined ? undefined : immediateLimitControl(immediate)].flatMap((one) => one ?? []);
}

function reserves(bank: Place | undefined, storage: Place | undefined): readonly ModelControl[] {
  const made = bank === undefined ? undefined : reserveControl(bank, "SoCRsvMin");
  if (made !== undefined) return [made];
  return [storage === undefined ? undefined : reserveControl(storage, "MinRsvPct")].flatMap(
    (one) => one ?? [],
  );
}

/** A hybrid has an output limit of model 123 and a discharge limit of 124: the setpoint keeps its own, 123 the other. */
function oneOfAKind(controls: readonly ModelControl[]): readonly ModelControl[] {
  const last = new Map(controls.map((control) => [control.capability.kind, control]));
  const kept = [...last.values()];
  const sharing = (control: ModelControl): readonly ControlKind[] =>
    control.capability.excludes.filter((kind) => last.get(kind)?.source === control.source);
  return kept.map((control) => ({
    ...control,
    capability: { ...control.capability, excludes: sharing(control) },
  }));
}

/** How the device is reached: it makes sure before each command that it is still the same one. */
export interface SunSpecLine {
  readonly where: string;
  /** As identified; undefined before. */
  known(): SunSpecControls | undefined;
  /** As {@link known}, verified on this connection. */
  verified(): Promise<{ readonly reader: BlockReader; readonly plan: SunSpecControls }>;
  write(write: RegisterWrite): Promise<void>;
}

/** What one command needs of the ratings is read once. */
const FRESH_MS = 5000;

/** The commands of a SunSpec device. */
export class SunSpecSurface implements ControlSurface {
  readonly where: string;
  readonly #line: SunSpecLine;
  readonly #limits: ControlLimits;
  #last: { readonly atMs: number; readonly ratings: SunSpecRatings } | undefined;

  constructor(line: SunSpecLine, limits: ControlLimits) {
    this.where = line.where;
    this.#line = line;
    this.#limits = limits;
  }

  capabilities(): readonly ControlCapability[] {
    return (this.#line.known()?.controls ?? []).map(({ capability }) => capability);
  }

  async ratings(): Promise<ControlRatings> {
    this.#last = undefined;
    const { outputMw, chargeRateMw, dischargeRateMw, ...ratings } = await this.#ratings();
    return ratings;
  }

  async state(kind: ControlKind): Promise<ControlState> {
    const { control, block } = await this.#read(kind);
    return control.state(block, await this.#ratings());
  }

  async plan(command: ControlCommand, { now }: PlanContext): Promise<ControlPlan> {
    const { control, block } = await this.#read(command.kind);
    return control.plan(block, command, { ratings: await this.#ratings(), before: now });
  }

  async planRevert(kind: ControlKind, before: ControlState | undefined): Promise<readonly RegisterWrite[]> {
    const { control, block } = await this.#read(kind);
    return control.revert(block, before, await this.#ratings());
  }

  async write(write: RegisterWrite): Promise<void> {
    await this.#line.write(write);
  }

  async #read(kind: ControlKind): Promise<{ readonly control: ModelControl; readonly block: Block }> {
    const { reader, plan } = await this.#line.verified();
    const control = plan.controls.find(({ capability }) => capability.kind === kind);
    if (control === undefined)
      throw new Problem("control-not-supported", "the device does not take this command any more", {
        where: this.where,
        got: kind,
      });
    return { control, block: await reader.read(control.source) };
  }

  /** Read anew for each command: a battery that is cold says less. */
  async #ratings(): Promise<SunSpecRatings> {
    const now = performance.now();
    if (this.#last !== undefined && now - this.#last.atMs < FRESH_MS) return this.#last.ratings;
    const { reader, plan } = await this.#line.verified();
    const blocks = new Map<number, Block>();
    for (const source of plan.sources) {
      const block = await reader.read(source).catch((error: unknown) => optional(error));
      if (block !== undefined) blocks.set(source.model.id, block);
    }
    const ratings = ratingsOf((id) => blocks.get(id), this.#limits, plan.hasStorage);
    this.#last = { atMs: now, ratings };
    return ratings;
  }
}

/** A model that the device lists and refuses says nothing; anything else is the line's. */
function optional(error: unknown): undefined {
  const refusals = ["modbus-illegal-address", "modbus-illegal-value", "modbus-device-failure"];
  if (error instanceof Problem && refusals.includes(error.code)) return undefined;
  throw error;
}
