import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compareWelcome, SigningGate } from "../../agent/uplink/signing-gate.ts";
import { toHex } from "../../attest/bytes.ts";
import type { WelcomeMessage } from "../../attest/messages.ts";
import { nativeSigner } from "../../attest/native.ts";
import { type Bench, type BenchOptions, openBench, sealReadings, temporaryFolder } from "./kit.ts";

const keys = [11, 12, 13].map((number) => new Uint8Array(32).fill(number));
const [keyA = new Uint8Array(0), keyB = new Uint8Array(0), keyC = new Uint8Array(0)] = keys;

let folder = "";
let closers: (() => void)[] = [];
beforeEach(() => {
  const made = temporaryFolder();
  folder = made.folder;
  closers = [made.remove];
});
afterEach(() => {
  for (const close of closers.reverse()) close();
});

function open(name: string, options: BenchOptions = {}): Bench {
  const bench = openBench(join(folder, name), options);
  closers.push(() => bench.log.journal.close());
  return bench;
}

describe("signing gate", () => {
  function gate(receiptsOf: readonly Uint8Array[], configured: readonly Uint8Array[]): SigningGate {
    const { journal } = open("gate.sqlite").log;
    for (const nodeKey of receiptsOf) journal.addReceipt(1, { nodeKey, size: 1, bytes: nodeKey });
    return new SigningGate(journal, configured);
  }

  it("is open where no node is configured", () => {
    expect(gate([], []).open).toBe(true);
  });

  it("waits for any one node where no receipt is held", () => {
    const waiting = gate([], [keyA, keyB]);
    expect(waiting.open).toBe(false);
    waiting.answered(keyB);
    expect(waiting.open).toBe(true);
  });

  it("waits for every configured node whose receipt is held, in whatever epoch", () => {
    const { journal } = open("epochs.sqlite").log;
    journal.addReceipt(1, { nodeKey: keyA, size: 1, bytes: keyA });
    journal.addReceipt(4, { nodeKey: keyB, size: 1, bytes: keyB });
    const waiting = new SigningGate(journal, [keyA, keyB, keyC]);
    expect([...waiting.waitingFor].sort()).toEqual([toHex(keyA), toHex(keyB)]);
    waiting.answered(keyC);
    waiting.answered(keyA);
    waiting.answered(keyA);
    expect(waiting.open).toBe(false);
    waiting.answered(keyB);
    expect(waiting.open).toBe(true);
  });

  it("waits for any node of the configuration where only others have given receipts", () => {
    const waiting = gate([keyC], [keyA]);
    expect(waiting.open).toBe(false);
    expect(waiting.waitingFor).toEqual([]);
    waiting.answered(keyA);
    expect(waiting.open).toBe(true);
  });
});

