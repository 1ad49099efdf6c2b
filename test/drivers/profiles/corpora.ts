import { existsSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import type { RegisterMap } from "../../../drivers/profile/image.ts";

const FOLDER = new URL("../../../../shared/corpora/", import.meta.url);

/** The registers of a file of the public collection; undefined where the collection is not present. */
export function corpusRegisters(path: string): RegisterMap | undefined {
  const file = new URL(path, FOLDER);
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  if (path.startsWith("eastron/")) return modbusSchemaDump(text);
  if (path.startsWith("goodwe/")) return goodweReply(text, path);
  throw new Error(`nobody knows how ${path} is to be read`);
}

const dumpSchema = z.looseObject({
  tests: z.array(
    z.looseObject({ input: z.array(z.looseObject({ firstAddress: z.string(), rawValues: z.string() })) }),
  ),
});

/** Registers as a Modbus Schema file lists them: "ir:00000" or "hr:00000" and four digits each, ---- where not read. */
function modbusSchemaDump(text: string): RegisterMap {
  const [first] = dumpSchema.parse(parse(text)).tests;
  const maps = { holding: new Map<number, number>(), input: new Map<number, number>() };
  for (const { firstAddress, rawValues } of first?.input ?? []) {
    const [kind, start] = firstAddress.split(":");
    const table = kind === "ir" ? maps.input : maps.holding;
    for (const [at, word] of (rawValues.match(/[0-9A-Fa-f]{4}|----/g) ?? []).entries())
      if (word !== "----") table.set(Number(start) + at, Number.parseInt(word, 16));
  }
  return maps;
}

/** Start of the blocks that the GoodWe DT family is asked for over UDP. */
const GOODWE_STARTS: readonly (readonly [ending: string, start: number])[] = [
  ["_running_data.hex", 30100],
  ["_device_info.hex", 30001],
];

/** AA 55, unit, function 3, byte count, registers, CRC; the reply does not say of which registers it is. */
function goodweReply(text: string, path: string): RegisterMap {
  const bytes = Buffer.from(text.replaceAll(/\s+/g, ""), "hex");
  const start = GOODWE_STARTS.find(([ending]) => path.endsWith(ending))?.[1];
  if (start === undefined || bytes.readUInt16BE(0) !== 0xaa55 || bytes[3] !== 3)
    throw new Error(`${path} is no reply that is known`);
  const holding = new Map<number, number>();
  for (let at = 0; at < (bytes[4] ?? 0) / 2; at++) holding.set(start + at, bytes.readUInt16BE(5 + 2 * at));
  return { holding, input: new Map() };
}
