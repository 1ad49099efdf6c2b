import { concatBytes } from "../../../attest/bytes.ts";

/**
 * CBOR (RFC 8949, 3) read and written loosely: any major type, any width of a head, indefinite lengths, lengths that
 * are not so. It shares no code with attest/cbor.ts, for its task is to write what that must refuse.
 */
export interface Item {
  /** 0 to 7. */
  readonly major: number;
  /** Value of an integer, tag or simple value; of a string or container a length, if another than the true one is claimed. */
  readonly argument: bigint | undefined;
  /** Bytes behind the first of the head; the fewest unless given. */
  readonly width?: 0 | 1 | 2 | 4 | 8;
  readonly indefinite?: boolean;
  /** Content of a string without {@link Item.items}. */
  readonly bytes?: Uint8Array;
  /** Elements, keys and values in turn, what a tag is of, or what stands back to back in a byte string. */
  readonly items?: readonly Item[];
}

export const MAJOR = {
  uint: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  array: 4,
  map: 5,
  tag: 6,
  simple: 7,
} as const;
const BREAK = 0xff;

/** The items that stand back to back in `bytes`; undefined where these are no CBOR of definite lengths. */
export function readItems(bytes: Uint8Array): readonly Item[] | undefined {
  const items: Item[] = [];
  for (let at = 0; at < bytes.length; ) {
    const next = readItem(bytes, at);
    if (next === undefined) return undefined;
    items.push(next.item);
    at = next.end;
  }
  return items;
}

interface Read {
  readonly item: Item;
  readonly end: number;
}

function readItem(bytes: Uint8Array, at: number): Read | undefined {
  const head = readHead(bytes, at);
  if (head === undefined) return undefined;
  const { major, argument, end } = head;
  if (major === MAJOR.bytes || major === MAJOR.text) return readString(bytes, head);
  if (major < MAJOR.bytes || major === MAJOR.simple) return { item: { major, argument }, end };
  const count = major === MAJOR.tag ? 1 : Number(argument) * (major === MAJOR.map ? 2 : 1);
  const inner = readCount(bytes, end, count);
  if (inner === undefined) return undefined;
  return {
    item: { major, argument: major === MAJOR.tag ? argument : undefined, items: inner.items },
    end: inner.end,
  };
}

interface Head {
  readonly major: number;
  readonly argument: bigint;
  readonly end: number;
}

function readHead(bytes: Uint8Array, at: number): Head | undefined {
  const first = bytes[at];
  if (first === undefined || (first & 31) > 27) return undefined;
  const info = first & 31;
  const width = info < 24 ? 0 : 1 << (info - 24);
  if (at + 1 + width > bytes.length) return undefined;
  let argument = info < 24 ? BigInt(info) : 0n;
  for (let i = 1; i <= width; i++) argument = argument * 256n + BigInt(bytes[at + i] ?? 0);
  return { major: first >> 5, argument, end: at + 1 + width };
}

function readString(bytes: Uint8Array, { major, argument, end }: Head): Read | undefined {
  if (argument > BigInt(bytes.length - end)) return undefined;
  const content = bytes.slice(end, end + Number(argument));
  const items = major === MAJOR.bytes ? embedded(content) : undefined;
  const item: Item = {
    major,
    argument: undefined,
    ...(items === undefined ? { bytes: content } : { items }),
  };
  return { item, end: end + content.length };
}

/** Leaves, parts and signed objects stand in byte strings as CBOR of their own; hashes, keys and salts seldom look so. */
function embedded(content: Uint8Array): readonly Item[] | undefined {
  const items = content.length < 3 ? undefined : readItems(content);
  const known = items?.every(
    ({ major }) => major >= MAJOR.bytes && major <= MAJOR.tag && major !== MAJOR.text,
  );
  return known === true ? items : undefined;
}

function readCount(
  bytes: Uint8Array,
  from: number,
  count: number,
): { readonly items: readonly Item[]; readonly end: number } | undefined {
  if (count > bytes.length - from) return undefined;
  const items: Item[] = [];
  let end = from;
  for (let i = 0; i < count; i++) {
    const next = readItem(bytes, end);
    if (next === undefined) return undefined;
    items.push(next.item);
    end = next.end;
  }
  return { items, end };
}

/** The bytes of items back to back; of what {@link readItems} gave, the same again. */
export function writeItems(items: readonly Item[]): Uint8Array {
  return concatBytes(...items.map(writeItem));
}

function writeItem(item: Item): Uint8Array {
  const { major, items = [] } = item;
  const content = item.bytes ?? writeItems(items);
  const isString = major === MAJOR.bytes || major === MAJOR.text;
  if (item.indefinite === true) {
    const chunks = isString ? [writeHead(item, BigInt(content.length)), content] : [content];
    return concatBytes(Uint8Array.of((major << 5) | 31), ...chunks, Uint8Array.of(BREAK));
  }
  const length = isString ? content.length : major === MAJOR.map ? Math.ceil(items.length / 2) : items.length;
  return concatBytes(writeHead(item, item.argument ?? BigInt(length)), content);
}

function writeHead({ major, width }: Item, argument: bigint): Uint8Array {
  const wide = width === undefined || width < fewest(argument) ? fewest(argument) : width;
  const info = wide === 0 ? Number(argument) : 24 + Math.log2(wide);
  const head = new Uint8Array(1 + wide);
  head[0] = (major << 5) | info;
  for (let at = wide, rest = argument; at > 0; at--, rest >>= 8n) head[at] = Number(rest & 255n);
  return head;
}

/** The fewest bytes behind the first that hold the argument (RFC 8949, 4.2.1). */
export function fewest(argument: bigint): 0 | 1 | 2 | 4 | 8 {
  if (argument < 24n) return 0;
  if (argument < 0x100n) return 1;
  if (argument < 0x1_0000n) return 2;
  return argument < 0x1_0000_0000n ? 4 : 8;
}

/** The way to an item: its place among the items, then among those of that one, and so on. */
export type Path = readonly number[];

/** The ways to all items, those inside others too. */
export function pathsOf(items: readonly Item[], before: Path = []): Path[] {
  return items.flatMap((item, at) => [[...before, at], ...pathsOf(item.items ?? [], [...before, at])]);
}

/** The item at the end of a way. */
export function itemAt(items: readonly Item[], [first = 0, ...rest]: Path): Item | undefined {
  const item = items[first];
  return rest.length === 0 ? item : itemAt(item?.items ?? [], rest);
}

/** The items with others in the place of the one at the end of a way. */
export function replaceAt(
  items: readonly Item[],
  [first = 0, ...rest]: Path,
  by: readonly Item[],
): readonly Item[] {
  const item = items[first];
  if (item === undefined) return items;
  const put = rest.length === 0 ? by : [{ ...item, items: replaceAt(item.items ?? [], rest, by) }];
  return items.toSpliced(first, 1, ...put);
}
