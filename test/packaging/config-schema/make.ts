// Writes the JSON Schemas of the configurations. Run by 'npm run schemas'.
import { writeFileSync } from "node:fs";
import { publishedSchemas } from "./published.ts";

const ROOT = new URL("../../../", import.meta.url);

for (const [path, text] of publishedSchemas()) writeFileSync(new URL(path, ROOT), text);
