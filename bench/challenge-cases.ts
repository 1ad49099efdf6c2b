import { concatBytes, u32be } from "../attest/bytes.ts";
import { type ChallengeVerdict, judgeChallenge } from "../attest/flexibility/challenge.ts";
import type { ChallengeOrder } from "../attest/flexibility/orders.ts";
import { nativeSuite } from "../attest/native.ts";
import {
  type Answering,
  FACTS,
  madeUp,
  orderOf,
  type Reading,
  readHome,
  STARTED_MS,
} from "./challenge-home.ts";

/** What is sent, and how often both channels are read. */
export interface Setting extends Pick<ChallengeOrder, "steps" | "stepMs" | "halfSwingMw"> {
  readonly samplingMs: number;
}

/** One of the things that can be at the other end of a challenge. */
export const CASES = ["real", "replay", "elsewhere", "made up", "ignores"] as const;
export type Case = (typeof CASES)[number];

/** Kinds of real device: what a battery of today does, a slow one, one with losses, and one that is held back. */
export const DEVICES = ["quick", "slow", "lossy", "held back"] as const;
export type Device = (typeof DEVICES)[number];

export interface Trial {
  readonly device: Device;
  readonly verdicts: Readonly<Record<Case, ChallengeVerdict>>;
}

const DAY_MS = 86_400_000;
const TICK_MS = 100;

/**
 * One round of all cases: a home whose battery answers, at one time of the day, and another home, at another, whose
 * battery follows its surplus. The replay is the whole answer of the first home, judged by another nonce.
 */
export function trialOf(seed: number, setting: Setting): Trial {
  const random = randomOf(seed);
  const device = DEVICES[seed % DEVICES.length] ?? "quick";
  const order = orderOf(nonceOf(seed, 0), setting);
  const other = orderOf(nonceOf(seed, 1), setting);
  const scene = () => sceneOf(setting, random);
  const real = readHome({ order, ...scene(), answering: answeringOf(device, random) });
  const elsewhere = readHome({ order, ...scene() });
  const fake = madeUp(order, setting.samplingMs);
  return {
    device,
    verdicts: {
      real: judged(order, real),
      replay: judged(other, real),
      elsewhere: judged(order, { device: real.device, site: elsewhere.site }),
      "made up": judged(order, { device: fake, site: elsewhere.site }),
      ignores: judged(order, elsewhere),
    },
  };
}

function judged(order: ChallengeOrder, reading: Reading): ChallengeVerdict {
  return judgeChallenge(nativeSuite, { order, startedMs: STARTED_MS, facts: FACTS, ...reading });
}

interface Moment {
  readonly dayMs: number;
  readonly samplingMs: number;
  readonly devicePhaseMs: number;
  readonly sitePhaseMs: number;
}

function sceneOf({ samplingMs }: Setting, random: () => number): Moment {
  const phase = (): number => TICK_MS * Math.floor((random() * samplingMs) / TICK_MS);
  return {
    dayMs: Math.floor(random() * DAY_MS),
    samplingMs,
    devicePhaseMs: phase(),
    sitePhaseMs: phase(),
  };
}

function answeringOf(device: Device, random: () => number): Answering {
  const between = (least: number, most: number): number => Math.round(least + random() * (most - least));
  const quick = { responseMs: between(200, 2000), rampMwPerS: between(1_000_000, 3_000_000), lossPpm: 0 };
  switch (device) {
    case "quick":
      return quick;
    case "slow":
      return { responseMs: between(2000, 6000), rampMwPerS: between(500_000, 1_000_000), lossPpm: 0 };
    case "lossy":
      return { ...quick, lossPpm: between(20_000, 80_000) };
    case "held back":
      return { ...quick, managementMw: 825_000 };
  }
}

/** 32 bytes that a seed gives always, and no two seeds alike. */
export function nonceOf(seed: number, stream: number): Uint8Array {
  return nativeSuite.sha256(concatBytes(u32be(seed), u32be(stream)));
}

/** Numbers from 0 to 1 of a seed, of SHA-256 in counter mode. */
export function randomOf(seed: number): () => number {
  let count = 2;
  return () => {
    const [a = 0, b = 0, c = 0, d = 0] = nonceOf(seed, count++);
    return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) / 2 ** 32;
  };
}
