import type { ChannelState } from "../../attest/channel-state.ts";
import type { ChannelDescription } from "../../drivers/driver.ts";
import type { GateChannel } from "./gate.ts";
import type { Restored } from "./register-watch.ts";

/**
 * A channel for the gate, as it is rated and as the log knows it. Limits that are not said now are those of the log's
 * manifest: a device that is asleep describes itself with less.
 */
export function gateChannel(
  rated: ChannelDescription,
  state: ChannelState | undefined,
  samplingMs: number,
): GateChannel {
  const { registers = 0, resolutionMwh, maxImportMw, maxExportMw } = state?.manifest ?? {};
  return {
    ...(resolutionMwh === undefined ? {} : { resolutionMwh }),
    ...(maxImportMw === undefined ? {} : { maxImportMw }),
    ...(maxExportMw === undefined ? {} : { maxExportMw }),
    ...rated,
    registers,
    samplingMs,
  };
}

/** The last registers of the channel in the log; none where they are another meter's. */
export function restoredFrom(state: ChannelState | undefined): Restored | undefined {
  if (state?.last === undefined || state.replaced === true) return undefined;
  const { importMwh, exportMwh, timeMs, seq } = state.last;
  // Behind a step of the clock the log's time of the reading is no longer when it was: that is not known.
  const isMoved = (state.lastClockStepSeq ?? -1) > seq;
  return {
    timeMs: isMoved ? 0 : timeMs,
    ...(importMwh === undefined ? {} : { importMwh }),
    ...(exportMwh === undefined ? {} : { exportMwh }),
  };
}
