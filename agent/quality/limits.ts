import type { ChannelDescription } from "../../drivers/driver.ts";

/** What can physically flow through a channel and what its values may be. */
export interface Limits {
  /** Most power into and out of the boundary, unsigned. */
  readonly importMw: number;
  readonly exportMw: number;
  readonly voltageMv: number;
  readonly currentMa: number;
  readonly frequencyMhz: number;
  /** From this power on a meter is not at rest any more. */
  readonly flowMw: number;
  /** From this power on the registers must count. Undefined where nobody says what is little for the channel. */
  readonly countedImportMw?: number;
  readonly countedExportMw?: number;
}

/** What a channel's limits follow from. */
export type RatedChannel = Pick<
  ChannelDescription,
  "role" | "maxImportMw" | "maxExportMw" | "ctRatio" | "vtRatio"
>;

/** Nameplates are exceeded for seconds: fuses are slow, and inverters overshoot when clouds part. */
const HEAD_ROOM_PERCENT = 125;
/** Where nobody says what a channel can take: 2 MW, beyond which no low-voltage connection goes. */
const UNKNOWN_MW = 2_000_000_000;
/** A channel that is said to give nothing still draws or leaks a little, and meters are not exact: 100 W. */
const LEAST_MW = 100_000;
/** Readings of medium voltage are primary values: 100 kV. */
const MOST_MV = 100_000_000;
/** 20 kA. */
const MOST_MA = 20_000_000;
/** 70 Hz; 0 is a line that is switched off. */
const MOST_MHZ = 70_000;
/**
 * Meters show powers that they do not count yet. IEC 62053-21 lets a class 2 meter start at 0.005 of its basic
 * current, of at most 80 A: 276 W in three phases of 230 V; behind transformers at 0.003 of 5 A: 10.4 W before the ratio.
 */
const DIRECT_START_MW = 300_000;
const TRANSFORMER_START_MW = 11_000;
/** What starts a meter that fits its connection lies far below 1 % of what flows through it at most. */
const START_PART = 100;

/** Limits of a channel from its nameplate, with 25 % head room, or from what is possible at all. */
export function limitsOf(channel: RatedChannel): Limits {
  const { role, maxImportMw, maxExportMw } = channel;
  // What a generator draws for itself is less than what it can give.
  const importMw = maxImportMw ?? (role === "generation" ? maxExportMw : undefined);
  return {
    importMw: withHeadRoom(importMw),
    exportMw: withHeadRoom(maxExportMw),
    voltageMv: MOST_MV,
    currentMa: MOST_MA,
    frequencyMhz: MOST_MHZ,
    flowMw: flowOf(channel),
    ...(importMw === undefined ? {} : { countedImportMw: Math.max(flowOf(channel), importMw / START_PART) }),
    ...(maxExportMw === undefined
      ? {}
      : { countedExportMw: Math.max(flowOf(channel), maxExportMw / START_PART) }),
  };
}

function flowOf({ ctRatio = [1, 1], vtRatio = [1, 1] }: RatedChannel): number {
  const ratio = (ctRatio[0] / ctRatio[1]) * (vtRatio[0] / vtRatio[1]);
  return Math.max(DIRECT_START_MW, Math.ceil(TRANSFORMER_START_MW * ratio));
}

function withHeadRoom(nameplateMw: number | undefined): number {
  if (nameplateMw === undefined) return UNKNOWN_MW;
  return Math.max(Math.floor((nameplateMw / 100) * HEAD_ROOM_PERCENT), LEAST_MW);
}
