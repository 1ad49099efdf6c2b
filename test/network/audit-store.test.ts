import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { FrameRing } from "../../agent/journal/frames.ts";
import { fromHex } from "../../attest/bytes.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { decodeMessage, encodeMessage, type FrameRequestMessage } from "../../attest/messages.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import type { MeterReading } from "../../attest/reading.ts";
import { leafHash, verifyInclusion } from "../../attest/tree.ts";
import { decodeEvidence } from "../../drivers/evidence/decode.ts";
import { bundledProfile } from "../../drivers/profile/bundled.ts";
import { AuditCounters } from "../../network/audit/audit-counters.ts";
import type { Audit } from "../../network/audit/audit-record.ts";
import { addAuditRoutes } from "../../network/audit/audit-routes.ts";
import { Auditor } from "../../network/audit/auditor.ts";
import { MOST_DIFFERENCES, MOST_OTHERS, SqliteAudits } from "../../network/audit/sqlite-audits.ts";
import { StoreAuditSource } from "../../network/audit/store-source.ts";
import type { SqliteStore } from "../../network/store/sqlite-store.ts";
import { openLogger } from "../../runtime/log.ts";
import { benches } from "../drivers/simulated/kit.ts";
import { NETWORK } from "../kit/device.ts";
import { LIBRARY, SealedMeter } from "./audit-kit.ts";
import { atEnd, openStore, temporaryFolder } from "./fixture.ts";

const bench = benches();
const MINUTE_MS = 60_000;

/** A node's store with the table of audits, whether or not the store brings it itself. */
function auditStore(folder: string): SqliteStore {
  const store = openStore(folder);
  const has = store.database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'audit'").get();
  const script = new URL("../../network/store/migrations/004-audits.sql", import.meta.url);
  if (has === undefined) store.database.exec(readFileSync(script, "utf8"));
  return store;
}

interface Place {
  readonly meter: SealedMeter;
  readonly auditor: Auditor;
  readonly counters: AuditCounters;
  readonly records: SqliteAudits;
  readonly app: Hono;
  /** Audits once, with the agent's ring at the other end of the wire; what the node said, and what came of it. */
  once(): Promise<Audit["verdict"] | "nothing asked">;
}

/** A simulated meter, its agent's ring of frames, and a node that takes its log and audits it. */
async function place(forge?: (reading: MeterReading) => MeterReading): Promise<Place> {
  const folder = temporaryFolder();
  const store = auditStore(folder);
  const { pass, open } = await bench(bundledProfile("deye-sun-sg04lp3"));
  const meter = await new SealedMeter("deye-sun-sg04lp3", open()).open();
  const ring = new FrameRing(join(folder, "journal.sqlite"), 1_048_576);
  atEnd(() => ring.close());
  for (let at = 0; at < 40; at++) {
    pass(5);
    const { frames = [] } = await meter.read(forge);
    for (const frame of frames) ring.add(frame, at);
    if (at % 12 === 11) {
      ring.flush();
      await meter.deliver(store);
    }
  }
  await meter.deliver(store);
  const requests: FrameRequestMessage[] = [];
  const counters = new AuditCounters();
  const records = new SqliteAudits(store);
  const source = new StoreAuditSource({
    store,
    suite: nativeSuite,
    network: NETWORK,
    windowMs: 2 * MINUTE_MS,
  });
  const auditor = new Auditor({
    ...{ perHour: 4, source, records, profiles: LIBRARY, suite: nativeSuite, counters },
    ...{ logger: openLogger("node", "silent"), connected: () => [meter.hexKey] },
    ...{ nowMs: () => meter.log.timeMs, monotonicMs: () => 0, random: Math.random },
    send: (_key, message) => requests.push(message) > 0,
  });
  const app = new Hono();
  addAuditRoutes(app, records);
  app.onError((thrown, context) =>
    context.json({ code: thrown instanceof Problem ? thrown.code : "other" }, 404),
  );
  const once = async (): Promise<Audit["verdict"] | "nothing asked"> => {
    await auditor.audit(meter.hexKey);
    const request = requests.shift();
    if (request === undefined) return "nothing asked";
    const asked = decodeMessage(encodeMessage(request));
    if (asked.type !== "frameRequest") throw new Error("not a request");
    const { digest } = asked;
    const found = await ring.find(digest);
    const answer = decodeMessage(
      encodeMessage({ type: "frame", digest, ...(found === undefined ? {} : { bytes: found.bytes }) }),
    );
    if (answer.type !== "frame") throw new Error("not a frame");
    await auditor.onFrame(meter.hexKey, answer);
    const [newest] = await records.newest(meter.key, { before: Number.MAX_SAFE_INTEGER, limit: 1 });
    return newest?.verdict ?? "nothing asked";
  };
  return { meter, auditor, counters, records, app, once };
}

