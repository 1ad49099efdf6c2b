import { readFileSync } from "node:fs";
import { Problem } from "../attest/problem.ts";

/**
 * The statements of a `.sql` file, by the name in the `-- name: …` line above each. Throws `sql-missing` on
 * look-up of a name that the file does not have, so that a typo shows at start and not in the field.
 */
export function readStatements(url: URL): (name: string) => string {
  const statements = new Map<string, string>();
  for (const part of readFileSync(url, "utf8")
    .split(/^-- name: /m)
    .slice(1)) {
    const end = part.indexOf("\n");
    statements.set(part.slice(0, end).trim(), part.slice(end + 1).trim());
  }
  return (name) => {
    const sql = statements.get(name);
    if (sql === undefined)
      throw new Problem("sql-missing", `no statement "${name}"`, { where: url.pathname });
    return sql;
  };
}
