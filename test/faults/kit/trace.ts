import { basename, dirname } from "node:path";

/** One thing that a traced program did to the files of one folder, or sent on a socket; files by their names there. */
export type TraceOp =
  | { readonly kind: "create"; readonly name: string }
  | { readonly kind: "write"; readonly name: string; readonly at: number; readonly data: Buffer }
  | { readonly kind: "truncate"; readonly name: string; readonly size: number }
  | { readonly kind: "sync"; readonly name: string }
  | { readonly kind: "sync-folder" }
  | { readonly kind: "rename" | "link"; readonly from: string; readonly to: string }
  | { readonly kind: "unlink"; readonly name: string }
  | { readonly kind: "send"; readonly socket: string; readonly data: Buffer };

/** What the tracer has to be told to watch: all that changes files, makes them durable, or sends. */
const CALLS = [
  ..."openat,open,creat,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendfile,copy_file_range".split(
    ",",
  ),
  ..."fsync,fdatasync,sync_file_range,ftruncate,truncate,fallocate,rename,renameat,renameat2".split(","),
  ..."link,linkat,unlink,unlinkat,mmap,io_uring_setup".split(","),
];

/** The command line before the program's; it stays the program's child, so that signals and messages reach it. */
export function tracedInto(file: string): readonly string[] {
  const how = ["-D", "-f", "-xx", "-y", "-ttt", "-s", "16777216", "-e", "signal=none"];
  return ["strace", ...how, "-e", `trace=${CALLS.join(",")}`, "-o", file];
}

/** The runtime's ring for files does work that no tracer sees; it must be off. */
export const UNHIDDEN: Readonly<Record<string, string>> = { UV_USE_IO_URING: "0" };

interface Call {
  readonly name: string;
  readonly args: string;
  readonly result: number;
}

/**
 * What traces of `strace -xx -y`, of one run after the other, say about the files in `folder` and about sockets, in order.
 * Throws where a program changed a file there in a way that is not modelled, such as through a mapping.
 */
export function readTraces(texts: readonly string[], folder: string): TraceOp[] {
  const reader = new Reader(folder);
  for (const text of texts) for (const call of callsOf(text)) reader.take(call);
  return reader.ops;
}

