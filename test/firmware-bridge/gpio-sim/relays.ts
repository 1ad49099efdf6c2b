import type { ChildProcess } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { OutputLine } from "../../../firmware-bridge/gpio/line.ts";
import type { HeldOutputSettings, HolderSettings } from "../../../firmware-bridge/relay/holder-messages.ts";
import { RelayHolder } from "../../../firmware-bridge/relay/relay-holder.ts";
import { SG_READY_STATES, SgReady, sgReadyTimes } from "../../../firmware-bridge/relay/sg-ready.ts";
import { closingAgent } from "../child/stand-in.ts";
import { isTaken, type Major, newestPid, use } from "./programs.ts";
import { SimChip } from "./sim-chip.ts";
import { WatchedLevels } from "./watched-levels.ts";

const TIMES = { firstRetryMs: 200, longestRetryMs: 400, answerMs: 30_000 };
const LONG_MS = 600_000;
const PATIENCE = { timeout: 20_000, interval: 100 };
const LINE = 5;
const SECOND = 6;

let chip: SimChip;
let holder: RelayHolder | undefined;
let agent: ChildProcess | undefined;

function output(line = LINE, more: Partial<OutputLine> = {}): OutputLine {
  return { chip: chip.name, line, activeLow: false, drive: "push-pull", ...more };
}

function contactor(more: Partial<OutputLine> = {}): HolderSettings {
  const held: HeldOutputSettings = {
    ...{ name: "heater", lines: [output(LINE, more)], times: [{ leastMs: 0 }, { leastMs: 0 }] },
    states: { onStart: 0, onExit: 0, onLoss: 0 },
  };
  return { outputs: [held], silenceMs: 60_000 };
}

async function started(given: HolderSettings): Promise<RelayHolder> {
  holder = new RelayHolder(given, TIMES);
  await holder.start();
  return holder;
}

function pidOf({ pid }: { readonly pid?: number | undefined }): number {
  if (pid === undefined) throw new Error("there is no process");
  return pid;
}

/** A process in the place of the agent that closes the contact for ten minutes; with the process that holds it. */
async function agentThatCloses(given: HolderSettings): Promise<number> {
  const begun = closingAgent(given);
  agent = begun.agent;
  const pid = Number(await begun.said);
  return pid;
}

/** Version 1 does not say when it has the line: on a machine as slow as an emulated one that may be after it was said to. */
async function expectHeld(level: number): Promise<void> {
  await vi.waitFor(
    async () => expect([chip.level(LINE), await isTaken(chip, LINE)]).toEqual([level, true]),
    PATIENCE,
  );
}

/** Who has the line: the gpioset under the guard. */
function gpiosetPid(): number {
  // Version 2 cuts the word in two at the sign.
  const pid = newestPid(`gpioset .* ${LINE}[= ][01]$`);
  if (pid === undefined) throw new Error("there is no gpioset");
  return pid;
}

/** What is measured at a line that simulated contacts hang on, with the gpioset of that version. */
export function relaysOnRealLines(folder: string, major: Major): void {
  describe(`a relay at a simulated line, gpioset ${major}`, () => {
    beforeEach(() => {
      use(folder);
      chip = new SimChip();
    });

    afterEach(async () => {
      await holder?.stop();
      holder = undefined;
      if (agent !== undefined && agent.exitCode === null) agent.kill("SIGKILL");
      agent = undefined;
      for (const line of [LINE, SECOND]) await expect.poll(() => isTaken(chip, line)).toBe(false);
      chip.close();
      vi.unstubAllEnvs();
    });

    positions();
    losses();
  });
}

