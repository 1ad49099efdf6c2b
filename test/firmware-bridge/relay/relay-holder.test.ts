import type { ChildProcess } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HeldOutputSettings, HolderSettings } from "../../../firmware-bridge/relay/holder-messages.ts";
import type { Relay, RelayShown } from "../../../firmware-bridge/relay/relay.ts";
import { RelayHolder } from "../../../firmware-bridge/relay/relay-holder.ts";
import { SG_READY_STATES, SgReady, sgReadyTimes } from "../../../firmware-bridge/relay/sg-ready.ts";
import { closingAgent } from "../child/stand-in.ts";
import { FakeGpio, isAlive } from "./fake-gpio.ts";

/** The guards of a lost holder are done before the next one is started. */
const TIMES = { firstRetryMs: 1000, longestRetryMs: 2000, answerMs: 20_000 };
const LONG_MS = 600_000;

let gpio: FakeGpio;
let holder: RelayHolder | undefined;
let agent: ChildProcess | undefined;

beforeEach(() => {
  gpio = new FakeGpio();
});

afterEach(async () => {
  await holder?.stop();
  holder = undefined;
  if (agent !== undefined && agent.exitCode === null) agent.kill("SIGKILL");
  agent = undefined;
  // The guards of a lost holder end by themselves; nothing is to be left that writes into the folder.
  for (const line of [17, 27]) await expect.poll(() => gpio.holder(line)).toBeUndefined();
  gpio.close();
});

/** One contact: open at the start and at a loss, closed at an end, so that each of them is seen. */
function contactor(leastMs = 0): HeldOutputSettings {
  return {
    ...{ name: "heater", lines: [gpio.output(17)], times: [{ leastMs: 0 }, { leastMs }] },
    states: { onStart: 0, onExit: 1, onLoss: 0 },
  };
}

function settings(output: HeldOutputSettings, silenceMs = 60_000): HolderSettings {
  return { outputs: [output], silenceMs };
}

async function started(given: HolderSettings): Promise<RelayHolder> {
  holder = new RelayHolder(given, TIMES);
  await holder.start();
  return holder;
}

/** A process in the place of the agent that closes the contact for ten minutes, and says who holds it. */
async function agentThatCloses(given: HolderSettings): Promise<number> {
  const begun = closingAgent(given);
  agent = begun.agent;
  const pid = Number(await begun.said);
  // Version 1 does not say when it has the line; and one that is to speak often may have been late already.
  await expect.poll(() => gpio.history(17)).toContain("hold 1 high");
  return pid;
}

/** As a synchronous disk that stalls: nothing of this process runs until it is so, and so nobody says that it lives. */
function heldUpUntil(isSo: () => boolean): void {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const endMs = performance.now() + 20_000;
  while (!isSo() && performance.now() < endMs) Atomics.wait(flag, 0, 0, 100);
}

/** A command in the turn in which it is known that nobody holds the lines: before long somebody does again. */
async function askedWhenLost(relay: Relay): Promise<RelayShown> {
  for (;;) {
    const isHeld = await relay.shown().then(
      () => true,
      () => false,
    );
    if (!isHeld) return relay.set(1, LONG_MS);
  }
}

describe.each([1, 2] as const)("the holding process, gpioset %i", (version) => {
  beforeEach(() => gpio.install(version));

  it("opens the contact when the agent is killed, and ends", async () => {
    const pid = await agentThatCloses(settings(contactor()));
    agent?.kill("SIGKILL");
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect(gpio.history(17)).toEqual(["hold 0 high", "hold 1 high", "touch 0 high"]);
    expect(gpio.holder(17)).toBeUndefined();
  });

  it("leaves the contact open when it is killed itself, and is started again", async () => {
    const held = await started(settings(contactor()));
    const relay = held.relay("heater");
    await relay.set(1, LONG_MS);
    const before = held.pid;
    if (before === undefined) throw new Error("there is no holding process");
    process.kill(before, "SIGKILL");
    await expect.poll(async () => (await relay.shown().catch(() => undefined))?.why).toBe("start");
    expect(held.pid).not.toBe(before);
    await expect
      .poll(() => gpio.history(17))
      .toEqual(["hold 0 high", "hold 1 high", "touch 0 high", "hold 0 high"]);
  });
});

