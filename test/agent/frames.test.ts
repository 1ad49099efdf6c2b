import { randomBytes } from "node:crypto";
import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FrameRing } from "../../agent/journal/frames.ts";
import type { SampleSink } from "../../agent/sampling/sampler.ts";
import { JournalSink } from "../../agent/sealing/journal-sink.ts";
import { asciiBytes } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import type { RawFrame } from "../../drivers/driver.ts";
import { MEBIBYTE, useStations } from "./journal/ledger-kit.ts";
import { temporaryFolder } from "./kit.ts";

function frame(bytes: Uint8Array, what = "test"): RawFrame {
  return { digest: nativeSuite.sha256(bytes), bytes, what };
}

/** As a meter prints it: nearly the same every time. */
function telegram(number: number): RawFrame {
  const lines = Array.from(
    { length: 20 },
    (_, line) => `1-0:${line}.8.0(${String(number * line).padStart(9, "0")}*Wh)`,
  );
  return frame(asciiBytes(lines.join("\r\n"), "telegram"), "dsmr telegram");
}

describe("the ring of raw frames", () => {
  let path = "";
  let remove = (): void => undefined;
  let ring: FrameRing;

  beforeEach(() => {
    const made = temporaryFolder();
    path = join(made.folder, "journal.sqlite");
    remove = made.remove;
    ring = new FrameRing(path, MEBIBYTE / 4);
  });
  afterEach(() => {
    ring.close();
    remove();
  });

  function sizes(): number[] {
    return [0, 1].map((half) => statSync(`${path}.frames-${half}`, { throwIfNoEntry: false })?.size ?? 0);
  }

  it("gives the frame of a leaf's evidence back, whole, also before it is written and after a restart", async () => {
    const one = telegram(1);
    expect(ring.add(one, 1234)).toBe(true);
    const found = { digest: one.digest.slice(0, 16), bytes: one.bytes, what: "dsmr telegram", atMs: 1234 };
    expect(await ring.find(one.digest.slice(0, 16))).toEqual(found);
    ring.flush();
    expect(await ring.find(one.digest)).toEqual(found);
    ring.close();
    ring = new FrameRing(path, MEBIBYTE / 4);
    expect(await ring.find(one.digest)).toEqual(found);
    expect(await ring.find(telegram(2).digest)).toBeUndefined();
  });

  it("never takes more room than it has, and keeps the newest half of it at least", async () => {
    const frames = Array.from({ length: 120 }, () => frame(new Uint8Array(randomBytes(5000))));
    for (const one of frames) {
      ring.add(one, 0);
      ring.flush();
      expect(sizes().reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(MEBIBYTE / 4);
    }
    expect(ring.status.bytes).toBeGreaterThan(MEBIBYTE / 8);
    const kept = await Promise.all(frames.map(async ({ digest }) => (await ring.find(digest)) !== undefined));
    const first = kept.indexOf(true);
    expect(kept.slice(first)).toEqual(kept.slice(first).map(() => true));
    expect(kept.length - first).toBeGreaterThanOrEqual(Math.floor(MEBIBYTE / 8 / 5100));
  });

  it("goes on at the newer half after a restart, wherever it stopped", async () => {
    const frames = Array.from({ length: 80 }, () => frame(new Uint8Array(randomBytes(6000))));
    for (const one of frames) {
      ring.add(one, 0);
      ring.flush();
      ring.close();
      ring = new FrameRing(path, MEBIBYTE / 4);
    }
    const kept = await Promise.all(frames.map(async ({ digest }) => (await ring.find(digest)) !== undefined));
    expect(kept.lastIndexOf(false)).toBe(kept.indexOf(true) - 1);
    expect(kept.filter(Boolean).length).toBeGreaterThanOrEqual(20);
  });

  it("takes nothing that is not what its digest says, nor more than fits", () => {
    const one = telegram(1);
    expect(ring.add({ ...one, digest: new Uint8Array(32) }, 0)).toBe(false);
    expect(ring.add(frame(new Uint8Array(300_000)), 0)).toBe(false);
    for (let i = 0; i < 20; i++) ring.add(frame(new Uint8Array(randomBytes(100_000))), 0);
    ring.flush();
    expect(ring.status.refused).toBeGreaterThan(10);
    const none = new FrameRing(`${path}.none`, 0);
    expect(none.add(one, 0)).toBe(false);
    none.flush();
    expect(none.status.bytes).toBe(0);
  });

  it("packs what a meter repeats: a tenth of its bytes", () => {
    let raw = 0;
    for (let number = 0; number < 100; number++) {
      const one = telegram(number);
      raw += one.bytes.length;
      ring.add(one, 0);
      if (number % 10 === 9) ring.flush();
    }
    expect(ring.status.bytes).toBeLessThan(raw / 5);
  });

  it("gives all of its room back at once and keeps nothing until it may again", async () => {
    const one = telegram(1);
    ring.add(one, 0);
    ring.flush();
    expect(ring.drop()).toBe(true);
    expect(sizes()).toEqual([0, 0]);
    expect(ring.drop()).toBe(false);
    expect(ring.add(one, 0)).toBe(false);
    ring.resume();
    ring.add(one, 0);
    ring.flush();
    expect(await ring.find(one.digest)).toBeDefined();
  });

  it("hands out a right frame or none, however its files are changed", async () => {
    const frames = Array.from({ length: 12 }, (_, number) => telegram(number));
    for (const one of frames) {
      ring.add(one, 0);
      ring.flush();
    }
    ring.close();
    const file = `${path}.frames-0`;
    const bytes = readFileSync(file);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: bytes.length - 1 }),
        fc.constantFrom("flip", "cut", "tail"),
        async (at, kind) => {
          writeFileSync(file, bytes);
          if (kind === "cut") truncateSync(file, at);
          else if (kind === "tail") appendFileSync(file, randomBytes(at % 100));
          else
            writeFileSync(
              file,
              bytes.map((byte, index) => (index === at ? byte ^ 0x41 : byte)),
            );
          const damaged = new FrameRing(path, MEBIBYTE / 4);
          for (const one of frames)
            expect((await damaged.find(one.digest))?.bytes ?? one.bytes).toEqual(one.bytes);
          const next = frame(new Uint8Array(randomBytes(50)));
          damaged.add(next, 7);
          damaged.flush();
          expect((await damaged.find(next.digest))?.bytes).toEqual(next.bytes);
          damaged.close();
        },
      ),
      { numRuns: 60, seed: 3 },
    );
  });
});

