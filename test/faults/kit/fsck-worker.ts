import { parentPort } from "node:worker_threads";
import { type FsckOptions, runFsck } from "../../../bin/fsck/run.ts";

/** A file that is to be checked, and whose it must be. */
export interface FsckQuestion {
  readonly path: string;
  readonly options: Pick<FsckOptions, "deviceKeys" | "nodeKeys" | "network" | "most">;
}

/** What was found wrong; empty for a sound file. */
export type FsckAnswer = readonly { readonly code: string; readonly message: string }[];

parentPort?.on("message", ({ path, options }: FsckQuestion) => {
  const { findings } = runFsck(path, options);
  const answer: FsckAnswer = findings.map(({ code, message }) => ({ code, message }));
  parentPort?.postMessage(answer);
});
