import { Problem } from "../../attest/problem.ts";
import type { ChannelRole } from "../../attest/reading.ts";
import type { Block, ModelPlace, Source } from "./block.ts";
import type { BlockReader } from "./block-reader.ts";
import { BlockSet } from "./channel.ts";
import type { Model } from "./models.ts";
import { INVERTER_FLOAT_MODELS, INVERTER_MODELS, METER_FLOAT_MODELS, METER_MODELS } from "./models-ac.ts";
import { BANK_MODEL, BATTERY_MODEL, STRING_MODEL } from "./models-battery.ts";
import {
  IMMEDIATE_MODEL,
  MPPT_MODEL,
  NAMEPLATE_MODEL,
  SETTINGS_MODEL,
  STATUS_MODEL,
  STORAGE_CONTROL_MODEL,
} from "./models-controls.ts";
import {
  DC_MODEL,
  DER_AC_MODEL,
  DER_CAPACITY_MODEL,
  DER_CONTROL_MODEL,
  ENTER_SERVICE_MODEL,
  STORAGE_MODEL,
} from "./models-der.ts";
import type { BatteryPowerSign, MeterPowerSign } from "./signs.ts";

/** Models that energy is read from: a device that refuses one of them is not read at all. */
const METERING_MODELS: readonly Model[] = [
  ...INVERTER_MODELS,
  ...INVERTER_FLOAT_MODELS,
  ...METER_MODELS,
  ...METER_FLOAT_MODELS,
  DER_AC_MODEL,
  BATTERY_MODEL,
];

/** Models that say more about a channel, and that a device may list and refuse. */
const FURTHER_MODELS: readonly Model[] = [
  NAMEPLATE_MODEL,
  SETTINGS_MODEL,
  STATUS_MODEL,
  IMMEDIATE_MODEL,
  STORAGE_CONTROL_MODEL,
  MPPT_MODEL,
  DER_CAPACITY_MODEL,
  ENTER_SERVICE_MODEL,
  DER_CONTROL_MODEL,
  STORAGE_MODEL,
  DC_MODEL,
  BANK_MODEL,
  STRING_MODEL,
];

/** All models that are read, with their numbers. */
export const READ_MODELS: ReadonlyMap<number, Model> = new Map(
  [...METERING_MODELS, ...FURTHER_MODELS].map((model) => [model.id, model]),
);

/** A device's models, each read once. */
export interface Survey {
  readonly sources: readonly Source[];
  readonly blocks: BlockSet;
}

/** What the configuration says about a device's channels. */
export interface ChannelOptions {
  readonly meterRole: ChannelRole;
  readonly meterPowerSign?: MeterPowerSign | undefined;
  readonly batteryPowerSign?: BatteryPowerSign | undefined;
  /** Whether the DC side becomes channels of its own. */
  readonly dcChannels: boolean;
}

/** What the planning of channels needs to know. */
export interface Planning extends Survey {
  readonly make: string;
  readonly options: ChannelOptions;
}

/** Every place of these models, in the order of the chain. */
export function sourcesOf({ sources }: Survey, models: readonly Model[]): readonly Source[] {
  return sources.filter(({ model }) => models.includes(model));
}

/** The place of a model that the device has exactly once: with several, whose they are is not known. */
export function onlySource(survey: Survey, model: Model): Source | undefined {
  const [only, ...more] = sourcesOf(survey, [model]);
  return more.length === 0 ? only : undefined;
}

/** The first of a kind is called so, the second "meter2" and so on. */
export function numbered(name: string, index: number): string {
  return index === 0 ? name : `${name}${index + 1}`;
}

/** Reads every known model of a device once. Throws the bus's Problem. */
export async function surveyModels(reader: BlockReader, places: readonly ModelPlace[]): Promise<Survey> {
  const blocks = new Map<number, Block>();
  const sources: Source[] = [];
  for (const source of knownSources(places)) {
    const block = await reader.find(source).catch((error: unknown) => {
      if (METERING_MODELS.includes(source.model) || !isRefused(error)) throw error;
      return undefined;
    });
    if (block === undefined) continue;
    blocks.set(source.place.start, block);
    sources.push(source);
  }
  return { sources, blocks: new BlockSet(blocks) };
}

function knownSources(places: readonly ModelPlace[]): readonly Source[] {
  return places.flatMap((place) => {
    const model = READ_MODELS.get(place.id);
    return model === undefined || place.length === 0 ? [] : [{ model, place }];
  });
}

const REFUSALS: ReadonlySet<string> = new Set([
  "modbus-illegal-address",
  "modbus-illegal-value",
  "modbus-illegal-function",
  "modbus-device-failure",
  "modbus-exception",
]);

function isRefused(error: unknown): boolean {
  return error instanceof Problem && REFUSALS.has(error.code);
}