describe("the sink before the intake", () => {
  const station = useStations();

  it("keeps the frames of snapshots that are sealed, with the commit, and leaves samples out when there is no room", async () => {
    const one = station({ keeping: { framesBytes: MEBIBYTE, maxBytes: 4096 * MEBIBYTE } });
    const taken: string[] = [];
    const inner: SampleSink = {
      identified: () => undefined,
      take: (device) => {
        taken.push(device);
        return { reread: false };
      },
      failed: () => undefined,
    };
    const sink = new JournalSink(inner, one.ledger, [{ id: "meter", intervalMs: 1000 }]);
    const frames = [telegram(5)];
    sink.take("meter", { readings: [], flexibility: [], absent: [], frames });
    expect(one.ledger.frames.status.bytes).toBe(0);
    one.ledger.tick();
    expect(one.ledger.frames.status.bytes).toBeGreaterThan(0);
    expect((await one.ledger.frames.find(telegram(5).digest))?.bytes).toEqual(telegram(5).bytes);
    Object.defineProperty(one.ledger, "pace", { get: () => 0 });
    expect(sink.take("meter", { readings: [], flexibility: [], absent: [] })).toEqual({ reread: false });
    expect(taken).toEqual(["meter"]);
    expect(one.ledger.status().leftOut).toBe(1);
  });

  it("hands on with the next sample what the ones that were left out told of breaks, once", () => {
    const one = station({ keeping: { framesBytes: MEBIBYTE, maxBytes: 4096 * MEBIBYTE } });
    const told: (readonly string[])[] = [];
    const inner: SampleSink = {
      identified: () => undefined,
      take: (_device, { downtime = [] }) => {
        told.push(downtime.map(({ channel, message }) => `${channel}: ${message}`));
        return { reread: false };
      },
      failed: () => undefined,
    };
    const sink = new JournalSink(inner, one.ledger, [{ id: "meter", intervalMs: 1000 }]);
    const sample = { readings: [], flexibility: [], absent: [] };
    let pace = 0;
    Object.defineProperty(one.ledger, "pace", { get: () => pace });
    for (const message of ["first", "second"])
      sink.take("meter", { ...sample, downtime: [{ channel: "load", message }] });
    sink.take("meter", { ...sample, downtime: [{ channel: "grid", message: "third" }] });
    sink.take("meter", sample);
    expect(told).toEqual([]);
    pace = 1;
    sink.take("meter", { ...sample, downtime: [{ channel: "load", message: "fourth" }] });
    sink.take("meter", sample);
    expect(told).toEqual([["load: second", "grid: third", "load: fourth"], []]);
  });
});
