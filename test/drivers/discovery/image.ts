import type { SlaveModel, SlaveRead } from "../../../drivers/simulated/modbus-slave.ts";

/** Registers by table and address; what is not there is refused. */
export type Image = Readonly<
  Partial<Record<"holding" | "input", Readonly<Record<number, readonly number[]>>>>
>;

/** What a device with these registers answers. */
export function readImage(
  image: Image,
  { table, start, count }: SlaveRead,
): readonly number[] | { exception: number } {
  const blocks = table === "holding" || table === "input" ? Object.entries(image[table] ?? {}) : [];
  for (const [first, registers] of blocks) {
    const from = start - Number(first);
    if (from >= 0 && from + count <= registers.length) return registers.slice(from, from + count);
  }
  return { exception: 2 };
}

/** Units with registers of their own; others keep silent, or are what `others` says. */
export function unitsModel(
  units: Readonly<Record<number, Image>>,
  others: SlaveModel["read"] = () => undefined,
): SlaveModel {
  return {
    read: (request) => {
      const image = units[request.unit];
      return image === undefined ? others(request) : readImage(image, request);
    },
    echo: "refused",
  };
}
