import type { Source } from "./block.ts";
import type { BlockSet, Channel, Decoded } from "./channel.ts";
import { describeDer, readDer } from "./der.ts";
import { SignWatch } from "./doubts.ts";
import { inverterFlexibility } from "./flexibility.ts";
import { describeInverter, readInverter } from "./inverter.ts";
import { IMMEDIATE_MODEL, NAMEPLATE_MODEL, SETTINGS_MODEL, STATUS_MODEL } from "./models-controls.ts";
import { DER_CAPACITY_MODEL, DER_CONTROL_MODEL, ENTER_SERVICE_MODEL } from "./models-der.ts";
import { controlsAreReadable } from "./signs.ts";
import { numbered, onlySource, type Planning } from "./survey.ts";

/** Where the controls of an inverter are. */
interface ControlSources {
  readonly controls: Source;
  readonly settings: Source | undefined;
  readonly ratings: Source | undefined;
  readonly service: Source | undefined;
}

/** Channels of models 101-103 and 111-113. */
export function planInverters(planning: Planning, sources: readonly Source[]): readonly Channel[] {
  const [single] = sources.length === 1 ? sources : [];
  const plate = single === undefined ? undefined : onlySource(planning, NAMEPLATE_MODEL);
  const controls = single === undefined ? undefined : immediateSources(planning, plate);
  return sources.map((source, index) => {
    const facts = {
      name: numbered("inverter", index),
      make: planning.make,
      ratedMw: planning.blocks.find(plate)?.optionalMilli("WRtg"),
    };
    const description = describeInverter(planning.blocks.of(source), facts);
    return {
      ...{ description, sources: [source], extras: extrasOf(controls) },
      decode: (blocks) => withFlexibility(readInverter(blocks.of(source), description), { blocks, controls }),
    };
  });
}

/** Model 123 with what its percentages are of; not where it only takes commands. */
function immediateSources(planning: Planning, ratings: Source | undefined): ControlSources | undefined {
  const controls = onlySource(planning, IMMEDIATE_MODEL);
  if (controls === undefined || !controlsAreReadable(planning.make)) return undefined;
  const settings = onlySource(planning, SETTINGS_MODEL);
  return { controls, settings, ratings, service: onlySource(planning, STATUS_MODEL) };
}

/**
 * Channels of model 701. The AC side of a device whose DC ports are all of a storage is that of a storage; what
 * a device with a storage is told to do is said by the storage's channel.
 */
export function planDers(
  planning: Planning,
  sources: readonly Source[],
  { storage, storageOnly }: { readonly storage: boolean; readonly storageOnly: boolean },
): readonly Channel[] {
  const single = sources.length === 1;
  const capacity = single ? onlySource(planning, DER_CAPACITY_MODEL) : undefined;
  const controls = single && !storage ? derSources(planning, capacity) : undefined;
  return sources.map((source, index) => {
    const description = describeDer(planning.blocks.of(source), {
      name: numbered("inverter", index),
      role: storageOnly ? "storage" : "generation",
      capacity: planning.blocks.find(capacity),
    });
    const watch = new SignWatch();
    return {
      ...{ description, sources: [source], extras: extrasOf(controls) },
      decode: (blocks) =>
        withFlexibility(readDer(blocks.of(source), description, watch), { blocks, controls }),
    };
  });
}

function derSources(planning: Planning, capacity: Source | undefined): ControlSources | undefined {
  const controls = onlySource(planning, DER_CONTROL_MODEL);
  if (controls === undefined) return undefined;
  const service = onlySource(planning, ENTER_SERVICE_MODEL);
  return { controls, settings: capacity, ratings: capacity, service };
}

function extrasOf(controls: ControlSources | undefined): readonly Source[] {
  if (controls === undefined) return [];
  const { settings, ratings, service } = controls;
  return [controls.controls, settings, ratings, service].flatMap((source) => source ?? []);
}

interface Surroundings {
  readonly blocks: BlockSet;
  readonly controls: ControlSources | undefined;
}

function withFlexibility(decoded: Decoded, { blocks, controls }: Surroundings): Decoded {
  const block = blocks.find(controls?.controls);
  if (controls === undefined || block === undefined) return decoded;
  const around = {
    controls: block,
    settings: blocks.find(controls.settings),
    ratings: blocks.find(controls.ratings),
    service: blocks.find(controls.service),
  };
  const flexibility = inverterFlexibility(around, decoded.reading);
  return flexibility === undefined ? decoded : { ...decoded, flexibility };
}
