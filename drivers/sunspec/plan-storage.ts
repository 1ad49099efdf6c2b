import { batteryFlexibility, describeBattery, readBattery } from "./battery.ts";
import type { Source } from "./block.ts";
import type { BlockSet, Channel } from "./channel.ts";
import { storageFlow } from "./dc.ts";
import { BANK_MODEL, BATTERY_MODEL } from "./models-battery.ts";
import { MPPT_MODEL, NAMEPLATE_MODEL, STORAGE_CONTROL_MODEL } from "./models-controls.ts";
import {
  DC_MODEL,
  DER_CAPACITY_MODEL,
  DER_CONTROL_MODEL,
  ENTER_SERVICE_MODEL,
  STORAGE_MODEL,
} from "./models-der.ts";
import {
  describeStorage,
  hasStorage,
  readStorage,
  type StorageBlocks,
  storageFlexibility,
} from "./storage.ts";
import { numbered, onlySource, type Planning, sourcesOf } from "./survey.ts";

/** Channels of model 802, or else of 713, or else of 124. */
export function planBatteries(planning: Planning): readonly Channel[] {
  const batteries = sourcesOf(planning, [BATTERY_MODEL]);
  if (batteries.length > 0) return planBanks(planning, batteries);
  const ders = storages(planning, [STORAGE_MODEL]);
  if (ders.length > 0)
    return ders.map((source, index) => planStorage(planning, derSources(planning, source), index));
  const hybrids = storages(planning, [STORAGE_CONTROL_MODEL]);
  return hybrids.map((source, index) => planStorage(planning, hybridSources(planning, source), index));
}

function storages(planning: Planning, models: Parameters<typeof sourcesOf>[1]): readonly Source[] {
  return sourcesOf(planning, models).filter((source) => hasStorage(planning.blocks.of(source)));
}

function planBanks(planning: Planning, sources: readonly Source[]): readonly Channel[] {
  const sign = planning.options.batteryPowerSign;
  const bank = sources.length === 1 ? onlySource(planning, BANK_MODEL) : undefined;
  return sources.map((source, index) => {
    const description = describeBattery(planning.blocks.of(source), numbered("battery", index), sign);
    const { name } = description;
    return {
      ...{ description, sources: [source], extras: bank === undefined ? [] : [bank] },
      decode: (blocks) => ({
        reading: readBattery(blocks.of(source), name, sign),
        doubts: [],
        flexibility: batteryFlexibility(blocks.of(source), name, blocks.find(bank)),
      }),
    };
  });
}

/** Where the models of a storage without 802 are. */
interface StorageSources {
  readonly storage: Source;
  readonly dc: Source | undefined;
  readonly ratings: Source | undefined;
  readonly controls: Source | undefined;
  readonly service: Source | undefined;
}

function derSources(planning: Planning, storage: Source): StorageSources {
  return {
    storage,
    dc: flowing(planning, onlySource(planning, DC_MODEL)),
    ratings: onlySource(planning, DER_CAPACITY_MODEL),
    controls: onlySource(planning, DER_CONTROL_MODEL),
    service: onlySource(planning, ENTER_SERVICE_MODEL),
  };
}

function hybridSources(planning: Planning, storage: Source): StorageSources {
  return {
    storage,
    dc: flowing(planning, onlySource(planning, MPPT_MODEL)),
    ratings: onlySource(planning, NAMEPLATE_MODEL),
    controls: undefined,
    service: undefined,
  };
}

/** A DC model that tells what flows into and out of the storage. */
function flowing(planning: Planning, dc: Source | undefined): Source | undefined {
  return storageFlow(planning.blocks.find(dc)) === undefined ? undefined : dc;
}

function planStorage(planning: Planning, sources: StorageSources, index: number): Channel {
  const name = numbered("battery", index);
  const description = describeStorage(blocksOf(sources, planning.blocks), name);
  const { storage, dc, ratings, controls, service } = sources;
  return {
    description,
    sources: [storage, dc].flatMap((source) => source ?? []),
    extras: [ratings, controls, service].flatMap((source) => source ?? []),
    decode: (blocks) => {
      const now = blocksOf(sources, blocks);
      return {
        reading: readStorage(now, description),
        doubts: [],
        flexibility: storageFlexibility(now, name),
      };
    },
  };
}

function blocksOf(sources: StorageSources, blocks: BlockSet): StorageBlocks {
  return {
    storage: blocks.of(sources.storage),
    dc: blocks.find(sources.dc),
    ratings: blocks.find(sources.ratings),
    controls: blocks.find(sources.controls),
    service: blocks.find(sources.service),
  };
}
