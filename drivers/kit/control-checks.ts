import { CONTROL_KINDS, type ControlCapability, type ControlRatings } from "../control.ts";

/** What is wrong with a driver's capabilities, in words; undefined when nothing is. */
export function capabilityFault(
  capabilities: readonly ControlCapability[],
  channels: readonly string[],
): string | undefined {
  if (capabilities.length === 0) return "there is none";
  const kinds = capabilities.map(({ kind }) => kind);
  const twice = kinds.find((kind, at) => kinds.indexOf(kind) !== at);
  if (twice !== undefined) return `${twice} is there twice`;
  for (const capability of capabilities) {
    const fault = oneFault(capability, channels) ?? exclusionFault(capability, capabilities);
    if (fault !== undefined) return `${capability.kind}: ${fault}`;
  }
  return undefined;
}

function oneFault(capability: ControlCapability, channels: readonly string[]): string | undefined {
  const { kind, channel, step, modes, shortestLeaseMs, longestLeaseMs } = capability;
  if (!Object.hasOwn(CONTROL_KINDS, kind)) return "no such kind";
  if (!channels.includes(channel)) return `there is no channel "${channel}"`;
  if (!isWhole(step) || step < 1) return `step is ${step}`;
  if (!isWhole(shortestLeaseMs) || shortestLeaseMs < 1) return `the shortest lease is ${shortestLeaseMs} ms`;
  if (!isWhole(longestLeaseMs) || longestLeaseMs < shortestLeaseMs)
    return `the longest lease is ${longestLeaseMs} ms`;
  if ((kind === "mode") !== (modes !== undefined && modes.length > 0)) return "modes belong to the kind mode";
  return undefined;
}

/** Who excludes another is excluded by it. */
function exclusionFault(
  { kind, excludes }: ControlCapability,
  all: readonly ControlCapability[],
): string | undefined {
  const other = excludes.find(
    (one) => all.find((each) => each.kind === one)?.excludes.includes(kind) !== true,
  );
  return other === undefined ? undefined : `it excludes ${other}, which does not exclude it`;
}

/** The first rating that is no whole number, 0 or more. */
export function ratingsFault(ratings: ControlRatings): string | undefined {
  const wrong = Object.entries(ratings).find(
    ([, value]: [string, unknown]) => !isWhole(value) || Number(value) < 0,
  );
  return wrong === undefined ? undefined : `${wrong[0]} is ${String(wrong[1])}`;
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value);
}
