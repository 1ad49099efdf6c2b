import { fromHex, toHex } from "./bytes.ts";
import { Problem } from "./problem.ts";

const BYTES_KEY = "hex:";

/** JSON text of plain data in which byte strings appear as {"hex:": "00ff"}. Maps are not plain data. */
export function toJson(value: unknown, indent = 0): string {
  return JSON.stringify(
    value,
    (_, item: unknown) => (item instanceof Uint8Array ? { [BYTES_KEY]: toHex(item) } : item),
    indent,
  );
}

/** The plain data of text that {@link toJson} wrote. Throws `json` with the parser's reason. */
export function fromJson(text: string): unknown {
  try {
    return JSON.parse(text, (_, item: unknown) => bytesOf(item) ?? item);
  } catch (cause) {
    throw new Problem("json", "text is not JSON", { got: describe(cause), cause });
  }
}

function bytesOf(item: unknown): Uint8Array | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const entries: [string, unknown][] = Object.entries(item);
  const [only] = entries;
  if (only === undefined || entries.length !== 1 || only[0] !== BYTES_KEY || typeof only[1] !== "string")
    return undefined;
  return fromHex(only[1], BYTES_KEY);
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
