import type { Source } from "./block.ts";
import type { Channel } from "./channel.ts";
import { isStorageOnly } from "./dc.ts";
import type { Model } from "./models.ts";
import { INVERTER_FLOAT_MODELS, INVERTER_MODELS, METER_FLOAT_MODELS, METER_MODELS } from "./models-ac.ts";
import { DC_MODEL, DER_AC_MODEL } from "./models-der.ts";
import { planDcSide } from "./plan-dc.ts";
import { planDers, planInverters } from "./plan-inverters.ts";
import { planMeters } from "./plan-meters.ts";
import { planBatteries } from "./plan-storage.ts";
import { onlySource, type Planning, sourcesOf } from "./survey.ts";

/**
 * The channels of a device: "inverter" for models 701, 101-103 or 111-113, "meter" for 201-204 or 211-214, "battery" for
 * 802, 713 or 124; a second one of a kind is "meter2" and so on. Where the configuration asks for them, "dc1" and so on
 * for the inputs of 160 or the ports of 714, "string1" for the strings of 803 or 804.
 */
export function planChannels(planning: Planning): readonly Channel[] {
  const batteries = planBatteries(planning);
  const inverters = oneFamily(planning, [[DER_AC_MODEL], INVERTER_MODELS, INVERTER_FLOAT_MODELS]);
  const ders = inverters.filter(({ model }) => model === DER_AC_MODEL);
  const others = inverters.filter(({ model }) => model !== DER_AC_MODEL);
  const storage = batteries.length > 0;
  const storageOnly = storage && isStorageOnly(planning.blocks.find(onlySource(planning, DC_MODEL)));
  const ownStorage = batteries.some(({ sources }) => sources.some(({ model }) => model === DC_MODEL));
  return [
    ...planDers(planning, ders, { storage, storageOnly }),
    ...planInverters(planning, others),
    ...planMeters(planning, oneFamily(planning, [METER_MODELS, METER_FLOAT_MODELS])),
    ...batteries,
    ...(planning.options.dcChannels ? planDcSide(planning, ownStorage) : []),
  ];
}

/** The energy registers of the models that come in several forms. */
const ENERGIES = ["WH", "TotWhInj", "TotWhAbs", "TotWhImp", "TotWhExp"];

/**
 * Some devices show one and the same boundary in several families of models: integers, floats, and the suite of IEEE
 * 1547-2018. Read is the first family that has counted energy, or else the first that there is; the exact ones first.
 */
function oneFamily(planning: Planning, families: readonly (readonly Model[])[]): readonly Source[] {
  const present = families
    .map((models) => sourcesOf(planning, models))
    .filter((sources) => sources.length > 0);
  const counting = present.find((sources) => sources.some((source) => hasCounted(planning, source)));
  return counting ?? present[0] ?? [];
}

function hasCounted({ blocks }: Planning, source: Source): boolean {
  const energies = ENERGIES.filter((name) => source.model.points.has(name));
  return energies.some((name) => (blocks.of(source).optionalMilli(name) ?? 0) > 0);
}
