import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import type { Snapshot } from "../../../drivers/driver.ts";
import { P1Protocol } from "../../../drivers/dsmr/protocol.ts";
import { decodeEvidence } from "../../../drivers/evidence/decode.ts";
import type { LineListener } from "../../../drivers/line/line.ts";
import { ListeningMeter } from "../../../drivers/telegram/listening-meter.ts";
import { plainTelegram, TELEGRAM } from "../dsmr/kit.ts";
import { channelsOf, expectSame, frameOf } from "./kit.ts";

const FOLDER = "../shared/corpora/dsmr-p1";
const CAPTURES = existsSync(FOLDER)
  ? readdirSync(FOLDER).filter((name) => name.startsWith("TELEGRAM_") && name.endsWith(".txt"))
  : [];
const ran = { real: 0, own: 0 };

afterAll(() => {
  process.stdout.write(`evidence: ${ran.real} real and ${ran.own} own P1 telegrams decoded again\n`);
});

/** So often a meter speaks until it is known that has no number of its own. */
const SPOKEN = 11;

/** What a meter makes of bytes that its line brings again and again. */
async function snapshotOf(
  bytes: Uint8Array,
): Promise<{ readonly snapshot: Snapshot; readonly meter: ListeningMeter }> {
  const snapshots: Snapshot[] = [];
  const open = async (listener: LineListener): Promise<void> => {
    queueMicrotask(() => {
      for (let spoken = 0; spoken < SPOKEN; spoken += 1) listener.onBytes(bytes);
    });
  };
  const close = async (): Promise<void> => undefined;
  const meter = new ListeningMeter(
    new P1Protocol({ winterOffsetMinutes: 60 }),
    { silenceMs: 5_000, identifyTimeoutMs: 5_000 },
    { createLine: () => ({ name: "test", open, write: close, close }), nowMs: () => 0 },
  );
  meter.start({
    onSnapshot: (snapshot) => snapshots.push(snapshot),
    onProblem: (problem) => {
      throw problem;
    },
  });
  await meter.identify();
  const [snapshot] = snapshots;
  await meter.close();
  if (snapshot === undefined) throw new Error("no telegram");
  return { snapshot, meter };
}

async function decodesAgain(telegram: Uint8Array): Promise<void> {
  const { snapshot, meter } = await snapshotOf(telegram);
  const frame = frameOf(snapshot);
  expect(frame.bytes).toEqual(telegram);
  expect(Buffer.from(frame.digest)).toEqual(createHash("sha256").update(telegram).digest());
  const source = { make: "", winterOffsetMinutes: 60 };
  expectSame(channelsOf(decodeEvidence("dsmr-p1", source, frame.bytes)), snapshot, meter.channels());
  // Without the meter's place in the world its clock says nothing.
  const [channel] = channelsOf(decodeEvidence("dsmr-p1", { make: "" }, frame.bytes));
  expect(channel?.reading.meterTimeMs).toBeUndefined();
}

describe("a P1 telegram", () => {
  it.each(CAPTURES)("%s decodes to what the driver read", async (name) => {
    await decodesAgain(new Uint8Array(readFileSync(`${FOLDER}/${name}`)));
    ran.real += 1;
  });

  it.each([
    ["with a checksum", TELEGRAM],
    [
      "without one",
      plainTelegram("1-0:1.8.1(00001.001*kWh)", "1-0:1.8.2(00002.002*kWh)", "1-0:1.7.0(0001.19*kW)"),
    ],
  ])("of our own %s decodes so, too", async (_what, telegram) => {
    await decodesAgain(telegram);
    ran.own += 1;
  });

  it.each([
    ["nothing", new Uint8Array()],
    ["a part of it", TELEGRAM.subarray(0, -1)],
    ["a byte before it", Uint8Array.of(0x0a, ...TELEGRAM)],
    ["two of them", Uint8Array.of(...TELEGRAM, ...TELEGRAM)],
    ["a changed digit", TELEGRAM.map((byte, at) => (at === 200 ? byte ^ 1 : byte))],
    ["no value that is read", plainTelegram("0-0:96.1.1(4530)")],
  ])("is not %s", (_what, bytes) => {
    const decoded = decodeEvidence("dsmr-p1", { make: "" }, bytes);
    expect("cannotDecode" in decoded && decoded.cannotDecode).toMatch(/telegram|checksum/);
  });
});
