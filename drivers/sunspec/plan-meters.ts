import type { Source } from "./block.ts";
import type { Channel } from "./channel.ts";
import { SignWatch } from "./doubts.ts";
import { describeMeter, type MeterFacts, readMeter } from "./meter.ts";
import { countsExportDown, meterSign } from "./signs.ts";
import { numbered, type Planning } from "./survey.ts";

/** Channels of models 201-204 and 211-214. */
export function planMeters(planning: Planning, sources: readonly Source[]): readonly Channel[] {
  const { make, options, blocks } = planning;
  return sources.map((source, index) => {
    const facts: MeterFacts = {
      name: numbered("meter", index),
      role: options.meterRole,
      sign: meterSign(options.meterPowerSign, make),
      countsExportDown: countsExportDown(make),
    };
    const description = describeMeter(blocks.of(source), facts);
    const watch = new SignWatch();
    return {
      ...{ description, sources: [source], extras: [] },
      decode: (now) => readMeter(now.of(source), description, { facts, watch }),
    };
  });
}
