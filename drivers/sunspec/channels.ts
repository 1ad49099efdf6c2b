import type { ChannelRole, FlexibilityReading, MeterReading } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import { type BatteryPowerSign, batteryFlexibility, describeBattery, readBattery } from "./battery.ts";
import { type Block, type ModelPlace, type ReadRegisters, readBlock } from "./block.ts";
import { describeInverter, readInverter } from "./inverter.ts";
import { describeMeter, type MeterPowerSign, meterSign, readMeter } from "./meter.ts";
import {
  BATTERY_MODEL,
  INVERTER_MODELS,
  METER_MODELS,
  type Model,
  NAMEPLATE_MODEL,
  STORAGE_MODEL,
} from "./models.ts";
import { describeStorage, readStorage, storageFlexibility } from "./storage.ts";

/** What the configuration says about a device's channels. */
export interface ChannelOptions {
  readonly meterRole: ChannelRole;
  readonly meterPowerSign?: MeterPowerSign | undefined;
  readonly batteryPowerSign?: BatteryPowerSign | undefined;
}

/** What one block gives. */
export interface Decoded {
  readonly reading: MeterReading;
  readonly flexibility?: FlexibilityReading;
}

/** One channel of a device: which model it is read from, and how. */
export interface Channel {
  readonly model: Model;
  readonly place: ModelPlace;
  readonly description: ChannelDescription;
  decode(block: Block): Decoded;
}

/** What the planning of channels needs to know. */
export interface Survey {
  readonly read: ReadRegisters;
  readonly places: readonly ModelPlace[];
  readonly make: string;
  readonly options: ChannelOptions;
}

/**
 * The channels of a device: "inverter" for models 101-103, "meter" for 201-203, "battery" for 802 or else 713; a second
 * one of a kind is "meter2" and so on. Reads each model once for its ratings and register steps.
 */
export async function planChannels(survey: Survey): Promise<readonly Channel[]> {
  const ratedMw = await ratedPowerMw(survey);
  const inverters = await planEach(survey, INVERTER_MODELS, (block, n) => {
    const description = describeInverter(block, numbered("inverter", n), ratedMw);
    return { description, decode: (b) => ({ reading: readInverter(b, description) }) };
  });
  const sign = meterSign(survey.options.meterPowerSign, survey.make);
  const meters = await planEach(survey, METER_MODELS, (block, n) => {
    const description = describeMeter(block, {
      name: numbered("meter", n),
      role: survey.options.meterRole,
      sign,
    });
    return { description, decode: (b) => ({ reading: readMeter(b, description, sign.sign) }) };
  });
  return [...inverters, ...meters, ...(await planBatteries(survey))];
}

type Kind = Pick<Channel, "description" | "decode">;

async function planEach(
  survey: Survey,
  models: readonly Model[],
  kind: (block: Block, n: number) => Kind,
): Promise<Channel[]> {
  const channels: Channel[] = [];
  for (const place of survey.places) {
    const model = models.find((candidate) => candidate.id === place.id);
    if (model === undefined || place.length === 0) continue;
    const block = await readBlock(survey.read, model, place);
    channels.push({ model, place, ...kind(block, channels.length + 1) });
  }
  return channels;
}

async function planBatteries(survey: Survey): Promise<Channel[]> {
  const sign = survey.options.batteryPowerSign;
  const batteries = await planEach(survey, [BATTERY_MODEL], (block, n) => {
    const description = describeBattery(block, numbered("battery", n), sign);
    return { description, decode: (b) => decodeBattery(b, description.name, sign) };
  });
  if (batteries.length > 0) return batteries;
  return await planEach(survey, [STORAGE_MODEL], (_block, n) => {
    const description = describeStorage(numbered("battery", n));
    return { description, decode: (b) => decodeStorage(b, description.name) };
  });
}

function decodeBattery(block: Block, channel: string, sign: BatteryPowerSign | undefined): Decoded {
  return { reading: readBattery(block, channel, sign), flexibility: batteryFlexibility(block, channel) };
}

function decodeStorage(block: Block, channel: string): Decoded {
  return { reading: readStorage(block, channel), flexibility: storageFlexibility(block, channel) };
}

/** WRtg of model 120, where there is exactly one inverter that it can belong to. */
async function ratedPowerMw(survey: Survey): Promise<number | undefined> {
  const inverters = survey.places.filter((place) => INVERTER_MODELS.some((model) => model.id === place.id));
  const plates = survey.places.filter((place) => place.id === NAMEPLATE_MODEL.id && place.length > 0);
  const [plate] = plates;
  if (inverters.length !== 1 || plates.length !== 1 || plate === undefined) return undefined;
  return (await readBlock(survey.read, NAMEPLATE_MODEL, plate)).optionalMilli("WRtg");
}

function numbered(name: string, n: number): string {
  return n === 1 ? name : `${name}${n}`;
}
