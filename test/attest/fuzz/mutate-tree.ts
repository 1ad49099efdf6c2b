import {
  fewest,
  type Item,
  itemAt,
  MAJOR,
  type Path,
  pathsOf,
  readItems,
  replaceAt,
  writeItems,
} from "./cbor-tree.ts";

/** Numbers by which a mutation is chosen; each is used modulo what there is to choose from. */
export interface Draw {
  readonly how: number;
  readonly where: number;
  readonly what: number;
}

/** Lengths, counts and integers at which something changes: heads, limits of the format, of doubles and of 64 bits. */
export const TURNING_POINTS: readonly bigint[] = [
  0n,
  1n,
  2n,
  8n,
  9n,
  16n,
  23n,
  24n,
  32n,
  33n,
  64n,
  100n,
  101n,
  128n,
  129n,
  255n,
  256n,
  900n,
  999n,
  1000n,
  1024n,
  1025n,
  4095n,
  4096n,
  4097n,
  8192n,
  8193n,
  65_535n,
  65_536n,
  1_048_576n,
  1_048_577n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  1_767_614_400_000n,
  2n ** 52n,
  2n ** 53n - 2n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const uint = (argument: bigint): Item => ({ major: MAJOR.uint, argument });
const string = (major: number, bytes: Uint8Array): Item => ({ major, argument: undefined, bytes });
const bytesOf = (length: number): Item => string(MAJOR.bytes, new Uint8Array(length).fill(0x5a));
const textOf = (...bytes: number[]): Item => string(MAJOR.text, Uint8Array.from(bytes));
const container = (major: number, items: readonly Item[]): Item => ({ major, argument: undefined, items });
const simple = (argument: bigint, width?: 1 | 2 | 4 | 8): Item => ({
  major: MAJOR.simple,
  argument,
  ...(width === undefined ? {} : { width }),
});

/** One of every type and of every length that means something, inside the subset and outside. */
const STRANGERS: readonly Item[] = [
  uint(0n),
  { major: MAJOR.negative, argument: 0n },
  { major: MAJOR.negative, argument: 2n ** 53n - 2n },
  { major: MAJOR.negative, argument: 2n ** 53n - 1n },
  { major: MAJOR.negative, argument: 2n ** 64n - 1n },
  ...[0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65].map(bytesOf),
  textOf(),
  textOf(0x78),
  textOf(0x1b, 0x5b, 0x32, 0x4a),
  textOf(0xff),
  textOf(0xed, 0xa0, 0x80),
  textOf(0xc0, 0x80),
  string(MAJOR.text, new Uint8Array(128).fill(0x61)),
  string(MAJOR.text, new Uint8Array(129).fill(0x61)),
  container(MAJOR.array, []),
  container(MAJOR.array, Array<Item>(9).fill(uint(1n))),
  container(MAJOR.array, Array<Item>(101).fill(uint(1n))),
  container(MAJOR.map, []),
  container(MAJOR.map, [uint(0n), uint(0n)]),
  container(MAJOR.map, [textOf(0x78), uint(0n)]),
  ...[20n, 21n, 22n, 23n, 31n].map((value) => simple(value, value === 31n ? 1 : undefined)),
  simple(0x3c00n, 2),
  simple(0x3f80_0000n, 4),
  simple(0x3ff0_0000_0000_0000n, 8),
];

/** Whole objects out of which a mutation may take something. */
export type Donors = readonly Uint8Array[];

type Change = (item: Item, draw: Draw, donors: Donors) => readonly Item[];

const STEPS = [1n, 2n, 1000n, 900_000n];
const WIDTHS = [1, 2, 4, 8] as const;

/** What can be done to any item; the simplest first, towards which a failure shrinks. */
const OF_ANY: readonly Change[] = [
  () => [],
  (item) => [item, item],
  (_, { what }) => [pick(STRANGERS, what)],
  (_, { what }) => [uint(pick(TURNING_POINTS, what))],
  (item, { what }) => [{ ...item, argument: pick(TURNING_POINTS, what) }],
  (item) => [{ ...item, width: pick(WIDTHS, [0, 1, 2, 4, 8].indexOf(widthOf(item))) }],
  (item) => [{ ...item, width: 8 }],
  (item) => [{ ...item, indefinite: true }],
  (item, { what }) => [{ ...item, major: what % 8, argument: item.argument ?? 0n }],
  (item, { what }) => [nested(item, 1 + (what % 6))],
  (item, { what }) => [nested(item, 1 << (what % 10))],
  (item, { what }) => [{ major: MAJOR.tag, argument: BigInt(what % 64), items: [item] }],
  (item, { where, what }, donors) => [donated(item, { where, what }, donors)],
];
const OF_INTEGERS: readonly Change[] = [
  (item, { what }) => [{ ...item, argument: (item.argument ?? 0n) + pick(STEPS, what) }],
  (item, { what }) => [{ ...item, argument: drop(item.argument ?? 0n, pick(STEPS, what)) }],
];
const OF_STRINGS: readonly Change[] = [
  (item, { what }) => [withContent(item, (bytes) => flipped(bytes, what))],
  (item, { what }) => [withContent(item, (bytes) => bytes.subarray(0, what % (bytes.length + 1)))],
  (item, { what }) => [withContent(item, (bytes) => repeated(bytes, 1 + (what % 3)))],
];
const OF_CONTAINERS: readonly Change[] = [
  (item, { what }) => [{ ...item, items: without(item, what) }],
  (item, { what }) => [{ ...item, items: twice(item, what) }],
  (item, { what }) => [{ ...item, items: extended(item, what) }],
  (item, { what }) => [{ ...item, items: exchanged(item.items ?? [], what) }],
  (item) => [{ ...item, items: (item.items ?? []).toReversed() }],
];

function changesOf({ major, items }: Item): readonly Change[] {
  if (major < MAJOR.bytes) return [...OF_INTEGERS, ...OF_ANY];
  const ofStrings = major <= MAJOR.text ? OF_STRINGS : [];
  return [...(items === undefined ? [] : OF_CONTAINERS), ...ofStrings, ...OF_ANY];
}

function pick<T>(from: readonly T[], at: number): T {
  const picked = from[Math.abs(at) % from.length];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
}

function drop(value: bigint, by: bigint): bigint {
  return value < by ? 0n : value - by;
}

function widthOf({ argument, bytes, items = [] }: Item): number {
  return fewest(argument ?? BigInt(bytes?.length ?? items.length));
}

function nested(item: Item, depth: number): Item {
  let outer = item;
  for (let i = 0; i < depth; i++) outer = container(MAJOR.array, [outer]);
  return outer;
}

/** Items that belong together: a pair of a map, a single one elsewhere. */
function units({ major, items = [] }: Item): readonly (readonly Item[])[] {
  const step = major === MAJOR.map ? 2 : 1;
  return Array.from({ length: Math.ceil(items.length / step) }, (_, at) =>
    items.slice(step * at, step * (at + 1)),
  );
}

function exchanged(items: readonly Item[], what: number): readonly Item[] {
  if (items.length < 2) return items;
  const at = what % (items.length - 1);
  return [...items.slice(0, at), ...items.slice(at, at + 2).toReversed(), ...items.slice(at + 2)];
}

function extended(item: Item, what: number): readonly Item[] {
  const key = uint(pick([0n, 5n, 6n, 7n, 17n, 19n, 40n, 63n, 64n, 65n, 2n ** 53n - 1n], what));
  const value = pick([uint(0n), bytesOf(3), uint(1n), textOf(0x78), container(MAJOR.array, [])], what >> 4);
  const pairs = [...units(item), item.major === MAJOR.map ? [key, value] : [value]];
  return what % 2 === 0 ? pairs.toSorted(byKey).flat() : pairs.flat();
}

function byKey([a]: readonly Item[], [b]: readonly Item[]): number {
  return Number((a?.argument ?? 0n) - (b?.argument ?? 0n));
}

function twice(item: Item, what: number): readonly Item[] {
  const all = units(item);
  const at = what % (all.length + 1);
  return [...all.slice(0, at), ...all.slice(Math.max(0, at - 1))].flat();
}

function without(item: Item, what: number): readonly Item[] {
  const all = units(item);
  return all.toSpliced(what % (all.length + 1), 1).flat();
}

function withContent(item: Item, change: (bytes: Uint8Array) => Uint8Array): Item {
  const { items, ...rest } = item;
  if (item.major !== MAJOR.bytes && item.major !== MAJOR.text) return item;
  return { ...rest, bytes: change(item.bytes ?? writeItems(items ?? [])) };
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  const at = (bit >> 3) % Math.max(1, copy.length);
  if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

function repeated(bytes: Uint8Array, times: number): Uint8Array {
  const copy = new Uint8Array(bytes.length * (1 + times));
  for (let at = 0; at <= times; at++) copy.set(bytes, at * bytes.length);
  return copy;
}

/** Something of another object in the place of this: of the same type, if there is something. */
function donated(item: Item, { where, what }: Omit<Draw, "how">, donors: Donors): Item {
  const { items } = treeOf(pick(donors, where));
  const all = pathsOf(items).flatMap((path) => itemAt(items, path) ?? []);
  const alike = all.filter(
    ({ major, bytes }) => major === item.major && (bytes === undefined) === (item.bytes === undefined),
  );
  const from = alike.length > 0 ? alike : all;
  return from.length === 0 ? item : pick(from, what);
}

interface Tree {
  readonly items: readonly Item[];
  readonly paths: readonly Path[];
}

const trees = new WeakMap<Uint8Array, Tree>();

/** The items of a valid object, read once. */
function treeOf(bytes: Uint8Array): Tree {
  const known = trees.get(bytes);
  if (known !== undefined) return known;
  const items = readItems(bytes) ?? [];
  const tree = { items, paths: pathsOf(items) };
  trees.set(bytes, tree);
  return tree;
}

/** The object with one of its items changed; lengths around the item fit again, unless the change says otherwise. */
export function mutatedTree(bytes: Uint8Array, draw: Draw, donors: Donors): Uint8Array {
  const { items, paths } = treeOf(bytes);
  if (paths.length === 0) return bytes;
  const path = pick(paths, draw.where);
  const item = itemAt(items, path);
  if (item === undefined) return bytes;
  return writeItems(replaceAt(items, path, pick(changesOf(item), draw.how)(item, draw, donors)));
}
