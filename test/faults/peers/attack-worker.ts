import { parentPort } from "node:worker_threads";
import { seededRandom } from "../kit/random.ts";
import { attack } from "./attacks.ts";

/** Which attack, on which port, for how long. */
export interface AttackOrder {
  readonly name: string;
  readonly port: number;
  readonly ms: number;
  readonly seed: number;
}

parentPort?.on("message", ({ name, port, ms, seed }: AttackOrder) => {
  void attack(name, { port, ms, random: seededRandom(seed) }).then((result) =>
    parentPort?.postMessage(result),
  );
});
