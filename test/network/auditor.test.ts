import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../attest/bytes.ts";
import type { ReadingLeaf } from "../../attest/leaf.ts";
import { decodeMessage, encodeMessage, type FrameRequestMessage } from "../../attest/messages.ts";
import { nativeSuite } from "../../attest/native.ts";
import { registerFrame } from "../../drivers/evidence/register-frame.ts";
import { AuditCounters } from "../../network/audit/audit-counters.ts";
import type { AuditedLeaf } from "../../network/audit/audit-record.ts";
import { ANSWER_MS, Auditor, type AuditorOptions } from "../../network/audit/auditor.ts";
import type { Logger } from "../../runtime/log.ts";
import { compiled } from "../drivers/profile/kit.ts";
import { ListedAudits } from "./audit-kit.ts";

const HOUR_MS = 3_600_000;
const KEYS = ["11".repeat(32), "22".repeat(32)] as const;
const [FIRST, SECOND] = KEYS;

/** The example meter at 600 W, 123.45 kWh in and 0.67 kWh out, and a reading of it. */
const profile = compiled();
const frame = registerFrame([
  {
    table: "input",
    start: 0,
    registers: Uint16Array.from([100, 200, 300, 0, 600, 0, 12345, 0, 67, 2301, 1]),
  },
]);

function auditedOf(deviceKey: string, values: Partial<ReadingLeaf> = {}): AuditedLeaf {
  const evidence = frame.digest.slice(0, 16);
  const common = { timeMs: 1000, timeQuality: 3, channel: 1, salt: new Uint8Array(16) };
  return {
    deviceKey: fromHex(deviceKey, "key"),
    ...{ log: 1, epoch: 1, evidence },
    leaf: { kind: "reading", seq: 7, ...common, importMwh: 123_450_000, evidence, ...values },
    manifest: {
      kind: "channelManifest",
      ...{ seq: 1, ...common, role: 1, make: "Example", model: "M", serial: "1", name: "device/grid" },
      ...{ driver: "example", profileDigest: profile.digest, samplingMs: 5000, registers: 3 },
    },
  };
}

/** A node with two devices, whose clock and whose chances the test sets. */
class Bench {
  readonly listed: ListedAudits = new ListedAudits();
  readonly counters: AuditCounters = new AuditCounters();
  readonly sent: (readonly [key: string, message: FrameRequestMessage])[] = [];
  readonly problems: string[] = [];
  readonly warnings: string[] = [];
  readonly auditor: Auditor;
  connected: readonly string[] = KEYS;
  reachable = true;
  nowMs = 0;
  /** Of a Lehmer generator: any sequence that covers its range. */
  #chance = 1;

  constructor(changes: Partial<AuditorOptions> = {}) {
    const logger: Logger = {
      info: () => undefined,
      warn: (event) => this.warnings.push(event),
      error: () => undefined,
      problem: (event) => this.problems.push(event),
    };
    this.listed.leaves = [auditedOf(FIRST)];
    this.auditor = new Auditor({
      ...{ perHour: 6, source: this.listed, records: this.listed, counters: this.counters, logger },
      ...{ profiles: { find: () => profile }, suite: nativeSuite, connected: () => this.connected },
      send: (key, message) => {
        if (this.reachable) this.sent.push([key, message]);
        return this.reachable;
      },
      ...{ nowMs: () => 5_000_000 + this.nowMs, monotonicMs: () => this.nowMs, random: () => this.random() },
      ...changes,
    });
  }

  random(): number {
    this.#chance = (this.#chance * 48_271) % 2_147_483_647;
    return this.#chance / 2_147_483_647;
  }

  async pass(ms: number, answer = false): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      this.nowMs += 1000;
      const before = this.sent.length;
      await this.auditor.tick();
      if (!answer) continue;
      for (const [key, { digest }] of this.sent.slice(before))
        await this.auditor.onFrame(key, { type: "frame", digest, bytes: frame.bytes });
    }
  }

  verdicts(): (readonly [device: string, verdict: string])[] {
    return this.listed.kept.map(({ deviceKey, verdict }) => [toHex(deviceKey).slice(0, 2), verdict]);
  }
}

describe("the pace of audits", () => {
  it("is so many an hour for each connected device, at times that vary", async () => {
    const bench = new Bench();
    await bench.pass(100 * HOUR_MS, true);
    for (const key of KEYS) {
      const times = bench.sent.filter(([to]) => to === key).length;
      // 600 of a Poisson process: six standard deviations either way.
      expect(Math.abs(times - 600)).toBeLessThan(150);
    }
    expect(bench.counters.asked).toBe(bench.sent.length);
    expect(bench.counters.verdicts.get("matches")).toBe(bench.sent.length);
    expect(bench.auditor.outstanding).toBe(0);
  });

  it("asks nobody who is not connected, or has no reading, and waits for none of them", async () => {
    const bench = new Bench();
    bench.connected = [SECOND];
    await bench.pass(HOUR_MS);
    expect(new Set(bench.sent.map(([key]) => key))).toEqual(new Set([SECOND]));
    bench.connected = [];
    const before = bench.sent.length;
    await bench.pass(HOUR_MS);
    expect(bench.sent.length).toBe(before);
    bench.connected = KEYS;
    bench.listed.leaves = [];
    await bench.pass(HOUR_MS);
    expect(bench.sent.length).toBe(before);
    expect(bench.listed.picks).toBeGreaterThan(before);
    bench.reachable = false;
    bench.listed.leaves = [auditedOf(FIRST)];
    await bench.pass(HOUR_MS);
    expect(bench.auditor.outstanding).toBe(0);
  });

  it("has one question outstanding for each device", async () => {
    const bench = new Bench();
    await Promise.all([bench.auditor.audit(FIRST), bench.auditor.audit(FIRST), bench.auditor.audit(SECOND)]);
    await bench.auditor.audit(FIRST);
    expect(bench.sent.map(([key]) => key)).toEqual([FIRST, SECOND]);
    expect(bench.auditor.outstanding).toBe(2);
    expect(bench.listed.picks).toBe(2);
  });
});