function positions(): void {
  it.each([
    ["high", { activeLow: false }, true],
    ["low", { activeLow: true }, false],
  ] as const)("is driven against the resistor from the start on, active %s", async (_, low, up) => {
    chip.pull(LINE, up);
    const [open, closed] = low.activeLow ? [1, 0] : [0, 1];
    const held = await started(contactor(low));
    await expectHeld(open);
    const relay = held.relay("heater");
    await relay.set(1, LONG_MS);
    await expectHeld(closed);
    await relay.release();
    await expectHeld(open);
    await held.stop();
    expect([chip.level(LINE), await isTaken(chip, LINE)]).toEqual([up ? 1 : 0, false]);
  });

  it("opens by itself at the end of its lease, and is held open", async () => {
    const relay = (await started(contactor())).relay("heater");
    await relay.set(1, 10_000);
    await expectHeld(1);
    await expect.poll(async () => (await relay.shown()).why).toBe("ended");
    chip.pull(LINE, true);
    await expectHeld(0);
  });

  it("is not held where somebody else has the line, and is when they have let go of it", async () => {
    const first = await started(contactor());
    const second = new RelayHolder(contactor(), TIMES);
    const refused = expect(second.start()).rejects.toMatchObject({
      ...{ code: "gpioset-ended", message: expect.stringMatching(/busy/i) },
    });
    await refused.finally(() => second.stop());
    await expectHeld(0);
    await first.stop();
    await (await started(contactor())).relay("heater").set(1, LONG_MS);
    await expectHeld(1);
  });

  it("drives SG Ready's two contacts, and not by way of an order that nobody gave", async () => {
    const heatPump: HeldOutputSettings = {
      ...{ name: "heat pump", states: SG_READY_STATES, times: sgReadyTimes(0) },
      lines: [output(), output(SECOND)],
    };
    const held = await started({ outputs: [heatPump], silenceMs: 60_000 });
    const ready = new SgReady(held.relay("heat pump"));
    const levels = new WatchedLevels(chip, [LINE, SECOND]);
    const rested: string[] = [];
    for (const state of ["blocked", "advised", "ordered", "normal"] as const) {
      await ready.set(state, LONG_MS);
      await vi.waitFor(
        async () => expect([await isTaken(chip, LINE), await isTaken(chip, SECOND)]).toEqual([true, true]),
        PATIENCE,
      );
      rested.push(`${chip.level(LINE)}${chip.level(SECOND)}`);
    }
    expect(rested).toEqual(["10", "01", "11", "00"]);
    const seen = (await levels.stop()).join(" ");
    expect(seen.slice(0, seen.indexOf("11"))).toMatch(/^00 10 (00 )?01 (00 )?$/);
  });
}

function losses(): void {
  it("opens when the agent is killed: first driven, then as the resistor wants", async () => {
    chip.pull(LINE, true);
    const pid = await agentThatCloses(contactor());
    await expectHeld(1);
    const levels = new WatchedLevels(chip, [LINE]);
    await expect.poll(() => levels.seen.length).toBe(1);
    agent?.kill("SIGKILL");
    await expect.poll(() => isTaken(chip, LINE)).toBe(false);
    await expect.poll(() => isRunning(pid)).toBe(false);
    expect(await levels.stop()).toEqual(["1", "0", "1"]);
  });

  it("opens when the process that holds it is killed, and is taken again", async () => {
    const held = await started(contactor());
    const relay = held.relay("heater");
    await relay.set(1, LONG_MS);
    await expectHeld(1);
    process.kill(pidOf(held), "SIGKILL");
    await expect.poll(() => chip.level(LINE)).toBe(0);
    await expect.poll(async () => (await relay.shown().catch(() => undefined))?.why).toBe("start");
    chip.pull(LINE, true);
    await expectHeld(0);
    await relay.set(1, LONG_MS);
    await expectHeld(1);
  });

  it("opens when gpioset is killed, and is taken again", async () => {
    const held = await started(contactor());
    const relay = held.relay("heater");
    await relay.set(1, LONG_MS);
    await expectHeld(1);
    const before = pidOf(held);
    process.kill(gpiosetPid(), "SIGKILL");
    await expect.poll(() => chip.level(LINE)).toBe(0);
    await expect.poll(() => held.pid === before).toBe(false);
    await expect.poll(async () => (await relay.shown().catch(() => undefined))?.why).toBe("start");
    await expectHeld(0);
  });

  it("is what the resistor makes of it when everybody is killed at one stroke", async () => {
    const pid = await agentThatCloses(contactor());
    await expectHeld(1);
    // The holding process leads the group that the guards and gpioset are in.
    agent?.kill("SIGSTOP");
    process.kill(-pid, "SIGKILL");
    agent?.kill("SIGKILL");
    await expect.poll(() => isTaken(chip, LINE)).toBe(false);
    expect(chip.level(LINE)).toBe(0);
  });

  it("stays closed when its programs are told to end", async () => {
    await (await started(contactor())).relay("heater").set(1, LONG_MS);
    await expectHeld(1);
    const pid = gpiosetPid();
    for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) process.kill(pid, signal);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([chip.level(LINE), await isTaken(chip, LINE), isRunning(pid)]).toEqual([1, true, true]);
  });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
