import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { allDrafts } from "./all.ts";
import { vectorOf, writeVector } from "./draft.ts";
import { FOLDER, vectorNames, vectorText } from "./files.ts";

/**
 * `npm run vectors` writes the vectors that are missing. What is there is never changed: implementations in other
 * languages hold on to it, so a difference is an error, and so is a file that nothing here makes.
 */
const made = new Map(allDrafts().map((draft) => [draft.name, writeVector(vectorOf(draft))]));
mkdirSync(FOLDER, { recursive: true });
const kept = vectorNames();
const wrong = kept.filter((name) => made.get(name) !== vectorText(name));
const missing = [...made.keys()].filter((name) => !kept.includes(name));
for (const name of missing) writeFileSync(join(FOLDER, `${name}.json`), made.get(name) ?? "", { flag: "wx" });
for (const name of wrong)
  process.stderr.write(`vectors: ${name}.json is not what is made now; it was left as it is\n`);
process.stdout.write(`vectors: ${kept.length} kept, ${missing.length} written\n`);
if (wrong.length > 0) process.exitCode = 1;
