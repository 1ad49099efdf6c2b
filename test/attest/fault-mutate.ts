import type { Leaf, Unplaced } from "../../attest/leaf.ts";
import type { Dice } from "./fault-subsets.ts";

/** What no change is made to: the place is the log's affair, the kind decides all else, the rest is never interpreted. */
const KEPT: ReadonlySet<string> = new Set(["kind", "seq", "salt", "extensions", "body", "number"]);

/** Optional properties that a change may add or take away. */
const OPTIONAL: Readonly<Partial<Record<Leaf["kind"], readonly string[]>>> = {
  reading: ["importMwh", "exportMwh", "activePowerMw", "status"],
  discontinuity: ["oldImportMwh", "oldExportMwh", "newImportMwh", "newExportMwh", "previousDiscontinuitySeq"],
  intervalClose: [
    ...["openingImportMwh", "closingImportMwh", "openingExportMwh", "closingExportMwh"],
    ...["minPowerMw", "maxPowerMw", "statusUnion", "shape"],
    ...["lastDiscontinuitySeq", "previousCloseSeq", "lastClockStepSeq", "lastOpaqueSeq"],
  ],
};
const SIGNED: ReadonlySet<string> = new Set(["activePowerMw", "minPowerMw", "maxPowerMw"]);
const DIFFERENCES = [
  1, -1, 2, -2, 4, -4, 500, 1000, -1000, 5000, -5000, 60_000, -60_000, 200_000, -10_000_000,
];

/** `leaf` with one property changed, added or left out, and which. It may still be lawful, or no leaf at all. */
export function mutated(leaf: Leaf, dice: Dice): { readonly leaf: Unplaced; readonly property: string } {
  const values = new Map<string, unknown>(Object.entries(leaf));
  const optional = OPTIONAL[leaf.kind] ?? [];
  const property = dice.pick([...[...values.keys()].filter((name) => !KEPT.has(name)), ...optional]);
  const value = values.get(property);
  if (optional.includes(property) && value !== undefined && dice.chance(25)) values.delete(property);
  else values.set(property, changed(value, { leaf, property, dice }));
  values.delete("seq");
  values.delete("salt");
  // Each value is still of its type, or the codec refuses it.
  return { leaf: Object.fromEntries(values) as unknown as Unplaced, property };
}

interface Change {
  readonly leaf: Leaf;
  readonly property: string;
  readonly dice: Dice;
}

function changed(value: unknown, { leaf, property, dice }: Change): unknown {
  if (value instanceof Uint8Array)
    return value.map((byte, at) => (at === 0 ? byte ^ (1 + dice.below(255)) : byte));
  if (typeof value === "string") return `${value}x`;
  if (property.endsWith("Seq") && dice.chance(70)) return dice.below(leaf.seq + 2);
  if (value === undefined) return dice.below(8);
  const next = Number(value) + dice.pick(DIFFERENCES);
  return SIGNED.has(property) ? next : Math.max(0, next);
}
