import type { DeviceFacts } from "../attest/flexibility/challenge-consistency.ts";
import type { PowerSample } from "../attest/flexibility/challenge-series.ts";
import type { ChallengeOrder } from "../attest/flexibility/orders.ts";
import { challengeSteps } from "../attest/flexibility/pattern.ts";
import { nativeSuite } from "../attest/native.ts";
import { BATTERY, SimulatedHome } from "../drivers/simulated/home.ts";
import { DelayedSteering } from "../drivers/simulated/steering.ts";

/** How the battery of a simulated home follows. */
export interface Answering {
  readonly responseMs: number;
  readonly rampMwPerS: number;
  readonly lossPpm: number;
  /** What its own management lets through at most. */
  readonly managementMw?: number;
}

/** One home during one challenge: at which time of its day, how often it is read, and whether its battery answers. */
export interface Scene {
  readonly order: ChallengeOrder;
  readonly dayMs: number;
  readonly samplingMs: number;
  /** When after the start the first reading of each channel is. */
  readonly devicePhaseMs: number;
  readonly sitePhaseMs: number;
  /** Absent: the battery does what it does anyway, which is to follow the home's surplus. */
  readonly answering?: Answering;
}

/** What the home's two channels read. */
export interface Reading {
  readonly device: readonly PowerSample[];
  readonly site: readonly PowerSample[];
}

/** When every challenge here begins. */
export const STARTED_MS = 1_800_000_000_000;
export const FACTS: DeviceFacts = { resolutionMwh: 1000, capacityMwh: BATTERY.capacityMwh };
const LEAD_MS = 30_000;
const TICK_MS = 100;
const STATE_STEP_PPM = 1000;

/** Steps of an order, with everything else that one needs. */
export function orderOf(
  nonce: Uint8Array,
  { steps, stepMs, halfSwingMw }: Pick<ChallengeOrder, "steps" | "stepMs" | "halfSwingMw">,
): ChallengeOrder {
  return {
    logId: new Uint8Array(32),
    objectId: nonce.slice(0, 16),
    channel: 2,
    issuedAtMs: STARTED_MS - 5000,
    expiresMs: STARTED_MS + 60_000,
    siteChannel: 1,
    nonce,
    startByMs: STARTED_MS + 30_000,
    stepMs,
    steps,
    midMw: 0,
    halfSwingMw,
  };
}

/** Runs a home for the length of a challenge, in real time of its day, and reads both channels. */
export function readHome(scene: Scene): Reading {
  const { order, dayMs, samplingMs, answering } = scene;
  const told = new DelayedSteering();
  const home = new SimulatedHome({
    startMs: STARTED_MS - LEAD_MS,
    dayMs,
    daySpeed: 1,
    steering: (nowMs) => told.at(nowMs),
    ...(answering === undefined ? {} : { lossPpm: answering.lossPpm }),
  });
  if (answering !== undefined) tellSteps(told, order, answering);
  const reading: { readonly device: PowerSample[]; readonly site: PowerSample[] } = { device: [], site: [] };
  const endMs = order.steps * order.stepMs;
  home.advanceTo(STARTED_MS);
  for (let sinceMs = 0; sinceMs < endMs; sinceMs += TICK_MS) {
    home.advanceTo(STARTED_MS + sinceMs);
    if ((sinceMs - scene.devicePhaseMs) % samplingMs === 0) reading.device.push(batteryOf(home, sinceMs));
    if ((sinceMs - scene.sitePhaseMs) % samplingMs === 0)
      reading.site.push({ atMs: STARTED_MS + sinceMs, powerMw: home.powers.gridMw });
  }
  return reading;
}

function tellSteps(told: DelayedSteering, order: ChallengeOrder, answering: Answering): void {
  const { responseMs, rampMwPerS, managementMw } = answering;
  for (const [step, batteryMw] of challengeSteps(nativeSuite, order).entries()) {
    const limit = managementMw === undefined ? {} : { managementMw };
    told.tell(STARTED_MS + step * order.stepMs, { batteryMw, rampMwPerS, ...limit }, responseMs);
  }
}

function batteryOf(home: SimulatedHome, sinceMs: number): PowerSample {
  const { chargedMwh, dischargedMwh } = home.registers;
  return {
    atMs: STARTED_MS + sinceMs,
    powerMw: home.powers.batteryMw,
    importMwh: wholeWh(chargedMwh),
    exportMwh: wholeWh(dischargedMwh),
    stateOfChargePpm: home.stateOfChargePpm - (home.stateOfChargePpm % STATE_STEP_PPM),
  };
}

/** A program that reports what was asked for, to the letter, with registers and a state of charge that go with it. */
export function madeUp(order: ChallengeOrder, samplingMs: number): readonly PowerSample[] {
  const steps = challengeSteps(nativeSuite, order);
  const samples: PowerSample[] = [];
  let [chargedUj, dischargedUj] = [0, 0];
  for (let sinceMs = 0; sinceMs < order.steps * order.stepMs; sinceMs += TICK_MS) {
    const powerMw = steps[Math.floor(sinceMs / order.stepMs)] ?? 0;
    const [importMwh, exportMwh] = [chargedUj / UJ_PER_MWH, dischargedUj / UJ_PER_MWH].map(wholeWh);
    const movedMwh = (chargedUj - dischargedUj) / UJ_PER_MWH;
    const stateOfChargePpm = 540_000 + Math.round((movedMwh * 1_000_000) / BATTERY.capacityMwh);
    if (sinceMs % samplingMs === 0)
      samples.push({
        ...{ atMs: STARTED_MS + sinceMs, powerMw, stateOfChargePpm },
        ...{ importMwh: importMwh ?? 0, exportMwh: exportMwh ?? 0 },
      });
    chargedUj += Math.max(0, powerMw) * TICK_MS;
    dischargedUj += Math.max(0, -powerMw) * TICK_MS;
  }
  return samples;
}

const UJ_PER_MWH = 3_600_000;

function wholeWh(mwh: number): number {
  return Math.floor(mwh / 1000) * 1000;
}
