import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** Where Debian's golang-golang-x-mod-dev puts it; gccgo brings no sources of its own. */
const TLOG = "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog/tlog.go";
const IMPORT_PATH = "golang.org/x/mod/sumdb/tlog";
const PEER = join(import.meta.dirname, "tlog-peer.go");

/** Whether the peer can be compiled here. */
export const tlogIsHere: boolean = existsSync(TLOG) && spawnSync("gccgo", ["--version"]).status === 0;

/** An inclusion proof of `old` at `index`, or a consistency proof from `index` leaves with root `old`; hexadecimal. */
export interface TlogClaim {
  readonly kind: "inclusion" | "consistency";
  readonly size: number;
  readonly index: number;
  readonly root: string;
  readonly old: string;
  readonly proof: readonly string[];
}

export interface TlogQuestion {
  readonly leaves: readonly string[];
  /** Size of the tree and index of the leaf. */
  readonly inclusion: readonly (readonly [number, number])[];
  /** Size of the later tree and of the earlier one. */
  readonly consistency: readonly (readonly [number, number])[];
  readonly claims: readonly TlogClaim[];
}

const hashes = z.array(z.string().length(64));
const answerShape = z.strictObject({
  leafHashes: hashes,
  roots: hashes,
  inclusion: z.array(hashes),
  consistency: z.array(hashes),
  claims: z.array(z.boolean()),
});

export interface TlogAnswer {
  readonly leafHashes: readonly string[];
  /** Of the trees of 1, 2, 3 ... leaves. */
  readonly roots: readonly string[];
  readonly inclusion: readonly (readonly string[])[];
  readonly consistency: readonly (readonly string[])[];
  /** Whether each claim holds. */
  readonly claims: readonly boolean[];
}

/** Compiles the peer with gccgo, asks it and takes everything away again. */
export function askTlog(question: TlogQuestion): TlogAnswer {
  const folder = mkdtempSync(join(tmpdir(), "kilowitness-tlog-"));
  try {
    const program = compile(folder);
    const stdout = execFileSync(program, { input: JSON.stringify(question), maxBuffer: 2 ** 28 });
    return answerShape.parse(JSON.parse(stdout.toString()));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function compile(folder: string): string {
  const library = join(folder, `${IMPORT_PATH}.o`);
  const program = join(folder, "peer");
  mkdirSync(join(library, ".."), { recursive: true });
  execFileSync("gccgo", ["-c", "-O1", `-fgo-pkgpath=${IMPORT_PATH}`, "-o", library, TLOG]);
  execFileSync("gccgo", ["-I", folder, "-o", program, PEER, library]);
  return program;
}
