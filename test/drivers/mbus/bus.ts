import { type LineScript, type ScriptedLine, startScriptedLine } from "../../../drivers/kit/scripted-line.ts";
import { Exchange } from "../../../drivers/mbus/exchange.ts";
import { MBUS_FORMAT } from "../../../drivers/mbus/meter.ts";
import { mbusAnswerer, type SimulatedMbusMeter } from "../../../drivers/simulated/mbus-telegram.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import { AskedLines } from "../../../drivers/telegram/asked-line.ts";

export const SHOWN: ShownByMeter = {
  serial: "12345678",
  importT1Mwh: 1_234_567_000,
  importT2Mwh: 2_000_999,
  exportT1Mwh: 55_000,
  exportT2Mwh: 1_000,
  activePowerMw: -1_234_567,
  timeMs: Date.UTC(2026, 6, 1, 12, 34),
  voltageMv: [230_100, 231_200, 229_900],
  currentMa: [1_000, 2_000, 3_000],
  frequencyMhz: 50_010,
};

export const METER: SimulatedMbusMeter = { primary: 5, identification: "12345678", manufacturer: "KAM" };

/** What the bus does to the answers upon the n-th request, counted from 0. */
export type Fault = (answers: readonly Uint8Array[], n: number, request: Uint8Array) => Uint8Array;

/** Meters on one line; those that answer at the same time pull it down bit by bit. */
export function startBus(
  meters: readonly SimulatedMbusMeter[],
  fault: Fault = collided,
  chunkBytes?: number,
): Promise<ScriptedLine> {
  const answerers = meters.map(mbusAnswerer);
  let requests = 0;
  const script: LineScript = {
    reply: (request) => {
      const answers = answerers.flatMap((one) => one.answers(request, SHOWN));
      requests += 1;
      return fault(answers, requests - 1, request);
    },
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
  };
  return startScriptedLine(script);
}

export function collided(answers: readonly Uint8Array[]): Uint8Array {
  const length = Math.max(0, ...answers.map((answer) => answer.length));
  return Uint8Array.from({ length }, (_, at) =>
    answers.reduce((line, answer) => line & (answer[at] ?? 0xff), 0xff),
  );
}

export const TIMING = { beginMs: 60, gapMs: 15, wholeMs: 300 } as const;

/** One conversation with a line, quick enough for a test. */
export async function talkTo<T>(
  line: Pick<ScriptedLine, "port">,
  conversation: (exchange: Exchange) => Promise<T>,
  retries = 2,
): Promise<T> {
  const lease = new AskedLines().lease({ kind: "tcp", host: "127.0.0.1", port: line.port }, MBUS_FORMAT);
  try {
    return await lease.talk((talk) => conversation(new Exchange(talk, { timing: TIMING, retries })));
  } finally {
    await lease.release();
  }
}
