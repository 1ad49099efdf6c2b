import { readFileSync } from "node:fs";
import { Problem } from "../../attest/problem.ts";
import { replaceDurably } from "../../runtime/files.ts";

/**
 * The number of the newest epoch that the device has begun, 0 for none. The file outlives the database: a device whose
 * journal is lost must not begin an epoch a second time, which would look like a fork. Throws `epoch-file`.
 *
 * @param path of the journal that it stands beside
 */
export function readEpoch(path: string): number {
  try {
    const text = readFileSync(epochFile(path), "utf8").trim();
    if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
    throw new Problem("epoch-file", "epoch file is unreadable", {
      where: epochFile(path),
      expected: "a number",
      got: JSON.stringify(text.slice(0, 20)),
      hint: "write the number of the device's last epoch into it; any node that knows the device shows it",
    });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return 0;
    throw cause;
  }
}

/** Durable when it returns. */
export function writeEpoch(path: string, epoch: number): void {
  replaceDurably(epochFile(path), `${epoch}\n`);
}

function epochFile(path: string): string {
  return `${path}.epoch`;
}
