import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileProfile } from "./compile.ts";
import type { CompiledProfile } from "./compiled.ts";
import { loadProfile } from "./load.ts";

/** Where the profiles that come with the project lie. */
export const BUNDLED_FOLDER: string = fileURLToPath(new URL("../profiles/", import.meta.url));
const SUFFIX = ".yaml";

/** Names of the profiles that come with the project: each is the name of its driver. */
export function bundledProfiles(): readonly string[] {
  return readdirSync(BUNDLED_FOLDER)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
}

/** The profile of that name; a name that {@link bundledProfiles} does not have is a Problem `profile-read`. */
export function bundledProfile(name: string): CompiledProfile {
  return compileProfile(name, loadProfile(join(BUNDLED_FOLDER, `${name}${SUFFIX}`)));
}
