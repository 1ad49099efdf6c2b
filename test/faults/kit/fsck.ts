import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { FsckAnswer, FsckQuestion } from "./fsck-worker.ts";

let worker: Worker | undefined;
let turn: Promise<unknown> = Promise.resolve();

/**
 * `kilowitness fsck` in a thread of its own, one file after the other: the meter goes on answering meanwhile, which a check
 * of some seconds would keep it from.
 */
export function fsck(question: FsckQuestion): Promise<FsckAnswer> {
  const answer = turn.then(() => ask(question));
  turn = answer.catch(() => undefined);
  return answer;
}

async function ask(question: FsckQuestion): Promise<FsckAnswer> {
  if (worker === undefined) {
    worker = new Worker(new URL("./fsck-worker.ts", import.meta.url));
    worker.unref();
  }
  worker.postMessage(question);
  const [answer] = await once(worker, "message");
  return answer as FsckAnswer;
}
