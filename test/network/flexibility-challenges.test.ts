import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { ChallengeOrder } from "../../attest/flexibility/orders.ts";
import { challengeSteps } from "../../attest/flexibility/pattern.ts";
import { nativeSuite } from "../../attest/native.ts";
import { openFlexibility } from "../../network/flexibility/extension.ts";
import { tokenFile } from "./enrolment-kit.ts";
import { runNode, temporaryFolder } from "./fixture.ts";
import {
  ask,
  BATTERY,
  EVENT_MS,
  FlexDevice,
  flexNode,
  GRID,
  HOUR_MS,
  setClock,
  until,
} from "./flexibility-kit.ts";

const WEEK_MS = 604_800_000;
const SECOND_MS = 1000;
const NOW = EVENT_MS - 2 * HOUR_MS;

/** A device that is read every second, with a grid meter above it. */
function quickDevice(seed = 31): FlexDevice {
  const device = new FlexDevice({ seed, startMs: NOW, samplingMs: SECOND_MS });
  return device.readAt(NOW + SECOND_MS, { [BATTERY]: 1_000_000, [GRID]: 2_000_000 }).flexibility();
}

/** Follows the steps, or stays as it is; the grid meter sees it beside 1 kW of the house. */
function follow(device: FlexDevice, order: ChallengeOrder, powersMw: readonly number[]): void {
  const begin = device.log.timeMs;
  for (let second = 1; second <= (order.steps * order.stepMs) / SECOND_MS; second++) {
    const step = Math.floor((second * SECOND_MS - 1) / order.stepMs);
    const power = powersMw[step] ?? 0;
    device.readAt(begin + second * SECOND_MS, { [BATTERY]: power, [GRID]: power + 1_000_000 });
  }
}

async function challenged(isFollowing: boolean): Promise<Readonly<Record<string, unknown>>> {
  setClock(NOW + SECOND_MS);
  const node = await flexNode();
  const device = await quickDevice().connect(node);
  await device.deliver();
  const path = `/devices/${device.key}`;
  const body = { channel: "battery", siteChannel: "grid", steps: 14, stepSeconds: 8, halfSwingMw: 500_000 };
  const signed = await ask(node, `${path}/challenges`, { body });
  expect(signed).toMatchObject({
    status: 201,
    body: { kind: "challenge", random: false, midMw: 1_000_000, siteChannel: 2 },
  });
  const twice = await ask(node, `${path}/challenges`, { body });
  expect([twice.status, twice.body["code"]]).toEqual([409, "order-overlap"]);
  const challenge = await device.order(node);
  if (challenge.kind !== "challenge") throw new Error("no challenge");
  const { order } = challenge;
  const seq = device.take("challenge", order, challenge.bytes);
  device.acknowledge(seq, "accepted");
  device.acknowledge(seq, "started");
  const steps = challengeSteps(nativeSuite, order);
  follow(device, order, isFollowing ? steps : steps.map(() => 1_000_000));
  device.acknowledge(seq, "succeeded");
  device.readAt(order.startByMs + order.steps * order.stepMs + SECOND_MS, { [BATTERY]: 0 });
  setClock(device.log.timeMs);
  await device.deliver();
  const id = String(signed.body["id"]);
  const judged = await until(node, `${path}/challenges/${id}`, ({ result }) => result !== undefined);
  const { challenges } = (await ask(node, `${path}/track-record`)).body;
  return { ...judged, challenges };
}

describe("a challenge", () => {
  it("is judged by the device's own readings: one that follows passes", async () => {
    expect(await challenged(true)).toMatchObject({
      result: {
        passed: true,
        verdict: {
          listening: { answer: "yes" },
          flexible: { answer: "yes" },
          behindMeter: { answer: "yes" },
        },
      },
      challenges: { answered: 1, passed: 1, notPassed: 0 },
    });
  });

  it("is not passed by a device that only says so", async () => {
    expect(await challenged(false)).toMatchObject({
      result: { passed: false, verdict: { listening: { answer: "no" } } },
      challenges: { answered: 1, passed: 0, notPassed: 1 },
    });
  });

  it("is refused for what cannot be judged or reached", async () => {
    setClock(NOW + SECOND_MS);
    const node = await flexNode();
    const device = await quickDevice().connect(node);
    await device.deliver();
    const path = `/devices/${device.key}/challenges`;
    const cases: (readonly [object, number, string])[] = [
      [{}, 400, "body"],
      [{ channel: "battery", steps: 12 }, 400, "body"],
      [{ channel: "battery", steps: 15 }, 400, "order-field"],
      [{ channel: "battery", steps: 24, stepSeconds: 60 }, 400, "order-field"],
      [{ channel: "battery", halfSwingMw: 0 }, 400, "body"],
      [{ channel: "battery", stepSeconds: 3 }, 409, "order-steps"],
      [{ channel: "battery", midMw: 4_900_000 }, 409, "order-range"],
      [{ channel: "battery", siteChannel: "battery" }, 409, "order-channel"],
      [{ channel: "battery", startBy: NOW - 1 }, 400, "order-field"],
      [{ channel: "roof" }, 404, "channel-unknown"],
    ];
    for (const [body, status, code] of cases) {
      const answer = await ask(node, path, { body });
      expect([body, answer.status, answer.body["code"]]).toEqual([body, status, code]);
    }
  });
});

describe("challenges at random times", () => {
  it("come when they are due, to a device that can take one, and to no other", async () => {
    setClock(NOW + SECOND_MS);
    let monotonicMs = 0;
    const draws: number[] = [];
    const random = (): number => {
      draws.push(0.5);
      return 0.5;
    };
    const folder = temporaryFolder();
    const node = await runNode(
      folder,
      {
        http: { host: "127.0.0.1", port: 0, tokens: tokenFile(folder) },
        flexibility: { challengesPerWeek: 1, steps: 14, stepSeconds: 30, swingKw: 2 },
      },
      [
        (inside) =>
          openFlexibility(inside, { nowMs: () => Date.now(), monotonicMs: () => monotonicMs, random }),
      ],
    );
    const able = await quickDevice(32).connect(node);
    await able.deliver();
    const small = new FlexDevice({ seed: 33, startMs: NOW, samplingMs: SECOND_MS });
    small
      .readAt(NOW + SECOND_MS, { [BATTERY]: 0 })
      .flexibility({ minSetpointMw: -900_000, maxSetpointMw: 900_000 });
    await small.connect(node);
    await small.deliver();
    while (draws.length < 2) await sleep(20);
    // Half of the pauses are shorter than ln 2 of a week.
    monotonicMs = Math.floor(Math.LN2 * WEEK_MS) - 1;
    await sleep(1100);
    expect((await ask(node, `/devices/${able.key}/challenges`)).body).toEqual({ challenges: [], next: null });
    monotonicMs += 2;
    expect(await able.order(node)).toMatchObject({
      kind: "challenge",
      order: { steps: 14, stepMs: 30_000, halfSwingMw: 1_000_000, midMw: 1_000_000, siteChannel: 2 },
    });
    const kept = await ask(node, `/devices/${able.key}/challenges`);
    expect(kept.body).toMatchObject({ challenges: [{ random: true, state: "sent" }] });
    expect((await ask(node, `/devices/${small.key}/challenges`)).body["challenges"]).toEqual([]);
  });
});
