import type { Choices } from "./runs.ts";

/** The name under which plain data holds bytes. */
const BYTES = "base64:";

/** What may stand in the place of a value of JSON: one of every type, and numbers at which something changes. */
const STRANGERS: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  27,
  28,
  1e308,
  2 ** 53 - 1,
  2 ** 53,
  "",
  "x",
  "é\u0000\u2028",
  [],
  [null],
  {},
  { a: 1 },
  ...["", "00", "zz", 1, "AA==", "AB==", "AAAA", "A".repeat(43), `${"A".repeat(43)}=`].map((text) => ({
    [BYTES]: text,
  })),
  { __proto__: 1 },
];

/** JSON text with one value for each choice taken away, doubled or exchanged, or one property there twice. */
export function mutatedJson(sample: Uint8Array, choices: Choices): Uint8Array {
  let value: unknown = JSON.parse(new TextDecoder().decode(sample));
  for (const [how, where, what] of choices) value = changed(value, { how, where, what });
  const [[how = 0, where = 0] = []] = choices;
  const text = JSON.stringify(value);
  return new TextEncoder().encode(how % 8 === 7 ? withTwice(text, where) : text);
}

/** One property of those with a text or a number, written twice. */
function withTwice(text: string, which: number): string {
  const properties = [...text.matchAll(/"[^"]+":(?:"[^"]*"|-?\d+)/g)];
  const found = properties[which % Math.max(1, properties.length)];
  if (found === undefined) return text;
  return `${text.slice(0, found.index)}${found[0]},${text.slice(found.index)}`;
}

interface Draw {
  readonly how: number;
  readonly where: number;
  readonly what: number;
}

function changed(value: unknown, draw: Draw): unknown {
  const places = placesOf(value);
  const place = places[draw.where % places.length] ?? [];
  return replaced(value, place, (old) => replacement(old, draw));
}

type Place = readonly (string | number)[];

/** Where each value stands, the outermost first. */
function placesOf(value: unknown, before: Place = []): Place[] {
  if (typeof value !== "object" || value === null) return [before];
  return [before, ...Object.entries(value).flatMap(([name, item]) => placesOf(item, [...before, name]))];
}

/** `undefined` takes a property away; in a list it leaves `null`. */
function replacement(old: unknown, { how, what }: Draw): unknown {
  if (how % 4 === 0) return undefined;
  if (how % 4 === 1 && typeof old === "number") return old + ((what % 2000) - 1000);
  if (how % 4 === 1 && Array.isArray(old)) return what % 2 === 0 ? [...old, ...old] : old.slice(1);
  return STRANGERS[what % STRANGERS.length];
}

function replaced(value: unknown, [first, ...rest]: Place, by: (old: unknown) => unknown): unknown {
  if (first === undefined) return by(value) ?? null;
  if (typeof value !== "object" || value === null) return value;
  const items = new Map<string, unknown>(Object.entries(value));
  const name = String(first);
  const next = rest.length === 0 ? by(items.get(name)) : replaced(items.get(name), rest, by);
  if (Array.isArray(value)) return value.map((item: unknown, at) => (String(at) === name ? next : item));
  return Object.fromEntries(items.set(name, next));
}