async function ask(app: Hono, path: string): Promise<unknown> {
  return await (await app.request(path)).json();
}

describe("a node that audits an honest agent", () => {
  it("finds what it has stored in the frames of the agent's ring", async () => {
    const { meter, once, records, counters, app } = await place();
    for (let at = 0; at < 60; at++) expect(await once()).toBe("matches");
    expect(counters.verdicts.get("matches")).toBe(60);
    const audits = await records.newest(meter.key, { before: Number.MAX_SAFE_INTEGER, limit: 100 });
    expect(audits).toHaveLength(60);
    // Every channel, and nothing older than the window, which the log is longer than.
    expect(new Set(audits.map(({ channel }) => channel)).size).toBe(3);
    const newest = meter.log.rules.lastTime.timeMs;
    const oldest = Math.min(...audits.map(({ leafMs }) => leafMs));
    expect(newest - oldest).toBeLessThanOrEqual(2 * MINUTE_MS);
    expect(newest - oldest).toBeGreaterThan(MINUTE_MS);
    const path = `/devices/${meter.hexKey}/audits`;
    const first = await ask(app, `${path}?limit=40`);
    expect(first).toMatchObject({ next: `${path}?limit=40&before=21` });
    const second = await ask(app, `${path}?limit=40&before=21`);
    expect(second).toMatchObject({ next: null, audits: { length: 20 } });
  });
});

describe("a node that audits an agent which changes what it reads", () => {
  it("keeps the frame, and the leaf with its path to the device's signature", async () => {
    const { meter, once, records, app } = await place(({ exportMwh, ...reading }) => ({
      ...reading,
      ...(exportMwh === undefined ? {} : { exportMwh: exportMwh + 5_000_000 }),
    }));
    for (let at = 0; at < 5; at++) expect(await once()).toBe("differs");
    const [{ id = 0 } = {}] = await records.newest(meter.key, { before: 1e9, limit: 1 });
    const audit = await records.find(meter.key, id);
    const { evidence, difference } = audit ?? {};
    if (audit === undefined || evidence === undefined) throw new Error("no evidence");
    // What a stranger does with it: the leaf is under the device's signature, and the frame under the leaf.
    const { logId } = meter.log.rules;
    const { size, root } = openCheckpoint(nativeSuite, evidence.checkpoint, { deviceKey: meter.key, logId });
    const proof = Array.from({ length: evidence.path.length / 32 }, (_, at) =>
      evidence.path.slice(32 * at, 32 * at + 32),
    );
    const hash = leafHash(nativeSuite, evidence.leaf);
    const claim = { leafIndex: audit.seq, treeSize: size, leafHash: hash, proof, root };
    expect(verifyInclusion(nativeSuite, claim)).toBe(true);
    const leaf = decodeLeaf(evidence.leaf);
    if (leaf.kind !== "reading") throw new Error("no reading");
    expect(leaf.evidence).toEqual(nativeSuite.sha256(evidence.frame).slice(0, 16));
    const profile = bundledProfile("deye-sun-sg04lp3");
    const decoded = decodeEvidence("deye-sun-sg04lp3", { make: "", profile }, evidence.frame);
    const channels = "channels" in decoded ? decoded.channels : [];
    const said = channels.map(({ reading }) => reading.exportMwh);
    expect(said).toContain((leaf.exportMwh ?? 0) - 5_000_000);
    expect(difference).toMatchObject({ value: "exportMwh", got: String(leaf.exportMwh) });
    const file = await ask(app, `/devices/${meter.hexKey}/audits/${id}`);
    expect(file).toMatchObject({ verdict: "differs", value: "exportMwh", seq: audit.seq });
    const frame = Object.getOwnPropertyDescriptor(file, "frame")?.value;
    expect(fromHex(String(frame), "frame")).toEqual(evidence.frame);
  });
});

