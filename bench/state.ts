import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { figure, type Result } from "./measure.ts";

const PROCESS = fileURLToPath(new URL("state-process.ts", import.meta.url));
const DEVICES = 100_000;

/** What `state-process.ts` prints. */
export interface StateSizes {
  readonly memoryBytes: number;
  readonly residentBytes: number;
  readonly textBytes: number;
}

/**
 * Bytes that one device costs a node which keeps the state of 100,000, in a process of its own with --expose-gc: the
 * growth of heap and array buffers behind a full collection, the growth of the resident set, and its saved text.
 */
export async function stateBench(): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const channels of [1, 4]) {
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--expose-gc",
      PROCESS,
      String(DEVICES),
      String(channels),
    ]);
    const sizes: StateSizes = JSON.parse(stdout);
    const of = `${channels} channel${channels === 1 ? "" : "s"}`;
    results.push(
      figure("state", { name: `in memory, ${of}`, unit: "bytes/device" }, [sizes.memoryBytes]),
      figure("state", { name: `resident, ${of}`, unit: "bytes/device" }, [sizes.residentBytes]),
      figure("state", { name: `saved, ${of}`, unit: "bytes/device" }, [sizes.textBytes]),
    );
  }
  return results;
}
