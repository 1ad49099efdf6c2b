import type { AxdrValue } from "./axdr.ts";
import { obisOf } from "./obis.ts";
import { type DlmsValue, layoutProblem, telegramValue } from "./values.ts";

/** Class of the push setup, whose own attributes a list begins with (IEC 62056-6-2). */
const PUSH_SETUP = 40;

/** Does a list begin with the objects whose values follow? */
export function listsObjects(items: readonly AxdrValue[]): boolean {
  const [first] = items;
  return first?.kind === "list" && first.container === "array" && objectOf(first.items[0]) !== undefined;
}

/**
 * The values behind a list of their objects, as Landis+Gyr's E450 pushes them in Switzerland and Cyprus (captures in
 * UtilitechAS/amsreader-firmware @ a88a0be, test/payloads/landis-gyr; esphome/esphome pull request 16942): the first
 * object is the list itself, and each value belongs to the object at its place. No units are stated.
 *
 *     { [ {class, obis, attribute, index}, … ], value, … }
 *
 * @throws Problem `dlms-layout` where values and objects do not come out even
 */
export function readObjectList(items: readonly AxdrValue[]): DlmsValue[] {
  const [list, ...values] = items;
  if (list?.kind !== "list") return [];
  const objects = list.items.map((item) => {
    const object = objectOf(item);
    if (object !== undefined) return object;
    throw layoutProblem(item.offset, "an entry of the list of objects is none");
  });
  if (objects.length !== items.length) {
    throw layoutProblem(list.offset, `${values.length} values stand behind ${objects.length} objects`);
  }
  return values.flatMap((value, at) => {
    const object = objects[at + 1];
    if (object === undefined || object.classId === PUSH_SETUP || value.kind === "list") return [];
    return telegramValue(object.code, value) ?? [];
  });
}

interface ObjectAttribute {
  readonly classId: number;
  readonly code: string;
}

/** `{class, obis, attribute, index}`, with a restriction and columns behind them in newer ones. */
function objectOf(item: AxdrValue | undefined): ObjectAttribute | undefined {
  if (item?.kind !== "list" || item.container !== "structure" || item.items.length < 4) return undefined;
  const [classId, obis, attribute] = item.items;
  const code = obisOf(obis);
  if (classId?.kind !== "integer" || attribute?.kind !== "integer" || code === undefined) return undefined;
  return { classId: Number(classId.value), code };
}
