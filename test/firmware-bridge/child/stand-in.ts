import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { CounterSettings } from "../../../firmware-bridge/pulse/counter-messages.ts";
import type { HolderSettings } from "../../../firmware-bridge/relay/holder-messages.ts";
import type { EnclosureSettings } from "../../../firmware-bridge/tamper/watched-enclosure.ts";

const BRIDGE = new URL("../../../firmware-bridge/", import.meta.url).href;
const LONG_MS = 600_000;

/** A process in the place of the agent. */
export interface StandIn {
  readonly agent: ChildProcess;
  /** The first line that it prints. */
  readonly said: Promise<string>;
}

/** Runs the lines of a module, which may import from `BRIDGE`, in a process of its own. */
export function standIn(script: string): StandIn {
  const source = `const BRIDGE = ${JSON.stringify(BRIDGE)};\n${script}`;
  const words = ["--input-type=module", "-e", source];
  const agent = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const said = once(createInterface({ input: agent.stdout }), "line").then(([line]) => String(line));
  return { agent, said };
}

/** Counts until it is killed, and says which process does; of one that hangs at its start, as soon as there is one. */
export function countingAgent(settings: CounterSettings, startsWell = true): StandIn {
  return standIn(`
    const { CountingProcess } = await import(BRIDGE + "pulse/counting-process.ts");
    const counting = new CountingProcess(${JSON.stringify(settings)});
    ${startsWell ? "await" : ""} counting.start();
    console.log(counting.pid);
    setInterval(() => undefined, 1000);`);
}

/** Closes the contact of the output `heater` for ten minutes, and says which process holds it. */
export function closingAgent(settings: HolderSettings): StandIn {
  return standIn(`
    const { RelayHolder } = await import(BRIDGE + "relay/relay-holder.ts");
    const holder = new RelayHolder(${JSON.stringify(settings)});
    await holder.start();
    await holder.relay("heater").set(1, ${LONG_MS});
    console.log(holder.pid);
    setInterval(() => undefined, 1000);`);
}

/** Watches an enclosure, and says what it is, or why nobody watches. */
export function watchingAgent(settings: EnclosureSettings): StandIn {
  return standIn(`
    const { WatchedEnclosure } = await import(BRIDGE + "tamper/watched-enclosure.ts");
    const one = new WatchedEnclosure(${JSON.stringify(settings)});
    one.start({ onTamper: ({ state }) => console.log(state), onProblem: ({ message }) => console.log(message) });`);
}