describe("the answers", () => {
  it.each([
    ["the frame", frame.bytes, "matches"],
    ["other bytes", frame.bytes.map((byte) => byte ^ 1), "wrong-frame"],
    ["none", undefined, "gone"],
  ] as const)("%s", async (_what, bytes, verdict) => {
    const bench = new Bench();
    await bench.auditor.audit(FIRST);
    const [, asked] = bench.sent[0] ?? [];
    const { digest } = asked ?? { digest: new Uint8Array() };
    expect(decodeMessage(encodeMessage({ type: "frameRequest", digest }))).toEqual(asked);
    await bench.auditor.onFrame(FIRST, { type: "frame", digest, ...(bytes === undefined ? {} : { bytes }) });
    expect(bench.verdicts()).toEqual([["11", verdict]]);
    expect(bench.listed.kept).toMatchObject([
      { epoch: 1, seq: 7, channel: 1, leafMs: 1000, auditedMs: 5_000_000 },
    ]);
    expect(bench.counters.verdicts.get(verdict)).toBe(1);
    expect(bench.auditor.outstanding).toBe(0);
  });

  it("none in time is silence, and an answer after that is one that nobody asked for", async () => {
    const bench = new Bench({ perHour: 1e-9 });
    await bench.auditor.audit(FIRST);
    await bench.pass(ANSWER_MS - 1000);
    expect(bench.verdicts()).toEqual([]);
    await bench.pass(1000);
    expect(bench.verdicts()).toEqual([["11", "silent"]]);
    const { digest, bytes } = { digest: frame.digest.slice(0, 16), bytes: frame.bytes };
    await bench.auditor.onFrame(FIRST, { type: "frame", digest, bytes });
    expect(bench.verdicts()).toHaveLength(1);
    expect(bench.counters.unasked).toBe(1);
  });

  it("of another device or with another digest are dropped, and the question stays open", async () => {
    const bench = new Bench();
    await bench.auditor.audit(FIRST);
    const digest = frame.digest.slice(0, 16);
    await bench.auditor.onFrame(SECOND, { type: "frame", digest, bytes: frame.bytes });
    await bench.auditor.onFrame(FIRST, { type: "frame", digest: new Uint8Array(16), bytes: frame.bytes });
    expect(bench.counters.unasked).toBe(2);
    expect(bench.auditor.outstanding).toBe(1);
    await bench.auditor.onFrame(FIRST, { type: "frame", digest, bytes: frame.bytes });
    expect(bench.verdicts()).toEqual([["11", "matches"]]);
  });

  it("that show a lie are kept with all that shows it, and said", async () => {
    const bench = new Bench();
    bench.listed.leaves = [auditedOf(FIRST, { importMwh: 999_000 })];
    await bench.auditor.audit(FIRST);
    const digest = frame.digest.slice(0, 16);
    await bench.auditor.onFrame(FIRST, { type: "frame", digest, bytes: frame.bytes });
    expect(bench.listed.kept).toMatchObject([
      {
        verdict: "differs",
        difference: { value: "importMwh", expected: "123450000", got: "999000" },
        evidence: { frame: frame.bytes, leaf: Uint8Array.of(1), checkpoint: Uint8Array.of(2) },
      },
    ]);
    expect(bench.warnings).toEqual(["audit-differs"]);
  });
});

describe("faults of the node's own", () => {
  it("are said and counted, and the next audit goes on", async () => {
    const bench = new Bench();
    const pick = bench.listed.pick.bind(bench.listed);
    bench.listed.pick = () => Promise.reject(new Error("disk"));
    await bench.auditor.audit(FIRST);
    expect(bench.auditor.outstanding).toBe(0);
    bench.listed.pick = pick;
    bench.listed.add = () => Promise.reject(new Error("full"));
    await bench.auditor.audit(FIRST);
    const digest = frame.digest.slice(0, 16);
    await bench.auditor.onFrame(FIRST, { type: "frame", digest, bytes: frame.bytes });
    expect(bench.problems).toEqual(["audit-failed", "audit-failed"]);
    expect(bench.counters.failed).toBe(2);
    await bench.auditor.audit(FIRST);
    expect(bench.auditor.outstanding).toBe(1);
  });
});
