import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeLeaf } from "../../../attest/leaf-codec.ts";
import { TAMPER_STATES, type TamperEvent } from "../../../firmware-bridge/tamper/tamper.ts";
import {
  type EnclosureSettings,
  WatchedEnclosure,
} from "../../../firmware-bridge/tamper/watched-enclosure.ts";
import { watchingAgent } from "../child/stand-in.ts";
import { isAlive } from "../relay/fake-gpio.ts";
import { FakeContact } from "./fake-contact.ts";

const SETTINGS: EnclosureSettings = {
  input: "lid",
  line: { chip: "gpiochip0", line: 17, activeLow: false, bias: "pull-up" },
  ...{ openedMs: 20, closedMs: 100, lookSeconds: 60, retryMs: 50 },
};

let contact: FakeContact;
let enclosure: WatchedEnclosure;
let events: TamperEvent[];
let problems: string[];

beforeEach(() => {
  events = [];
  problems = [];
});

afterEach(async () => {
  await enclosure.stop();
  contact.close();
});

async function watching(
  version: 1 | 2,
  more: Partial<EnclosureSettings> = {},
  isOpen = false,
): Promise<void> {
  contact = new FakeContact(version, isOpen);
  enclosure = new WatchedEnclosure({ ...SETTINGS, ...more });
  enclosure.start({
    onTamper: (event) => events.push(event),
    onProblem: (problem) => problems.push(`${problem.code} ${problem.message}`),
  });
  await watchers(1);
}

async function watchers(count: number): Promise<void> {
  await expect.poll(() => contact.watchers().length).toBeGreaterThanOrEqual(count);
}

async function told(count: number): Promise<readonly string[]> {
  await expect.poll(() => events.length).toBeGreaterThanOrEqual(count);
  return events.map(({ state, how }) => `${how} ${state}`);
}

function parentOf(pid: number): number {
  return Number(/\) . (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
}

describe("an enclosure", () => {
  it.each([1, 2] as const)("is looked at and watched, gpiomon %i", async (version) => {
    await watching(version);
    contact.edge(true, 3000);
    expect(await told(2)).toEqual(["watching closed", "edge opened"]);
    contact.edge(false);
    expect(await told(3)).toEqual(["watching closed", "edge opened", "edge closed"]);
    expect(events[0]).toEqual({ input: "lid", state: "closed", how: "watching" });
    expect(events[1]?.agoMs).toBeGreaterThanOrEqual(3000);
    expect(events[2]?.agoMs).toBeGreaterThanOrEqual(100);
    expect(problems).toEqual([]);
  });

  it("is given up in the end where gpiomon ignores that it is to end", async () => {
    await watching(2);
    contact.installStubborn();
    process.kill(contact.watchers()[0] ?? Number.NaN, "SIGKILL");
    await watchers(2);
    const stubborn = contact.watchers()[1] ?? Number.NaN;
    await enclosure.stop();
    expect(isAlive(stubborn)).toBe(true);
    process.kill(stubborn, "SIGKILL");
  });

  it("that is open at the start is said to be", async () => {
    await watching(2, {}, true);
    expect(await told(1)).toEqual(["watching opened"]);
  });

  it("is looked at again, and what nobody saw happen is found", async () => {
    await watching(1, { lookSeconds: 1 });
    contact.setLevel(true);
    expect(await told(2)).toEqual(["watching closed", "found opened"]);
    expect(events[1]?.agoMs).toBeGreaterThan(500);
    expect(problems).toEqual([]);
  });

  it("loses nothing while this process is held up", async () => {
    await watching(2);
    await told(1);
    contact.edge(true, 40);
    contact.edge(false, 10);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
    expect(await told(3)).toEqual(["watching closed", "edge opened", "edge closed"]);
  });

  it("that nobody watched is said to be so, with for how long", async () => {
    await watching(2);
    await told(1);
    contact.setGone(true);
    process.kill(contact.watchers().at(-1) ?? Number.NaN, "SIGKILL");
    await expect.poll(() => problems.length).toBeGreaterThan(1);
    contact.setLevel(true);
    contact.setGone(false);
    expect(await told(2)).toEqual(["watching closed", "watching opened"]);
    expect(events[1]?.unwatchedMs).toBeGreaterThanOrEqual(50);
    expect(problems.at(0)).toMatch(/^tamper-unwatched /);
    expect(problems.at(1)).toMatch(/^tamper-line .*No such device/);
  });

  it.each([
    ["its timeout", 1],
    ["its guard", 2],
  ])("is watched anew where %s was killed", async (_, levels) => {
    await watching(2);
    await told(1);
    const pid = contact.watchers().at(-1) ?? Number.NaN;
    let above = pid;
    for (let level = 0; level < levels; level += 1) above = parentOf(above);
    process.kill(above, "SIGKILL");
    expect(await told(2)).toEqual(["watching closed", "watching closed"]);
    expect(isAlive(pid)).toBe(false);
    expect(problems).toEqual([expect.stringMatching(/^tamper-unwatched /)]);
  });

  it("is watched by nobody after stop", async () => {
    await watching(1);
    const pid = contact.watchers().at(-1) ?? Number.NaN;
    expect(isAlive(pid)).toBe(true);
    await enclosure.stop();
    await enclosure.stop();
    expect(isAlive(pid)).toBe(false);
    contact.edge(true);
    expect(events).toHaveLength(1);
  });

  it("has states that a tamper leaf can carry", () => {
    for (const state of Object.values(TAMPER_STATES))
      expect(
        encodeLeaf({
          ...{ kind: "tamper", input: "lid", state, seq: 0, timeMs: 0, timeQuality: 3 },
          salt: new Uint8Array(16),
        }).length,
      ).toBeGreaterThan(0);
  });
});

describe("a watcher", () => {
  it("does not keep the line of an agent that was killed", async () => {
    contact = new FakeContact(1, false);
    enclosure = new WatchedEnclosure(SETTINGS);
    const { agent, said } = watchingAgent({ ...SETTINGS, lookSeconds: 1 });
    expect(await said).toBe("closed");
    await watchers(1);
    agent.kill("SIGKILL");
    const pids = contact.watchers();
    await expect.poll(() => pids.filter(isAlive)).toEqual([]);
  });
});
