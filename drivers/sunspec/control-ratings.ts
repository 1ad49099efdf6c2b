import type { ControlLimits } from "../control/options.ts";
import { present } from "../present.ts";
import type { Block } from "./block.ts";
import type { SunSpecRatings } from "./control-model.ts";
import { largest, share, smallest, span } from "./shares.ts";

/** The block of a model, where the device has exactly one of it and answers for it. */
export type BlockOf = (model: number) => Block | undefined;

/** Ratings from models 702, 120, 121, 124, 713 and 802, each where the device has it. */
export function ratingsOf(of: BlockOf, limits: ControlLimits, hasStorage: boolean): SunSpecRatings {
  const [capacity, plate, settings, storage, bank] = [702, 120, 121, 124, 802].map(of);
  const outputMw =
    either(capacity, ["WMax", "WMaxRtg"]) ?? either(settings, ["WMax"]) ?? either(plate, ["WRtg"]);
  const chargeRateMw = positive(storage?.optionalMilli("WChaMax"));
  const dischargeRateMw = either(plate, ["MaxDisChaRte"]);
  const derChargeMw = either(capacity, ["WChaRteMax", "WChaRteMaxRtg"]);
  const derDischargeMw = either(capacity, ["WDisChaRteMax", "WDisChaRteMaxRtg"]);
  return present<SunSpecRatings>({
    ...{ outputMw, chargeRateMw, dischargeRateMw },
    maxExportMw: smallest(outputMw, limits.maxExportMw),
    maxImportMw: hasStorage ? smallest(derChargeMw, limits.maxImportMw) : 0,
    maxChargeMw: smallest(
      derChargeMw,
      chargeRateMw,
      either(plate, ["MaxChaRte"]),
      bank?.optionalMilli("WChaRteMax"),
      limits.maxChargeMw,
    ),
    maxDischargeMw: smallest(
      derDischargeMw,
      dischargeRateMw,
      bank?.optionalMilli("WDisChaRteMax"),
      limits.maxDischargeMw,
    ),
    usableEnergyMwh: usableOf(of(713), bank),
    minReservePpm: bank?.optionalPpm("SoCMin"),
    maxReservePpm: bank?.optionalPpm("SoCMax"),
    rampMwPerS: rampOf(of(704), storage, outputMw),
    responseMs: responseOf(of(123), storage),
  });
}

function either(block: Block | undefined, names: readonly string[]): number | undefined {
  return names.map((name) => positive(block?.optionalMilli(name))).find((value) => value !== undefined);
}

/** A rating of 0 is how a device without a storage fills the point; nothing could be told to it anyway. */
function positive(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

function usableOf(der: Block | undefined, bank: Block | undefined): number | undefined {
  const reserve = largest(bank?.optionalPpm("SoCMin"), bank?.optionalPpm("SoCRsvMin")) ?? 0;
  const charged = span(reserve, bank?.optionalPpm("SoC"));
  return der?.optionalMilli("WHAvail") ?? share(bank?.optionalMilli("WHRtg"), charged);
}

/** WRmp is whole percent of WMax a second, WChaGra percent of WChaMax a second. */
function rampOf(
  controls: Block | undefined,
  storage: Block | undefined,
  outputMw: number | undefined,
): number | undefined {
  const percent = controls?.state("WRmp");
  const der = percent === undefined ? undefined : share(outputMw, percent * 10_000);
  return der ?? share(storage?.optionalMilli("WChaMax"), storage?.optionalPpm("WChaGra"));
}

/** A change comes at any moment of its window. */
function responseOf(immediate: Block | undefined, storage: Block | undefined): number | undefined {
  const seconds = largest(immediate?.state("WMaxLimPct_WinTms"), storage?.state("InOutWRte_WinTms"));
  return seconds === undefined ? undefined : seconds * 1000;
}
