import type { ChannelDescription } from "../../drivers/driver.ts";

/** What can physically flow through a channel and what its values may be. */
export interface Limits {
  /** Most power into and out of the boundary, unsigned. */
  readonly importMw: number;
  readonly exportMw: number;
  readonly voltageMv: number;
  readonly currentMa: number;
  readonly frequencyMhz: number;
}

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

/** Limits of a channel from its nameplate, with 25 % head room, or from what is possible at all. */
export function limitsOf(channel: Pick<ChannelDescription, "role" | "maxImportMw" | "maxExportMw">): Limits {
  const { role, maxImportMw, maxExportMw } = channel;
  // What a generator draws for itself is less than what it can give.
  const importMw = maxImportMw ?? (role === "generation" ? maxExportMw : undefined);
  return {
    importMw: withHeadRoom(importMw),
    exportMw: withHeadRoom(maxExportMw),
    voltageMv: MOST_MV,
    currentMa: MOST_MA,
    frequencyMhz: MOST_MHZ,
  };
}

function withHeadRoom(nameplateMw: number | undefined): number {
  if (nameplateMw === undefined) return UNKNOWN_MW;
  return Math.max(Math.floor((nameplateMw / 100) * HEAD_ROOM_PERCENT), LEAST_MW);
}
