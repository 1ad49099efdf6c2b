import { Problem } from "../../attest/problem.ts";
import type { ChannelRole } from "../../attest/reading.ts";
import type { ControlRatings, ControlValue } from "../../drivers/control.ts";
import type { ControlledResource, SiteMeterSettings } from "./settings.ts";

/** What was measured, and when on the clock that is never set. */
export interface Measured {
  readonly atMs: number;
  readonly value: number;
}

/** A discharge begins only so far above the reserve. */
export const RESERVE_MARGIN_PPM = 10_000;
/** Older than this nobody knows how full a battery is, or what flows through it. */
export const STATE_STALE_MS = 120_000;
export const POWER_STALE_MS = 30_000;

/** What the meter at the grid connection says. */
export class SiteWatch {
  readonly #settings: SiteMeterSettings | undefined;
  #last: Measured | undefined;

  constructor(settings: SiteMeterSettings | undefined) {
    this.#settings = settings;
  }

  read(atMs: number, powerMw: number): void {
    if (this.#last === undefined || atMs >= this.#last.atMs) this.#last = { atMs, value: powerMw };
  }

  /** Without a meter nothing is stale. */
  isStale(nowMs: number): boolean {
    if (this.#settings === undefined) return false;
    return this.#last === undefined || nowMs - this.#last.atMs > this.#settings.maxStaleMs;
  }

  get lastMs(): number | undefined {
    return this.#last?.atMs;
  }

  /** The direction whose limit would be broken with so much more power than now. */
  broken(changeMw: number): "import" | "export" | undefined {
    const expected = (this.#last?.value ?? 0) + changeMw;
    const { maxImportMw, maxExportMw } = this.#settings ?? {};
    if (maxImportMw !== undefined && expected > maxImportMw) return "import";
    if (maxExportMw !== undefined && 0 - expected > maxExportMw) return "export";
    return undefined;
  }

  /** Where the value itself is one of the grid connection. */
  brokenAt(powerMw: number): "import" | "export" | undefined {
    return this.broken(powerMw - (this.#last?.value ?? 0));
  }
}

/** Whether ending the value could help a limit that is broken; what pushes the other way, or limits it, cannot. */
export function isToBlame(value: ControlValue, direction: "import" | "export"): boolean {
  if (value.kind === "powerSetpoint") return direction === "import" ? value.powerMw >= 0 : value.powerMw <= 0;
  if (isAdvice(value)) return direction === "import";
  return value.kind !== (direction === "import" ? "importLimit" : "exportLimit");
}

function isAdvice(value: ControlValue): boolean {
  return value.kind === "mode" && value.mode === "advised";
}

/** Whether a value may empty the battery. What a setpoint of the grid connection does to it is not known beforehand. */
export function mayDischarge(value: ControlValue, role: ChannelRole | undefined): boolean {
  if (value.kind === "powerSetpoint") return role === "grid" || value.powerMw < 0;
  return value.kind === "mode" && value.mode === "dischargeOnly";
}

/** What a hold is judged by before anything is told to the device. */
export interface Judged {
  readonly resource: ControlledResource;
  readonly role: ChannelRole | undefined;
  readonly ratings: ControlRatings;
  readonly site: SiteWatch;
  readonly nowMs: number;
  readonly charge: Measured | undefined;
  readonly power: Measured | undefined;
}

/** Throws `control-limit`, or `control-outside-ratings`: a value is taken as it is, or not at all. */
export function requireWithin(value: ControlValue, judged: Judged): void {
  if (value.kind === "powerSetpoint") requirePower(value.powerMw, judged);
  if (value.kind === "stateOfChargeReserve") requireReserve(value.reservePpm, judged);
  if (mayDischarge(value, judged.role)) requireCharge(judged);
  const direction = brokenBy(value, judged);
  if (direction === undefined || !isToBlame(value, direction)) return;
  throw limit(judged, `the limit of ${direction} at the grid connection would be broken`, {
    hint: "what flows through the device now is taken for the worst where no fresh reading says it",
  });
}

/** Why a value that runs has to end, from what was measured. */
export function brokenRule(value: ControlValue, judged: Omit<Judged, "ratings">): string | undefined {
  const { resource, role, charge, nowMs, site } = judged;
  if (site.isStale(nowMs)) return "site-meter-stale";
  const direction = site.broken(0);
  if (direction !== undefined && isToBlame(value, direction)) return `${direction}-limit`;
  if (resource.reservePpm === undefined || !mayDischarge(value, role)) return undefined;
  if (!isFresh(charge, nowMs, STATE_STALE_MS)) return "state-of-charge-stale";
  return charge.value <= resource.reservePpm ? "state-of-charge-reserve" : undefined;
}

/** Where a ramp begins: at what flows now, as far as it may be told at all. */
export function rampStart(powerMw: number, judged: Pick<Judged, "resource" | "charge" | "nowMs">): number {
  const { resource, charge, nowMs } = judged;
  const { maxChargeMw = Number.POSITIVE_INFINITY, maxDischargeMw = Number.POSITIVE_INFINITY } = resource;
  const reservePpm = resource.reservePpm ?? Number.NEGATIVE_INFINITY;
  const isFull = isFresh(charge, nowMs, STATE_STALE_MS) && charge.value > reservePpm;
  const least = isFull || resource.reservePpm === undefined ? 0 - maxDischargeMw : 0;
  return Math.max(least, Math.min(powerMw, maxChargeMw));
}

export function isFresh(measured: Measured | undefined, nowMs: number, mostMs: number): measured is Measured {
  return measured !== undefined && nowMs - measured.atMs <= mostMs;
}

function requirePower(powerMw: number, judged: Judged): void {
  const { resource, ratings, role } = judged;
  const most = (...known: readonly (number | undefined)[]): number =>
    Math.max(...known.map((one) => one ?? Number.NEGATIVE_INFINITY));
  const rated =
    powerMw > 0
      ? most(ratings.maxChargeMw, ratings.maxImportMw)
      : most(ratings.maxDischargeMw, ratings.maxExportMw);
  // Where nobody says it the driver refuses by itself.
  if (Number.isFinite(rated) && Math.abs(powerMw) > rated)
    throw new Problem("control-outside-ratings", "more power than the device has", {
      where: resource.device,
      expected: `at most ${rated} mW`,
      got: String(powerMw),
    });
  const own = powerMw > 0 ? resource.maxChargeMw : resource.maxDischargeMw;
  if (role === "grid" || own === undefined || Math.abs(powerMw) <= own) return;
  throw limit(judged, "more power than is configured", {
    expected: `at most ${own} mW`,
    got: String(powerMw),
  });
}

function requireReserve(reservePpm: number, judged: Judged): void {
  const least = judged.resource.reservePpm ?? 0;
  if (reservePpm >= least) return;
  throw limit(judged, "less than the reserve", {
    expected: `at least ${least} ppm`,
    got: String(reservePpm),
  });
}

function requireCharge(judged: Judged): void {
  const { resource, charge, nowMs } = judged;
  if (resource.reservePpm === undefined) return;
  if (!isFresh(charge, nowMs, STATE_STALE_MS))
    throw limit(judged, "nobody knows how full the battery is, and it has a reserve", {});
  if (charge.value > resource.reservePpm + RESERVE_MARGIN_PPM) return;
  throw limit(judged, "the battery is at its reserve", {
    expected: `more than ${resource.reservePpm + RESERVE_MARGIN_PPM} ppm`,
    got: String(charge.value),
  });
}

function brokenBy(value: ControlValue, judged: Judged): "import" | "export" | undefined {
  const { site, role } = judged;
  // A load that is advised to take more may take all that it can.
  if (isAdvice(value)) return site.broken((judged.ratings.maxImportMw ?? 0) - takenMw(judged));
  if (value.kind !== "powerSetpoint") return site.broken(0);
  if (role === "grid") return site.brokenAt(value.powerMw);
  return site.broken(value.powerMw - presentMw(value.powerMw, judged));
}

/** What flows into the device; nothing where nobody knows. */
function takenMw({ power, nowMs }: Judged): number {
  return isFresh(power, nowMs, POWER_STALE_MS) ? Math.max(0, power.value) : 0;
}

/** What flows through the device; where nobody knows, what makes the change the largest. */
function presentMw(powerMw: number, { power, nowMs, resource, ratings }: Judged): number {
  if (isFresh(power, nowMs, POWER_STALE_MS)) return power.value;
  const { maxChargeMw = 0, maxImportMw = 0, maxDischargeMw = 0, maxExportMw = 0 } = ratings;
  return powerMw > 0
    ? 0 - Math.max(resource.maxDischargeMw ?? 0, maxDischargeMw, maxExportMw)
    : Math.max(resource.maxChargeMw ?? 0, maxChargeMw, maxImportMw);
}

function limit(
  { resource }: Judged,
  what: string,
  detail: { readonly expected?: string; readonly got?: string; readonly hint?: string },
): Problem {
  return new Problem("control-limit", what, { where: resource.device, ...detail });
}
