import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CounterSettings } from "../../../firmware-bridge/pulse/counter-messages.ts";
import { CountingProcess } from "../../../firmware-bridge/pulse/counting-process.ts";
import type { HolderSettings } from "../../../firmware-bridge/relay/holder-messages.ts";
import { RelayHolder } from "../../../firmware-bridge/relay/relay-holder.ts";
import {
  type EnclosureSettings,
  USUAL_ENCLOSURE,
  WatchedEnclosure,
} from "../../../firmware-bridge/tamper/watched-enclosure.ts";
import { pulses } from "../pulse/fake-line.ts";
import { isAlive } from "../relay/fake-gpio.ts";
import { descendantsOf, FakeMachine, LINES } from "./fake-machine.ts";
import { standIn } from "./stand-in.ts";

const COUNT = 5;

let machine: FakeMachine;
let agent: ChildProcess | undefined;
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  machine = new FakeMachine();
  await machine.open();
});

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  agent?.kill("SIGKILL");
  for (const line of [LINES.pulses, LINES.contact])
    await expect.poll(() => machine.watcher(line)).toBeUndefined();
  await expect.poll(() => machine.gpio.holder(LINES.relay)).toBeUndefined();
  await machine.close();
});

function pulseSettings(): CounterSettings {
  return machine.line.settings({ line: LINES.pulses });
}

/** Open at the start and at a loss, closed at an end, so that a loss is seen to be one. */
function relaySettings(): HolderSettings {
  const times = [{ leastMs: 0 }, { leastMs: 0 }];
  const states = { onStart: 0, onExit: 1, onLoss: 0 };
  return {
    outputs: [{ name: "heater", lines: [machine.gpio.output(LINES.relay)], times, states }],
    silenceMs: 60_000,
  };
}

const LID: EnclosureSettings = {
  ...USUAL_ENCLOSURE,
  input: "lid",
  line: { chip: "gpiochip0", line: LINES.contact, activeLow: false, bias: "pull-up" },
};

/** A process in the place of the agent that counts, closes the contact and watches; gives its own number and those of its programs. */
async function agentAtWork(): Promise<readonly [agent: number, counter: number, holder: number]> {
  const begun = standIn(`
    const { CountingProcess } = await import(BRIDGE + "pulse/counting-process.ts");
    const { RelayHolder } = await import(BRIDGE + "relay/relay-holder.ts");
    const { WatchedEnclosure } = await import(BRIDGE + "tamper/watched-enclosure.ts");
    const counting = new CountingProcess(${JSON.stringify(pulseSettings())});
    const holder = new RelayHolder(${JSON.stringify(relaySettings())});
    const watched = new Promise((resolve) =>
      new WatchedEnclosure(${JSON.stringify(LID)}).start({ onTamper: resolve, onProblem: (problem) => { throw problem; } }));
    await Promise.all([counting.start(), holder.start(), watched]);
    await holder.relay("heater").set(1, 600_000);
    while ((await counting.read()).count < ${COUNT}) await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(JSON.stringify([process.pid, counting.pid, holder.pid]));`);
  agent = begun.agent;
  await machine.line.watched();
  machine.line.play({ edges: pulses(COUNT) });
  return JSON.parse(await begun.said);
}

/** Number of the write and count, as the first copy in the register file has them. */
function saved(): readonly number[] {
  const text = readFileSync(pulseSettings().registerFile, "latin1");
  return /^kilowitness-pulses 1 (\d+) (\d+) /.exec(text)?.slice(1).map(Number) ?? [];
}

/** All of them at once: none of them sees another one's end. */
function killTogether(pids: readonly number[]): void {
  for (const signal of ["SIGSTOP", "SIGKILL"]) for (const pid of pids) process.kill(pid, signal);
}

function heldLines(): (number | undefined)[] {
  return [machine.watcher(LINES.pulses), machine.watcher(LINES.contact), machine.gpio.holder(LINES.relay)];
}

/** What the next agent does first, at its first attempt. */
async function nextAgent(): Promise<void> {
  const counting = new CountingProcess(pulseSettings());
  const holder = new RelayHolder(relaySettings());
  const enclosure = new WatchedEnclosure(LID);
  stops.push(
    () => counting.stop(),
    () => holder.stop(),
    () => enclosure.stop(),
  );
  const said = new Promise((resolve) => enclosure.start({ onTamper: resolve, onProblem: resolve }));
  await Promise.all([counting.start(), holder.start()]);
  const { count, gaps } = await counting.read();
  expect([count, gaps.length]).toEqual([COUNT, 1]);
  expect(await holder.relay("heater").shown()).toEqual({ position: 0, why: "start" });
  expect(await said).toEqual({ input: "lid", state: "closed", how: "watching" });
}

describe("an agent that counts, switches and watches", () => {
  it.each([
    ["is killed", 1],
    ["is killed together with its programs", 3],
  ] as const)(
    "and %s leaves nobody behind, the relay open, the count on disk, and the lines free",
    async (_, killed) => {
      const pids = await agentAtWork();
      const [pid] = pids;
      // The enclosure's program begins behind the first look.
      await expect.poll(() => heldLines()).not.toContain(undefined);
      // The counter with gpiomon, the holder with gpioset, gpiomon under its timeout, and a guard for each of the three.
      await expect.poll(() => descendantsOf(pid).length).toBe(9);
      const children = descendantsOf(pid);
      expect(children).toEqual(expect.arrayContaining(heldLines()));
      const [writeBefore = Number.NaN] = saved();
      expect(machine.gpio.history(LINES.relay).at(-1)).toBe("hold 1 high");
      killTogether(pids.slice(0, killed));
      await expect.poll(() => children.filter(isAlive)).toEqual([]);
      expect(machine.gpio.history(LINES.relay).slice(1)).toEqual(["hold 1 high", "touch 0 high"]);
      expect(heldLines()).toEqual([undefined, undefined, undefined]);
      // A counter that lives saves at its end; one that was killed has saved what it told.
      expect(saved()).toEqual([writeBefore + (killed === 1 ? 1 : 0), COUNT]);
      await nextAgent();
    },
  );
});
