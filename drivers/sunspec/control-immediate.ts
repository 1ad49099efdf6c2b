import { numberOf } from "../control/values.ts";
import type { ControlCapability, ControlState } from "../control.ts";
import { present } from "../present.ts";
import type { Block, Source } from "./block.ts";
import { grantedMs, type ModelControl, rampSeconds, type SunSpecRatings, timingOf } from "./control-model.ts";
import { isImplemented, ppmOfRaw, rawOfShare, stepOfShare, writeOf } from "./control-points.ts";
import { immediateControls } from "./controls.ts";
import { share } from "./shares.ts";

/*
 * Model 123, points of github.com/sunspec/models json/model_123.json at 7abdf89. It has a timer but no value to go back to:
 * when the time is over the limit is off.
 */

const ON = 1;
const OFF = 0;
const MOST_SECONDS = 0xfffe;

interface Place {
  readonly source: Source;
  readonly block: Block;
  readonly channel: string;
  readonly ratings: SunSpecRatings;
}

/** WMaxLimPct; undefined where the device does not have it, or nobody says what it is a percentage of. */
export function immediateLimitControl({ source, block, channel, ratings }: Place): ModelControl | undefined {
  const outputMw = ratings.outputMw ?? 0;
  const there = isImplemented(block, "WMaxLim_Ena") && isImplemented(block, "WMaxLimPct");
  if (!there || outputMw <= 0) return undefined;
  const timer = isImplemented(block, "WMaxLimPct_RvrtTms");
  const ramp = isImplemented(block, "WMaxLimPct_RmpTms");
  const capability: ControlCapability = {
    ...{ kind: "exportLimit", channel, revertsTo: "automatic", ramp, excludes: [] },
    ...timingOf(timer ? MOST_SECONDS : undefined),
    step: stepOfShare(block, "WMaxLimPct", outputMw),
  };
  return {
    ...{ source, capability },
    state: (now, { outputMw: maximumMw }) => {
      const limit = immediateControls(now, maximumMw).exportLimit;
      const { powerMw } = limit ?? {};
      return present<ControlState>({
        ...{ kind: "exportLimit", channel, active: limit?.enabled },
        value:
          limit?.enabled === true && powerMw !== undefined
            ? { kind: "exportLimit", limitMw: powerMw }
            : undefined,
      });
    },
    plan: (now, command) => {
      const leaseMs = grantedMs(command, capability);
      const raw = rawOfShare(now, "WMaxLimPct", numberOf(command), outputMw);
      const times = {
        ...(timer ? { WMaxLimPct_RvrtTms: leaseMs / 1000 } : {}),
        ...(ramp ? { WMaxLimPct_RmpTms: rampSeconds(command.rampMwPerS, outputMw) } : {}),
      };
      return {
        leaseMs,
        written: {
          kind: "exportLimit",
          limitMw: share(outputMw, ppmOfRaw(now, "WMaxLimPct", raw)) ?? 0,
        },
        writes: [
          ...(timer || ramp ? [writeOf(now, times)] : []),
          writeOf(now, { WMaxLimPct: raw }),
          writeOf(now, { WMaxLim_Ena: ON }),
        ],
      };
    },
    revert: (now) => [
      writeOf(now, { WMaxLim_Ena: OFF }),
      ...(timer ? [writeOf(now, { WMaxLimPct_RvrtTms: 0 })] : []),
    ],
  };
}
