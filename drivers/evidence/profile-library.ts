import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BUNDLED_FOLDER } from "../profile/bundled.ts";
import { compileProfile } from "../profile/compile.ts";
import type { CompiledProfile } from "../profile/compiled.ts";
import { loadProfile } from "../profile/load.ts";

const SUFFIX = ".yaml";

/** Profiles by the digest that manifests pin: those that come with the project, and older ones that were kept. */
export class ProfileLibrary {
  readonly #folders: readonly string[];
  /** By digest in hexadecimal; what is not compiled yet as the path of its file. */
  #profiles: Map<string, CompiledProfile | string> | undefined;

  /** @param folders further folders with `.yaml` files, such as the profiles of earlier versions */
  constructor(folders: readonly string[] = []) {
    this.#folders = [...folders, BUNDLED_FOLDER];
  }

  /**
   * The profile whose text has that SHA-256; undefined when there is none. Throws `profile-…` when its file cannot be
   * read as a profile, or what the file system throws for a folder.
   */
  find(digest: Uint8Array): CompiledProfile | undefined {
    this.#profiles ??= new Map(this.#folders.flatMap(filesByDigest));
    const key = Buffer.from(digest).toString("hex");
    const found = this.#profiles.get(key);
    if (typeof found !== "string") return found;
    const compiled = compileProfile("profile", loadProfile(found));
    this.#profiles.set(key, compiled);
    return compiled;
  }
}

function filesByDigest(folder: string): (readonly [digest: string, path: string])[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
  return files.map((name) => {
    const path = join(folder, name);
    return [createHash("sha256").update(readFileSync(path, "utf8")).digest("hex"), path] as const;
  });
}
