import { readFileSync } from "node:fs";

/** Version of this program, from its package.json: two folders up from the source, three from the build. */
export const VERSION: string = readVersion();

function readVersion(): string {
  for (const up of ["../package.json", "../../package.json"]) {
    const parsed = parse(new URL(up, import.meta.url));
    if (parsed !== undefined) return parsed;
  }
  return "unknown";
}

function parse(url: URL): string | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(url, "utf8"));
    if (typeof value !== "object" || value === null || !("version" in value)) return undefined;
    return typeof value.version === "string" ? value.version : undefined;
  } catch {
    // Not there: this is the other one of the two layouts.
    return undefined;
  }
}
