import { Problem } from "../../attest/problem.ts";
import type { AxdrValue } from "./axdr.ts";
import { readDateTime } from "./date-time.ts";
import { CLOCK, LIST_VERSION, METER_NUMBER, obisOf } from "./obis.ts";
import { unitName } from "./units.ts";
import { type DlmsValue, layoutProblem, type Scale, telegramValue } from "./values.ts";

/** A scaler beyond these powers of ten is a damaged one. */
const MAX_SCALER = 20n;

type Place = "first" | "between" | "last";
/** The scale of a code whose list states none. */
export type ScaleOf = (code: string) => Scale | undefined;

/** Values with their codes, one behind the other or in entries, whichever way the list has them. */
export function readItems(items: readonly AxdrValue[], scaleOf: ScaleOf): DlmsValue[] {
  const values: DlmsValue[] = [];
  for (let at = 0; at < items.length; ) {
    const place = at === 0 ? "first" : at === items.length - 1 ? "last" : "between";
    const { value, used } = readItem(items.slice(at, at + 3), place, scaleOf);
    if (value !== undefined) values.push(value);
    at += used;
  }
  return values;
}

/** One item, or the two or three that belong together. */
function readItem(
  next: readonly AxdrValue[],
  place: Place,
  scaleOf: ScaleOf,
): { readonly value: DlmsValue | undefined; readonly used: number } {
  const [item, value, scaler] = next;
  if (item === undefined) return { value: undefined, used: 1 };
  if (item.kind === "list") return { value: readEntry(item), used: 1 };
  // Kamstrup puts null-data in the places of what this meter does not measure.
  if (item.kind === "null") return { value: undefined, used: 1 };
  const code = obisOf(item);
  if (code !== undefined && value !== undefined) {
    const stated = scaler?.kind === "list" ? readScale(scaler) : undefined;
    const used = scaler?.kind === "list" && stated !== undefined ? 3 : 2;
    return { value: telegramValue(code, value, scaleFor(value, stated, scaleOf(code))), used };
  }
  const named = codeByPlace(item, place);
  if (named === undefined) throw layoutProblem(item.offset, "a value stands there without an OBIS code");
  return { value: telegramValue(named, item), used: 1 };
}

/**
 * What may stand there without a code: the list's version or the meter's clock before all, and its number behind all
 * (UtilitechAS/amsreader-firmware @ 0145be8, src/IEC6205675.cpp, for Sagemcom's meters in Austria).
 */
function codeByPlace(item: AxdrValue, place: Place): string | undefined {
  if (place === "last") return item.kind === "octets" || item.kind === "text" ? METER_NUMBER : undefined;
  if (place === "between") return undefined;
  if (item.kind === "text") return LIST_VERSION;
  return item.kind === "octets" && readDateTime(item.bytes) !== undefined ? CLOCK : undefined;
}

/** `{obis, value}` or `{obis, value, {scaler, unit}}`. */
function readEntry(entry: AxdrValue & { kind: "list" }): DlmsValue | undefined {
  const [obis, value, scaler, ...more] = entry.items;
  const code = obisOf(obis);
  if (code === undefined || value === undefined || more.length > 0) {
    throw layoutProblem(entry.offset, "a list entry is not a code and its value");
  }
  if (scaler === undefined) return telegramValue(code, value);
  const stated = scaler.kind === "list" ? readScale(scaler) : undefined;
  if (stated === undefined)
    throw layoutProblem(scaler.offset, `no scaler and unit behind the value of ${code}`);
  return telegramValue(code, value, scaleFor(value, stated, undefined));
}

/** `{scaler, unit}`, "unknown" for a unit that has no name here; undefined for any other list. */
function readScale(list: AxdrValue & { kind: "list" }): Scale | "unknown" | undefined {
  const [scaler, unit, ...more] = list.items;
  if (scaler?.kind !== "integer" || unit?.kind !== "enum" || more.length > 0) return undefined;
  if (scaler.value > MAX_SCALER || scaler.value < -MAX_SCALER) {
    throw new Problem("dlms-scaler", "a scaler cannot be", {
      where: `offset ${scaler.offset}`,
      expected: `at most ${MAX_SCALER} either way`,
      got: String(scaler.value),
    });
  }
  const name = unitName(unit.value);
  return name === undefined ? "unknown" : { unit: name, exponent: Number(scaler.value) };
}

function scaleFor(
  value: AxdrValue,
  stated: Scale | "unknown" | undefined,
  known: Scale | undefined,
): Scale | undefined {
  if (value.kind !== "integer" && value.kind !== "float") return undefined;
  if (stated === "unknown") return undefined;
  return stated ?? known;
}
