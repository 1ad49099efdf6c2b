import { describe, expect, it } from "vitest";
import { encodeModel } from "../../../drivers/simulated/sunspec-encode.ts";
import { SIMULATED_TABLES } from "../../../drivers/simulated/sunspec-tables.ts";
import type { Points } from "../../../drivers/sunspec/models.ts";
import { COMMON_MODEL } from "../../../drivers/sunspec/models-ac.ts";
import { READ_MODELS } from "../../../drivers/sunspec/survey.ts";

/** Types of the simulated devices by those of the driver, and the registers that they take. */
const TYPES: Readonly<Record<string, readonly [string, number]>> = {
  int16: ["i16", 1],
  uint16: ["u16", 1],
  count: ["cnt", 1],
  enum16: ["e16", 1],
  bitfield16: ["b16", 1],
  sunssf: ["sf", 1],
  int32: ["i32", 2],
  uint32: ["u32", 2],
  acc32: ["a32", 2],
  bitfield32: ["b32", 2],
  float32: ["f32", 2],
  uint64: ["u64", 4],
  acc64: ["a64", 4],
};

const WIDTHS = new Map<string, number>([...Object.values(TYPES), ["pad", 1]]);

/** Points of a simulated table as `name type@scale` by their offset, counted from their widths. */
function laidOut(text: string): { readonly points: ReadonlyMap<number, string>; readonly size: number } {
  const points = new Map<number, string>();
  let size = 0;
  for (const word of text.trim().split(/\s+/)) {
    points.set(size, word);
    const type = /:([^@]+)/.exec(word)?.[1] ?? "";
    size += type.startsWith("str") ? Number(type.slice(3)) : (WIDTHS.get(type) ?? Number.NaN);
  }
  return { points, size };
}

function asWords(points: Points): readonly (readonly [number, string])[] {
  return [...points.values()].map(({ name, offset, type, width, scale }) => {
    const short = type === "string" ? `str${width}` : TYPES[type]?.[0];
    return [offset, `${name}:${short}${scale === undefined ? "" : `@${scale}`}`];
  });
}

describe("the driver's tables and those of the simulated devices, written down apart", () => {
  const models = [COMMON_MODEL, ...READ_MODELS.values()];

  it("are of the same models", () => {
    expect(models.map(({ id }) => id).sort()).toEqual([...SIMULATED_TABLES.keys()].sort());
  });

  it.each(models)("agree on model $id", ({ id, points, group }) => {
    const table = SIMULATED_TABLES.get(id);
    const fixed = laidOut(table?.points ?? "");
    for (const [offset, word] of asWords(points)) expect(fixed.points.get(offset)).toBe(word);
    if (group === undefined) return;
    const set = laidOut(table?.sets ?? "");
    expect([group.offset, group.size]).toEqual([fixed.size, set.size]);
    expect([...points.keys()]).toContain(group.count);
    for (const [offset, word] of asWords(group.points)) expect(set.points.get(offset)).toBe(word);
  });

  it("have the lengths that the definitions give", () => {
    // Registers after ID and L, of models without sets (github.com/sunspec/models json/model_N.json at 7abdf89).
    const lengths: readonly (readonly [number, number])[] = [
      ...[[1, 66] as const, [101, 50] as const, [111, 60] as const, [203, 105] as const],
      ...[[213, 124] as const, [120, 26] as const, [121, 30] as const, [122, 44] as const],
      ...[[123, 24] as const, [124, 24] as const, [160, 8] as const, [701, 153] as const],
      ...[[702, 50] as const, [703, 17] as const, [704, 65] as const, [713, 7] as const],
      ...[[714, 18] as const, [802, 62] as const, [803, 26] as const, [804, 46] as const],
    ];
    for (const [id, length] of lengths)
      expect(encodeModel({ id, values: {} }).registers.length, `model ${id}`).toBe(length);
  });
});
