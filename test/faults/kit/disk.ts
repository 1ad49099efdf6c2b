import { type Random, wholeBelow } from "./random.ts";
import type { TraceOp } from "./trace.ts";

type Change =
  | { readonly at: number; readonly data: Buffer }
  /** The file is cut or grown to this size. */
  | { readonly size: number };

type Bytes = Buffer<ArrayBufferLike>;

interface Inode {
  content: Bytes;
  /** What was written since the last sync, in order. */
  pending: Change[];
}

/** Names as one operation changes them, all or nothing. */
type NameChange = readonly { readonly name: string; readonly inode?: Inode }[];

/** Files by name. */
export type DiskState = ReadonlyMap<string, Buffer>;

/** What a cut makes of what was not synced: anything, nothing, or all of it. */
export type CutKind = "random" | "none" | "all";

/**
 * One folder on a disk whose power may go at any instant. What was synced is there afterwards. Of what was not, each write
 * is kept, lost, or torn at sectors, in no order; a file may have grown without its content; names that were made,
 * changed or taken away since the folder was synced may be as before. No more is promised by POSIX fsync(2), and no less.
 */
export class CutDisk {
  readonly #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #pendingNames: NameChange[] = [];

  apply(op: TraceOp): void {
    switch (op.kind) {
      case "create":
        this.#change([{ name: op.name, inode: { content: Buffer.alloc(0), pending: [] } }]);
        break;
      case "write":
        this.#names.get(op.name)?.pending.push({ at: op.at, data: op.data });
        break;
      case "truncate":
        this.#names.get(op.name)?.pending.push({ size: op.size });
        break;
      case "sync":
        this.#sync(this.#names.get(op.name));
        break;
      case "sync-folder":
        this.#durableNames = new Map(this.#names);
        this.#pendingNames = [];
        break;
      case "rename":
        this.#change([{ name: op.from }, this.#named(op.to, op.from)]);
        break;
      case "link":
        this.#change([this.#named(op.to, op.from)]);
        break;
      case "unlink":
        this.#change([{ name: op.name }]);
        break;
      case "send":
        break;
    }
  }

  /** What is found when the power is back. */
  cut(kind: CutKind, random: Random): DiskState {
    const kept = (): boolean => kind === "all" || (kind === "random" && random() < 0.5);
    const names = new Map(this.#durableNames);
    // A file system with a journal keeps the order of its names, another one need not.
    const ordered = random() < 0.5;
    for (const change of this.#pendingNames) {
      if (kept()) for (const { name, inode } of change) setName(names, name, inode);
      else if (ordered) break;
    }
    const sector = random() < 0.5 ? 512 : 4096;
    return new Map([...names].map(([name, inode]) => [name, contentOf(inode, { kind, random, sector })]));
  }

  #named(to: string, from: string): NameChange[number] {
    const inode = this.#names.get(from);
    return inode === undefined ? { name: to } : { name: to, inode };
  }

  #change(change: NameChange): void {
    for (const { name, inode } of change) setName(this.#names, name, inode);
    this.#pendingNames.push(change);
  }

  #sync(inode: Inode | undefined): void {
    if (inode === undefined) return;
    for (const change of inode.pending) inode.content = changed(inode.content, change);
    inode.pending = [];
  }
}

function setName(names: Map<string, Inode>, name: string, inode: Inode | undefined): void {
  if (inode === undefined) names.delete(name);
  else names.set(name, inode);
}

interface CutHow {
  readonly kind: CutKind;
  readonly random: Random;
  readonly sector: number;
}

function contentOf({ content, pending }: Inode, { kind, random, sector }: CutHow): Bytes {
  let found: Bytes = Buffer.from(content);
  for (const change of pending) {
    const fate = kind === "all" ? 0 : kind === "none" ? 1 : wholeBelow(random, 4);
    if (fate === 0) found = changed(found, change);
    else if ("size" in change || fate === 1) continue;
    else if (fate === 2) found = grown(found, change.at + change.data.length);
    else found = torn(found, change, { random, sector });
  }
  return found;
}

function changed(content: Bytes, change: Change): Bytes {
  if ("size" in change)
    return change.size <= content.length ? content.subarray(0, change.size) : grown(content, change.size);
  const found = grown(content, change.at + change.data.length);
  change.data.copy(found, change.at);
  return found;
}

function grown(content: Bytes, size: number): Bytes {
  if (size <= content.length) return content;
  return Buffer.concat([content, Buffer.alloc(size - content.length)]);
}

/** Some sectors of the write are there, others are as they were. */
function torn(
  content: Bytes,
  { at, data }: { readonly at: number; readonly data: Buffer },
  { random, sector }: { readonly random: Random; readonly sector: number },
): Bytes {
  const found = grown(content, at + data.length);
  for (let from = at; from < at + data.length; ) {
    const to = Math.min(at + data.length, (Math.floor(from / sector) + 1) * sector);
    if (random() < 0.5) data.copy(found, from, from - at, to - at);
    from = to;
  }
  return found;
}
