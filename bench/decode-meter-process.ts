import { setTimeout as pause } from "node:timers/promises";
import { dsmrP1Driver } from "../drivers/dsmr/driver.ts";
import type { Heard } from "./decode-meter.ts";

/** `node decode-meter-process.ts PORT SECONDS` hears a P1 meter for so long, and as long nobody; prints {@link Heard} as JSON. */
const WARM_UP_MS = 5_000;

const [port = 0, seconds = 15] = process.argv.slice(2).map(Number);
const driver = dsmrP1Driver.open(dsmrP1Driver.schema.parse({ line: `tcp://127.0.0.1:${port}` }));
let telegrams = 0;
if (driver.mode !== "push") throw new Error("not a meter that speaks by itself");
await driver.identify();
driver.start({
  onSnapshot: () => {
    telegrams += 1;
  },
  onProblem: (problem) => {
    throw problem;
  },
});
await pause(WARM_UP_MS);
const before = { telegrams, ...used() };
await pause(seconds * 1_000);
const after = { telegrams, ...used() };
await driver.close();
const idle = used();
await pause(seconds * 1_000);
const heard: Heard = {
  telegrams: after.telegrams - before.telegrams,
  cpuUs: after.cpuUs - before.cpuUs,
  idleCpuUs: used().cpuUs - idle.cpuUs,
  wallUs: after.wallUs - before.wallUs,
};
process.stdout.write(`${JSON.stringify(heard)}\n`);

function used(): { readonly cpuUs: number; readonly wallUs: number } {
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, wallUs: performance.now() * 1_000 };
}
