import { Skipped } from "../../../drivers/kit/checklist.ts";
import { type ApparentPower, apparentPower } from "../apparent-power.ts";
import { distinct, firstOf, type Seen } from "./seen.ts";

/** No load with this much current has so little power, but for a capacitor or a coil alone. */
const LEAST_APPARENT_MW = 100_000;
const MOST_APPARENT_BY_POWER = 500;

/**
 * What is wrong with power against voltage times current, which it can be below and never clearly above: the power factor is
 * nobody's to know. On several phases power in and power out meet, so that it may be nothing at all.
 *
 * @throws Skipped where no channel shows all three
 */
export function apparentPowerFault(seen: readonly Seen[]): string | undefined {
  const names = new Set(
    seen.flatMap(({ snapshot }) => snapshot.channels.map(({ reading }) => reading.channel)),
  );
  const channels = [...names].map((name) => ({ name, shown: shownBy(name, seen) }));
  const compared = channels.filter(({ shown }) => shown.length > 0);
  if (compared.length === 0) throw new Skipped("not seen: no channel shows power, voltage and current");
  return firstOf(compared, ({ name, shown }) => {
    const words = tooMuch(shown) ?? tooLittle(shown);
    return words === undefined ? undefined : `channel ${name}: ${words}`;
  });
}

function shownBy(name: string, seen: readonly Seen[]): readonly ApparentPower[] {
  return distinct(seen).flatMap(({ snapshot }) => {
    const one = snapshot.channels.find(({ reading }) => reading.channel === name);
    return (one && apparentPower(one.reading)) ?? [];
  });
}

function tooMuch(shown: readonly ApparentPower[]): string | undefined {
  const beyond = shown.filter(({ powerMw, mostMw }) => Math.abs(powerMw) > mostMw);
  const [one] = beyond;
  if (one === undefined) return undefined;
  return `${words(one)}, in ${beyond.length} of ${shown.length} snapshots: not of one instant, or not in mW, mV and mA`;
}

function tooLittle(shown: readonly ApparentPower[]): string | undefined {
  const isLittle = shown.every(
    ({ powerMw, apparentMw, phases }) =>
      phases === 1 &&
      apparentMw >= LEAST_APPARENT_MW &&
      Math.abs(powerMw) * MOST_APPARENT_BY_POWER < apparentMw,
  );
  const [one] = shown;
  if (one === undefined || !isLittle) return undefined;
  return `${words(one)}, and alike in all ${shown.length} snapshots: is p in mW? Only a capacitor or a coil alone has so little`;
}

function words({ powerMw, apparentMw }: ApparentPower): string {
  return `power is ${powerMw} mW, voltage times current ${apparentMw} mVA`;
}
