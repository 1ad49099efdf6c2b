import { READING_STATUS } from "../../attest/reading.ts";
import { present } from "../present.ts";
import type { Block } from "./block.ts";
import type { ChannelFlexibility, ChannelReading } from "./channel.ts";
import { allowedMw, derControls, immediateControls, type LimitControl } from "./controls.ts";

/** Models that say what an inverter without a storage is told to do. */
export interface InverterControls {
  /** Model 123 or 704. */
  readonly controls: Block;
  /** Model 121 or 702, which the percentages are of. */
  readonly settings: Block | undefined;
  /** Model 120 or 702. */
  readonly ratings: Block | undefined;
  /** Model 122 or 703. */
  readonly service: Block | undefined;
}

/** Model 122, point ECPConn, and model 703, point ES: bit 0 clear, or 0, is not connected. */
const CONNECTED_BIT = 1;

/** Beyond a limit by more than 1 part in 20 and 100 W, the limit is not the one that the device keeps to. */
const SHARE = 20;
const LEAST_MW = 100_000;

/**
 * What an inverter may give out now, and what it is told to. Undefined when model 123 or 704 says what the measured
 * power contradicts: some devices take commands there and do not say what they do.
 */
export function inverterFlexibility(
  { controls, settings, ratings, service }: InverterControls,
  reading: ChannelReading,
): ChannelFlexibility | undefined {
  const maximumMw =
    settings?.optionalMilli("WMax") ?? ratings?.optionalMilli(ratings.model.id === 120 ? "WRtg" : "WMaxRtg");
  const told = toldBy(controls, maximumMw);
  const exportLimitMw = allowedMw(told.exportLimit, maximumMw);
  const contradiction = contradictionOf(told, exportLimitMw, reading.activePowerMw);
  if (contradiction !== undefined) return controls.miss(contradiction.point, contradiction.why);
  const resting = (reading.status ?? 0) & (READING_STATUS.standby | READING_STATUS.deviceFault);
  const inService =
    ((service?.state(service.model.id === 122 ? "ECPConn" : "ES") ?? 1) & CONNECTED_BIT) !== 0;
  return present<ChannelFlexibility>({
    channel: reading.channel,
    exportLimitMw,
    setpointMw: told.setpointMw,
    available: told.connected && inService && reading.status !== undefined && resting === 0,
  });
}

interface Told {
  readonly connected: boolean;
  readonly exportLimit: LimitControl | undefined;
  readonly setpointMw: number | undefined;
}

function toldBy(controls: Block, maximumMw: number | undefined): Told {
  if (controls.model.id === 123) {
    const { connected = true, exportLimit } = immediateControls(controls, maximumMw);
    return { connected, exportLimit, setpointMw: undefined };
  }
  const { exportLimit, setpoint } = derControls(controls, maximumMw);
  return {
    connected: true,
    exportLimit,
    setpointMw: setpoint?.enabled === true ? setpoint.powerMw : undefined,
  };
}

function contradictionOf(
  { connected }: Told,
  limitMw: number | undefined,
  powerMw: number | undefined,
): { readonly point: string; readonly why: string } | undefined {
  const givenMw = -(powerMw ?? 0);
  const allowed = limitMw === undefined ? undefined : limitMw + Math.floor(limitMw / SHARE) + LEAST_MW;
  if (!connected && givenMw > LEAST_MW)
    return { point: "Conn", why: `disconnected, yet ${givenMw / 1000} W are given out` };
  if (allowed === undefined || limitMw === undefined || givenMw <= allowed) return undefined;
  return { point: "WMaxLimPct", why: `at most ${limitMw / 1000} W, yet ${givenMw / 1000} W are given out` };
}