describe("the holding process", () => {
  beforeEach(() => gpio.install(2));

  it("opens the contact when it and the agent are killed together", async () => {
    const pid = await agentThatCloses(settings(contactor()));
    process.kill(pid, "SIGKILL");
    agent?.kill("SIGKILL");
    await expect.poll(() => gpio.history(17).at(-1)).toBe("touch 0 high");
  });

  it("opens the contact while the agent hangs, and takes commands again when it does not", async () => {
    await agentThatCloses(settings(contactor(), 600));
    agent?.kill("SIGSTOP");
    await expect.poll(() => gpio.history(17)).toEqual(["hold 0 high", "hold 1 high", "hold 0 high"]);
    expect(gpio.holder(17)).toBeDefined();
    agent?.kill("SIGCONT");
    agent?.kill("SIGKILL");
    await expect.poll(() => gpio.history(17).at(-1)).toBe("touch 0 high");
  });

  it("says that it was lost, and that the lease is gone", async () => {
    const relay = (await started(settings(contactor(), 400))).relay("heater");
    await relay.set(1, LONG_MS);
    heldUpUntil(() => gpio.history(17).length > 2);
    expect(await relay.shown()).toEqual({ position: 0, why: "lost" });
    expect(gpio.history(17)).toEqual(["hold 0 high", "hold 1 high", "hold 0 high"]);
    expect((await relay.set(1, LONG_MS)).why).toBe("lease");
  });

  it("ends a lease by itself, and goes to its state of an end when it is stopped", async () => {
    const held = await started(settings(contactor()));
    const relay = held.relay("heater");
    expect(await relay.set(1, 300)).toMatchObject({ position: 1, why: "lease" });
    await expect.poll(() => gpio.history(17).length).toBe(3);
    expect(await relay.shown()).toEqual({ position: 0, why: "ended" });
    await held.stop();
    await held.stop();
    expect(gpio.history(17).slice(1)).toEqual(["hold 1 high", "hold 0 high", "touch 1 high"]);
    await expect(relay.shown()).rejects.toMatchObject({ code: "relay-closed" });
    await expect(held.start()).rejects.toMatchObject({ code: "relay-closed" });
  });

  it("refuses what its rules refuse, and nothing has changed", async () => {
    const relay = (await started(settings(contactor(LONG_MS)))).relay("heater");
    await relay.set(1, LONG_MS);
    await expect(relay.set(0, LONG_MS)).rejects.toMatchObject({ code: "relay-dwell" });
    await expect(relay.set(2, LONG_MS)).rejects.toMatchObject({ code: "relay-position" });
    expect(await relay.release()).toMatchObject({ position: 1, why: "ending" });
    expect(gpio.history(17)).toEqual(["hold 0 high", "hold 1 high"]);
  });

  it("is started again when a line is lost, and says so", async () => {
    const held = await started(settings(contactor()));
    const relay = held.relay("heater");
    await relay.set(1, LONG_MS);
    const before = held.pid;
    process.kill(gpio.holder(17) ?? Number.NaN, "SIGKILL");
    await expect(askedWhenLost(relay)).rejects.toMatchObject({ code: "relay-not-held" });
    expect(held.pid).not.toBe(before);
    await expect.poll(async () => (await relay.shown().catch(() => undefined))?.why).toBe("start");
    expect(gpio.history(17).slice(2)).toEqual(["touch 0 high", "hold 0 high"]);
  });

  it("is not started where a line cannot be had", async () => {
    gpio.refuse(17);
    await expect(started(settings(contactor()))).rejects.toMatchObject({ code: "gpioset-ended" });
  });

  it("drives SG Ready's two contacts, and opens before it closes", async () => {
    const heatPump: HeldOutputSettings = {
      ...{ name: "heat pump", states: SG_READY_STATES, times: sgReadyTimes(0) },
      lines: [gpio.output(17), gpio.output(27, { activeLow: true })],
    };
    const ready = new SgReady((await started(settings(heatPump))).relay("heat pump"));
    const contacts = (): string => [17, 27].map((line) => gpio.history(line).at(-1)?.charAt(5)).join(":");
    const seen: string[] = [];
    for (const state of ["blocked", "advised", "ordered", "normal"] as const) {
      await ready.set(state, LONG_MS);
      seen.push(`${await ready.state()} ${contacts()}`);
    }
    expect(seen).toEqual(["blocked 1:0", "advised 0:1", "ordered 1:1", "normal 0:0"]);
    expect(gpio.history(27)[0]).toBe("hold 0 low");
    // From blocked to advised: not by way of the order to start, which both contacts closed would be.
    expect(gpio.levels()).toEqual(["17 0", "27 0", "17 1", "17 0", "27 1", "17 1", "17 0", "27 0"]);
  });
});
