import { Problem } from "../../attest/problem.ts";
import type { AxdrValue } from "./axdr.ts";
import { readIskraList } from "./iskra.ts";
import { readItems } from "./items.ts";
import { isKaifaList1, isKaifaVersion, kaifaScale, readKaifaList } from "./kaifa.ts";
import { isKamstrupVersion, kamstrupScales } from "./kamstrup.ts";
import { listsObjects, readObjectList } from "./objects.ts";
import { type DlmsValue, layoutProblem } from "./values.ts";

/**
 * Which way a list is laid out: Kaifa's and Iskra's lists by place, Kaifa's pairs (SE), Kamstrup's pairs, values with
 * their attribute's descriptor (CZ), values behind a list of their objects (Landis+Gyr), and all with a code each.
 */
export type LayoutName =
  | "kaifa-places"
  | "kaifa-pairs"
  | "kamstrup"
  | "iskra-places"
  | "described"
  | "objects"
  | "coded";

/** The values of a list and which way they stood there. */
export interface Layout {
  readonly layout: LayoutName;
  readonly values: readonly DlmsValue[];
}

/**
 * The values of a notification's body, whichever way the maker lists them:
 *
 *     Kaifa (NO)      { version, id, type, value, … }                       by place
 *     Iskra (SI, HR)  { id, …, value, … }                                   by place
 *     Kaifa (SE)      { obis, value, obis, value, … }                       units by maker
 *     Kamstrup        { version, obis, value, … }, null between them        units by maker
 *     Landis+Gyr      { date-time, obis, value, … }                         no units known
 *     Landis+Gyr      { [ {class, obis, attribute, index}, … ], value, … }  no units known
 *     Kaifa (AT)      { date-time, obis, value, {scaler, unit}, …, meter number }
 *     Aidon, Iskra    [ {obis, value}, {obis, value, {scaler, unit}}, … ]
 *
 * @throws Problem `dlms-layout` for any other, `dlms-scaler` for a scaler that cannot be, `dlms-duplicate` for a code
 *   that stands there twice with different values
 */
export function readValues(body: AxdrValue, taggedDateTime: boolean): Layout {
  if (body.kind !== "list") throw layoutProblem(body.offset, "the body is no list");
  const read = layoutOf(body.items, taggedDateTime);
  if (read.values.length === 0) throw layoutProblem(body.offset, "the list has no values");
  requireOneValueEach(read.values);
  return read;
}

/** @throws Problem `dlms-duplicate` */
export function requireOneValueEach(values: readonly DlmsValue[]): void {
  const known = new Map<string, string>();
  for (const { code, text } of values) {
    if ((known.get(code) ?? text) !== text) {
      throw new Problem("dlms-duplicate", "two values stand under one code", { where: code });
    }
    known.set(code, text);
  }
}

function layoutOf(items: readonly AxdrValue[], taggedDateTime: boolean): Layout {
  if (isKaifaVersion(items[0]) || isKaifaList1(items, taggedDateTime))
    return { layout: "kaifa-places", values: readKaifaList(items) };
  if (isKaifaVersion(items[1])) return { layout: "kaifa-pairs", values: readItems(items, kaifaScale) };
  if (isKamstrupVersion(items[0]))
    return { layout: "kamstrup", values: readItems(items, kamstrupScales(items)) };
  if (listsObjects(items)) return { layout: "objects", values: readObjectList(items) };
  const iskra = readIskraList(items);
  if (iskra !== undefined) return { layout: "iskra-places", values: iskra };
  return { layout: "coded", values: readItems(items, () => undefined) };
}