describe("what is kept", () => {
  it("is bounded for each device, and nothing pushes a difference out but newer ones", async () => {
    const store = auditStore(temporaryFolder());
    const records = new SqliteAudits(store);
    const [mine, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const common = { epoch: 1, channel: 1, leafMs: 0, auditedMs: 0, detail: "" };
    const difference = { value: "importMwh", expected: "1", got: "2" };
    const bytes = Uint8Array.of(1, 2, 3);
    const evidence = { frame: bytes, leaf: bytes, path: new Uint8Array(64), checkpoint: bytes };
    await records.add({ ...common, deviceKey: other, seq: 1, verdict: "gone" });
    for (let seq = 0; seq < MOST_DIFFERENCES + 4; seq++)
      await records.add({ ...common, deviceKey: mine, seq, verdict: "differs", difference, evidence });
    await Promise.all(
      Array.from({ length: MOST_OTHERS + 50 }, (_, seq) =>
        records.add({ ...common, deviceKey: mine, seq, verdict: seq % 2 === 0 ? "matches" : "silent" }),
      ),
    );
    const kept = await records.newest(mine, { before: Number.MAX_SAFE_INTEGER, limit: 10_000 });
    const differences = kept.filter(({ verdict }) => verdict === "differs");
    expect(differences.map(({ seq }) => seq)).toEqual(
      Array.from({ length: MOST_DIFFERENCES }, (_, at) => MOST_DIFFERENCES + 3 - at),
    );
    expect(kept.length - differences.length).toBe(MOST_OTHERS);
    expect(kept[0]).toEqual({
      ...common,
      deviceKey: mine,
      id: kept[0]?.id,
      seq: MOST_OTHERS + 49,
      verdict: "silent",
    });
    expect(await records.newest(other, { before: 1000, limit: 10 })).toHaveLength(1);
    expect(await records.find(other, kept[0]?.id ?? 0)).toBeUndefined();
    expect((await records.find(mine, differences[0]?.id ?? 0))?.evidence).toEqual(evidence);
  });

  it("is asked for with a known key, place and number", async () => {
    const app = new Hono();
    addAuditRoutes(app, new SqliteAudits(auditStore(temporaryFolder())));
    app.onError((thrown, context) =>
      context.json({ code: thrown instanceof Problem ? thrown.code : "other" }),
    );
    const key = "ab".repeat(32);
    const codes = [
      ...["/devices/xy/audits", `/devices/${key}/audits?limit=101`, `/devices/${key}/audits?before=0`],
      ...[`/devices/${key}/audits?page=2`, `/devices/${key}/audits/x`, `/devices/${key}/audits/1?x=1`],
    ];
    for (const path of codes) expect(await ask(app, path)).toEqual({ code: "query" });
    expect(await ask(app, `/devices/${key}/audits/1`)).toEqual({ code: "not-found" });
    expect(await ask(app, `/devices/${key}/audits`)).toEqual({ audits: [], next: null });
  });
});

describe("leaves to audit", () => {
  it("are none of a device without a log, and none that were read under an earlier manifest", async () => {
    const folder = temporaryFolder();
    const store = auditStore(folder);
    const { open } = await bench(bundledProfile("eastron-sdm630"));
    const meter = await new SealedMeter("eastron-sdm630", open()).open();
    const options = { store, suite: nativeSuite, network: NETWORK, windowMs: 10 * MINUTE_MS };
    const source = new StoreAuditSource(options);
    expect(await source.pick(meter.key, Math.random)).toBeUndefined();
    for (let at = 0; at < 5; at++) await meter.read();
    const { kind: _k, seq: _s, salt: _a, timeMs: _t, timeQuality: _q, ...said } = meter.log.state().manifest;
    meter.log.manifest({ ...said, firmware: "2" });
    await meter.deliver(store);
    expect(await source.pick(meter.key, Math.random)).toBeUndefined();
    await meter.read();
    await meter.deliver(store);
    let picked = await source.pick(meter.key, Math.random);
    for (let at = 0; at < 20 && picked === undefined; at++)
      picked = await source.pick(meter.key, Math.random);
    expect(picked?.leaf.seq).toBe(meter.log.rules.size - 1);
    expect(picked?.manifest.firmware).toBe("2");
  });
});