/** Calls in the order in which they returned. */
function* callsOf(text: string): Generator<Call> {
  const begun = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, pid = "", said = ""] = /^(\d+) +[\d.]+ (.*)$/.exec(line) ?? [];
    if (said.endsWith(" <unfinished ...>")) {
      begun.set(pid, said.slice(0, -" <unfinished ...>".length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(said)?.[0];
    const whole = resumed === undefined ? said : (begun.get(pid) ?? "") + said.slice(resumed.length);
    const [, name = "", args = "", result] = /^(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+)/s.exec(whole) ?? [];
    if (result !== undefined) yield { name, args, result: Number(result) };
  }
}

class Reader {
  readonly ops: TraceOp[] = [];
  readonly #folder: string;
  /** How far the sequential writes of each descriptor are; undefined: at the end. */
  readonly #offsets = new Map<string, number>();
  readonly #sizes = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  take({ name, args, result }: Call): void {
    if (result < 0) return;
    if (name === "openat" || name === "open" || name === "creat") this.#open(args, result);
    else if (name === "write" || name === "writev" || name === "sendto" || name === "sendmsg")
      this.#write(args, result);
    else if (name === "pwrite64") this.#writeAt(args, result);
    else if (name === "fsync" || name === "fdatasync") this.#sync(args);
    else if (name === "ftruncate") this.#truncate(args);
    else if (/^(rename|link|unlink)/.test(name)) this.#rename(name, args);
    else this.#refuse(name, args);
  }

  /** A name within the folder, of what a call names by its path. */
  #within(path: string): string | undefined {
    return dirname(path) === this.#folder ? basename(path) : undefined;
  }

  #file(args: string): string | undefined {
    const path = descriptorOf(args);
    const name = path === undefined ? undefined : this.#within(path);
    // The index of the write-ahead log is shared memory: it is made anew by whoever opens the database first.
    return name?.endsWith("-shm") === true ? undefined : name;
  }

  #open(args: string, fd: number): void {
    const name = this.#within(textsOf(args)[0]?.toString() ?? "");
    if (name === undefined || name.endsWith("-shm")) return;
    this.#offsets.set(`${fd}`, args.includes("O_APPEND") ? Number.NaN : 0);
    if (args.includes("O_CREAT") && !this.#sizes.has(name)) {
      this.#sizes.set(name, 0);
      this.ops.push({ kind: "create", name });
    }
    if (args.includes("O_TRUNC")) this.#setSize(name, 0);
  }

  #write(args: string, count: number): void {
    const data = Buffer.concat(textsOf(args)).subarray(0, count);
    const target = descriptorOf(args) ?? "";
    if (target.startsWith("socket:") || target.startsWith("TCP:")) {
      this.ops.push({ kind: "send", socket: target, data });
      return;
    }
    const name = this.#file(args);
    if (name === undefined) return;
    const fd = args.slice(0, args.indexOf("<"));
    const at = this.#offsets.get(fd) ?? 0;
    const from = Number.isNaN(at) ? (this.#sizes.get(name) ?? 0) : at;
    if (!Number.isNaN(at)) this.#offsets.set(fd, from + count);
    this.#push(name, from, data);
  }

  #writeAt(args: string, count: number): void {
    const name = this.#file(args);
    const at = Number(/, (\d+)$/.exec(args)?.[1]);
    if (name !== undefined) this.#push(name, at, (textsOf(args)[0] ?? Buffer.alloc(0)).subarray(0, count));
  }

  #push(name: string, at: number, data: Buffer): void {
    this.ops.push({ kind: "write", name, at, data });
    this.#sizes.set(name, Math.max(this.#sizes.get(name) ?? 0, at + data.length));
  }

  #sync(args: string): void {
    const path = descriptorOf(args);
    if (path === this.#folder) this.ops.push({ kind: "sync-folder" });
    const name = this.#file(args);
    if (name !== undefined) this.ops.push({ kind: "sync", name });
  }

  #truncate(args: string): void {
    const name = this.#file(args);
    if (name !== undefined) this.#setSize(name, Number(/, (\d+)$/.exec(args)?.[1]));
  }

  #setSize(name: string, size: number): void {
    this.#sizes.set(name, size);
    this.ops.push({ kind: "truncate", name, size });
  }

  #rename(call: string, args: string): void {
    const [from, to] = textsOf(args).map((path) => this.#within(path.toString()));
    if (from === undefined || from.endsWith("-shm")) return;
    if (call.startsWith("unlink")) {
      this.#sizes.delete(from);
      this.ops.push({ kind: "unlink", name: from });
      return;
    }
    if (to === undefined) throw new Error(`${call} out of the folder is not modelled: ${args}`);
    this.#sizes.set(to, this.#sizes.get(from) ?? 0);
    if (call.startsWith("rename")) this.#sizes.delete(from);
    this.ops.push({ kind: call.startsWith("rename") ? "rename" : "link", from, to });
  }

  /** What would change a file behind the model's back. */
  #refuse(call: string, args: string): void {
    // The runtime's other ring, without a thread of the kernel's, only changes what is waited for.
    if (call === "io_uring_setup" && args.includes("IORING_SETUP_SQPOLL"))
      throw new Error("work through a ring is not seen");
    const mapped = /(\d+<[^>]+>)/.exec(args)?.[1];
    const name = mapped === undefined ? undefined : this.#file(mapped);
    if (name !== undefined) throw new Error(`${call} on ${name} is not modelled`);
  }
}

/** What the first descriptor of a call is open on: a path, or a socket. */
function descriptorOf(args: string): string | undefined {
  const hex = /^-?\w+<((?:\\x[0-9a-f]{2})+)>/.exec(args)?.[1];
  return hex === undefined ? /^\d+<([^>]+)>/.exec(args)?.[1] : unescaped(hex).toString();
}

/** All strings of a call. */
function textsOf(args: string): Buffer[] {
  return [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = ""]) => unescaped(hex));
}

function unescaped(hex: string): Buffer {
  return Buffer.from(hex.replaceAll("\\x", ""), "hex");
}
