import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The program as it ships. */
export interface BuiltProgram {
  /** What `node` is given to run it. */
  readonly launcher: string;
  remove(): void;
}

/** The same from sources, whose types are stripped at each start. */
export const SOURCE_LAUNCHER: string = join(ROOT, "bin", "kilowitness.js");

/** Compiles the program into a folder of its own: stripping types at each start would cost memory and time. */
export async function buildProgram(): Promise<BuiltProgram> {
  const folder = mkdtempSync(join(tmpdir(), "kilowitness-built-"));
  const build = join(ROOT, "packaging", "build.js");
  await promisify(execFile)(process.execPath, [build, "--out", join(folder, "dist")]);
  for (const file of ["package.json", join("bin", "kilowitness.js")])
    cpSync(join(ROOT, file), join(folder, file));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return {
    launcher: join(folder, "bin", "kilowitness.js"),
    remove: () => rmSync(folder, { recursive: true }),
  };
}
