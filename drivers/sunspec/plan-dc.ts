import type { Source } from "./block.ts";
import type { Channel } from "./channel.ts";
import { dcPorts, describePort, describeString, readPort, readString, stringFields } from "./dc.ts";
import type { Model } from "./models.ts";
import { BANK_MODEL, STRING_MODEL } from "./models-battery.ts";
import { MPPT_MODEL } from "./models-controls.ts";
import { DC_MODEL } from "./models-der.ts";
import { type Planning, sourcesOf } from "./survey.ts";

/**
 * The DC side as channels: its energy is that of the AC side before it is converted. `ownStorage`: the storage port of
 * model 714 is part of the battery's channel already.
 */
export function planDcSide(planning: Planning, ownStorage: boolean): readonly Channel[] {
  return [...planPorts(planning, ownStorage), ...planStrings(planning)];
}

/**
 * Ports of model 714, or else inputs of 160. "dc2" is the model's second one, whether its first says anything or not.
 */
function planPorts(planning: Planning, ownStorage: boolean): readonly Channel[] {
  const channels: Channel[] = [];
  let before = 0;
  for (const source of firstOf(planning, [DC_MODEL, MPPT_MODEL])) {
    const block = planning.blocks.of(source);
    for (const { at, port } of dcPorts(block, ownStorage)) {
      const description = describePort(port, `dc${before + at + 1}`);
      channels.push({
        ...{ description, sources: [source], extras: [] },
        decode: (blocks) => ({ reading: readPort(blocks.of(source), at, description.name), doubts: [] }),
      });
    }
    before += block.sets().length;
  }
  return channels;
}

/** Strings, each by a model 804 of its own, or else by the sets of 803. */
function planStrings(planning: Planning): readonly Channel[] {
  const strings = firstOf(planning, [STRING_MODEL, BANK_MODEL]).flatMap((source) =>
    stringFields(planning.blocks.of(source)).map((_, at) => ({ source, at })),
  );
  return strings.map(({ source, at }, index) => {
    const name = `string${index + 1}`;
    return {
      ...{ description: describeString(name), sources: [source], extras: [] },
      decode: (blocks) => ({ reading: readString(blocks.of(source), at, name), doubts: [] }),
    };
  });
}

/** The places of the first of these models that the device has. */
function firstOf(planning: Planning, models: readonly Model[]): readonly Source[] {
  return models.map((model) => sourcesOf(planning, [model])).find((sources) => sources.length > 0) ?? [];
}