describe("a node's answer", () => {
  /** What a node that holds all that was signed in `bench` would answer. */
  async function held(bench: Bench): Promise<WelcomeMessage & { readonly checkpoint: Uint8Array }> {
    const { epoch } = bench.log.identity;
    const size = await bench.sealer.checkpoint();
    const checkpoint = bench.log.journal.checkpointAt(epoch, size) ?? new Uint8Array(0);
    return { type: "welcome", epoch, checkpoint: new Uint8Array(checkpoint) };
  }

  function compare(bench: Bench, welcome: WelcomeMessage): ReturnType<typeof compareWelcome> {
    return compareWelcome(welcome, bench.log.journal, bench.log.identity);
  }

  function own(readings = 10, options: BenchOptions = {}): Bench {
    const bench = open("own.sqlite", options);
    sealReadings(bench, readings);
    bench.sealer.commit();
    return bench;
  }

  it("that holds nothing of this device is where to begin", () => {
    expect(compare(own(), { type: "welcome" })).toEqual({ size: 0 });
  });

  it("that holds a part of this log is where to go on", async () => {
    const bench = own(600);
    const welcome = await held(bench);
    const size = bench.sealer.signedSize;
    expect(compare(bench, welcome)).toEqual({ size });
    sealReadings(bench, 300);
    bench.sealer.commit();
    expect(compare(bench, welcome)).toEqual({ size });
  });

  it("is ahead of a journal that was put back from a copy: the epoch is over", async () => {
    const bench = own(10);
    const later = open("later.sqlite");
    sealReadings(later, 40);
    expect(compare(bench, await held(later)).nextEpoch).toEqual({
      epoch: 2,
      reason: "a node holds more of this log than the journal",
    });
  });

  it("shows another history of the same key, longer or shorter: the epoch is over", async () => {
    const bench = own(300);
    const other = open("other.sqlite");
    other.time.advance(1);
    sealReadings(other, 5);
    const next = { epoch: 2, reason: "a node holds another history of this log" };
    expect(compare(bench, await held(other)).nextEpoch).toEqual(next);
    sealReadings(other, 255);
    expect(compare(bench, await held(other)).nextEpoch).toEqual(next);
  });

  it("shows a later epoch of the key: the next one follows on that", async () => {
    const bench = own();
    writeFileSync(join(folder, "later.sqlite.epoch"), "6\n");
    const later = open("later.sqlite");
    expect(later.log.identity.epoch).toBe(7);
    expect(compare(bench, await held(later)).nextEpoch).toEqual({
      epoch: 8,
      reason: "a node holds a later epoch of this key",
    });
  });

  it("shows an earlier epoch: it has nothing of this one", async () => {
    const first = own();
    const welcome = await held(first);
    first.log.journal.close();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(join(folder, `own.sqlite${suffix}`), { force: true });
    const second = own();
    expect(second.log.identity.epoch).toBe(2);
    expect(compare(second, welcome)).toEqual({ size: 0 });
  });

  describe("that is not signed by the device for that log changes nothing", () => {
    async function refused(
      changes: (welcome: WelcomeMessage & { checkpoint: Uint8Array }) => WelcomeMessage,
    ) {
      const bench = own();
      const ahead = open("ahead.sqlite");
      sealReadings(ahead, 90);
      const welcome = await held(ahead);
      expect(compare(bench, welcome).nextEpoch).toBeDefined();
      expect(() => compare(bench, changes(welcome))).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(cose|cbor)-/) }),
      );
    }

    it("with another epoch in front of it", async () => {
      await refused((welcome) => ({ ...welcome, epoch: 2 }));
    });

    it("with one bit changed anywhere", async () => {
      const bench = own();
      const ahead = open("ahead.sqlite");
      sealReadings(ahead, 90);
      const { checkpoint, ...welcome } = await held(ahead);
      for (let at = 0; at < checkpoint.length; at++) {
        const forged = checkpoint.slice();
        forged[at] = (forged[at] ?? 0) ^ 1;
        expect(() => compare(bench, { ...welcome, checkpoint: forged }), `byte ${at}`).toThrow();
      }
    });

    it("cut off, or no checkpoint at all", async () => {
      await refused((welcome) => ({ ...welcome, checkpoint: welcome.checkpoint.subarray(0, 50) }));
      const bench = open("third.sqlite");
      for (const checkpoint of [new Uint8Array(0), new Uint8Array(100), Uint8Array.of(0xa0)])
        expect(() => compare(bench, { type: "welcome", epoch: 1, checkpoint })).toThrow();
    });

    it.each<[string, BenchOptions]>([
      ["with another key", { signer: nativeSigner(new Uint8Array(32).fill(8)) }],
      ["of another network", { network: "other" }],
    ])("%s", async (_name, options) => {
      const bench = own();
      const stranger = open("stranger.sqlite", options);
      sealReadings(stranger, 90);
      const welcome = await held(stranger);
      expect(() => compare(bench, welcome)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^cose-/) }),
      );
    });
  });
});
