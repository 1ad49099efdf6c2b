import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it } from "vitest";
import { dlmsProtocol } from "../../../drivers/dlms/protocol.ts";
import { P1Protocol } from "../../../drivers/dsmr/protocol.ts";
import { iec62056Protocol } from "../../../drivers/iec62056/protocol.ts";
import { mbusFormat } from "../../../drivers/mbus/framing.ts";
import { dlmsSpeaker } from "../../../drivers/simulated/dlms-telegram.ts";
import { iec62056Speaker } from "../../../drivers/simulated/iec62056-telegram.ts";
import { p1Speaker } from "../../../drivers/simulated/p1-telegram.ts";
import { smlSpeaker } from "../../../drivers/simulated/sml-telegram.ts";
import type { SimulatedSpeaker } from "../../../drivers/simulated/speaking.ts";
import { speedwireSpeaker } from "../../../drivers/simulated/speedwire-telegram.ts";
import { vedirectSpeaker } from "../../../drivers/simulated/vedirect-telegram.ts";
import { smlProtocol } from "../../../drivers/sml/protocol.ts";
import { speedwireProtocol } from "../../../drivers/speedwire/protocol.ts";
import { ListeningMeter } from "../../../drivers/telegram/listening-meter.ts";
import type { TelegramProtocol } from "../../../drivers/telegram/protocol.ts";
import { StreamFramer } from "../../../drivers/telegram/stream-framer.ts";
import { vedirectProtocol } from "../../../drivers/vedirect/protocol.ts";
import { GivenLine } from "./given-line.ts";
import { shownAt } from "./sealed-kit.ts";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

const open: ListeningMeter[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** M-Bus is asked; its frames are cut by the same engine. */
function mbusProtocol(): TelegramProtocol {
  return {
    ...{ what: "mbus frame", wiringHint: "", finalCodes: [], decode: () => undefined },
    createFramer: () => new StreamFramer(mbusFormat),
    forget: () => undefined,
  };
}

interface Kind {
  readonly protocol: () => TelegramProtocol;
  readonly speaker?: SimulatedSpeaker;
}

const KINDS: Readonly<Record<string, Kind>> = {
  dsmr: { protocol: () => new P1Protocol({ winterOffsetMinutes: 60 }), speaker: p1Speaker({}) },
  sml: { protocol: smlProtocol, speaker: smlSpeaker({}) },
  dlms: { protocol: dlmsProtocol, speaker: dlmsSpeaker({ layout: "iskra", framing: "hdlc" }) },
  "dlms over m-bus": {
    protocol: dlmsProtocol,
    speaker: dlmsSpeaker({ layout: "sagemcom", framing: "mbus" }),
  },
  iec62056: { protocol: () => iec62056Protocol({}), speaker: iec62056Speaker() },
  mbus: { protocol: mbusProtocol },
  vedirect: { protocol: vedirectProtocol, speaker: vedirectSpeaker({ device: "bmv" }) },
  speedwire: { protocol: speedwireProtocol, speaker: speedwireSpeaker() },
};

/** How each telegram begins, so that a stream of nothing but beginnings never ends one. */
const BEGINNINGS: readonly string[] = [
  "/KWS5",
  "\x1b\x1b\x1b\x1b\x01\x01\x01\x01",
  "\x7e\xa7\xff",
  "h\xf0\xf0h",
  "\r\nPID\t0xA389\r\nV\t1",
  ":",
  "SMA\0\0\x04\x02\xa0\0\0\0\x01\x05\xff\0\x10\x60\x69",
  "\x02",
  "(",
  "\xdb\x08",
];

const CHUNK_BYTES = 4_096;

/** Pseudo-random numbers of 32 bits (xorshift): the same stream each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function noise(seed: number): () => Uint8Array {
  const next = random(seed);
  return () => Uint8Array.from({ length: CHUNK_BYTES }, () => next() & 0xff);
}

function beginnings(seed: number): () => Uint8Array {
  const next = random(seed);
  return () => {
    let text = "";
    while (text.length < CHUNK_BYTES) {
      const beginning = BEGINNINGS[next() % BEGINNINGS.length] ?? "";
      text += beginning + "0123456789ABCDEF\r\n".slice(0, next() % 18).repeat(next() % 40);
    }
    return new Uint8Array(Buffer.from(text, "latin1"));
  };
}

function telegrams(speaker: SimulatedSpeaker): () => Uint8Array {
  let spoken = 0;
  return () => {
    spoken += 1;
    return new Uint8Array(Buffer.concat(speaker.telegrams(shownAt((spoken % 500) * 10_000, spoken))));
  };
}

/** Bytes that stay in use behind so many, beyond those that the first half of them left. */
async function growth(
  protocol: TelegramProtocol,
  next: () => Uint8Array,
  mostBytes: number,
): Promise<number> {
  const line = new GivenLine();
  const meter = new ListeningMeter(
    protocol,
    { silenceMs: 60_000, identifyTimeoutMs: 60_000 },
    { createLine: () => line, nowMs: () => 0 },
  );
  open.push(meter);
  meter.start({ onSnapshot: () => undefined, onProblem: () => undefined });
  await new Promise((resolve) => setImmediate(resolve));
  let given = 0;
  let before: number | undefined;
  while (given < mostBytes) {
    const bytes = next();
    line.listener?.onBytes(bytes);
    given += bytes.length;
    if (before === undefined && given * 2 >= mostBytes) before = await inUse();
  }
  return (await inUse()) - (before ?? 0);
}

/** The least of a few looks: what is swept behind the back of one is gone at the next. */
async function inUse(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 4; look += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least;
}

/** Half of it would show what is kept of the other half. */
const MOST_BYTES = 600_000;
const MOST_GROWTH = MOST_BYTES / 3;

describe.each(Object.entries(KINDS))("an endless stream to %s", (_name, { protocol, speaker }) => {
  const streams: readonly (readonly [string, () => Uint8Array])[] = [
    ["noise", noise(1)],
    ["beginnings", beginnings(2)],
    ...(speaker === undefined ? [] : [["telegrams", telegrams(speaker)] as const]),
  ];

  it.each(streams)("of %s leaves nothing behind", async (_what, next) => {
    expect(await growth(protocol(), next, MOST_BYTES)).toBeLessThan(MOST_GROWTH);
  });
});
