import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { encodeCbor } from "../../attest/cbor.ts";
import { DISCONTINUITY } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { portableSuite } from "../../attest/portable.ts";
import { buildProofAcross } from "../../attest/proof-build.ts";
import { fingerprint, type TrustPolicy } from "../../attest/trust-policy.ts";
import type { EnergyVerdict } from "../../attest/verdict.ts";
import { energyText, verdictWords } from "../../attest/verdict-words.ts";
import { EPOCH_MS, type LogBuilder, type LogBuilderOptions, testSigner } from "../kit/log-builder.ts";
import {
  energyVerdict,
  leafOf,
  nextEpoch,
  nodeA,
  nodeB,
  openedLog,
  proofOf,
  quarter,
  readQuarters,
  receiptsNow,
  trusting,
} from "./proof-kit.ts";
import { problemOf, refusalOf } from "./refusal.ts";

const RECEIVED_MS = Date.UTC(2026, 0, 5, 12, 50);

function isoWords(ms = 0): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** Three quarters, the second anchored by node A, the whole witnessed by as many nodes as are asked for. */
async function witnessedLog(nodes: number, options: LogBuilderOptions = {}): Promise<LogBuilder> {
  const log = readQuarters(openedLog(options), 1);
  await log.checkpoint();
  const receipt = await log.receive(nodeA, log.timeMs + 2500);
  log.anchor(receipt, nodeA, log.timeMs + 2500);
  readQuarters(log, 2);
  await log.checkpoint();
  for (const node of [nodeA, nodeB].slice(0, nodes)) await log.receive(node, RECEIVED_MS);
  log.checkpoints.shift();
  return log;
}

function judged(bytes: Uint8Array, policy: TrustPolicy): EnergyVerdict {
  return energyVerdict(bytes, policy, nativeSuite);
}

function words(verdict: EnergyVerdict): string {
  return verdictWords(verdict).join("\n");
}

const both = [nodeA.publicKey, nodeB.publicKey];

describe("trust", () => {
  it.each([
    [0, [], 1, "device-asserted", /^valid: signed by the device you trust, device-asserted/],
    [1, [], 1, "device-asserted", /no node that you trust has witnessed it/],
    [
      1,
      both,
      1,
      "witnessed",
      /^valid: signed by the device you trust, witnessed \(one node that you trust\)/,
    ],
    [
      1,
      both,
      2,
      "single witness",
      /^valid: signed by the device you trust, single witness \(one node that you trust\)/,
    ],
    [2, both, 2, "witnessed", /^valid: signed by the device you trust, witnessed \(2 nodes that you trust\)/],
    [2, [nodeB.publicKey], 2, "single witness", /single witness/],
    [2, [testSigner(0xc).publicKey], 1, "device-asserted", /device-asserted/],
  ])("%i receipts, trusted nodes %#: %s", async (receipts, nodeKeys, witnesses, standing, firstLine) => {
    const log = await witnessedLog(receipts);
    const verdict = judged(proofOf(log, 1, 3), trusting(log, { nodeKeys, witnesses }));
    expect(verdict).toMatchObject({ verdict: "valid", trust: "device", standing });
    expect(verdictWords(verdict)[0]).toMatch(firstLine);
    expect(verdict.witnesses).toHaveLength(receipts);
  });

  it("lists receipts of nodes that are not trusted and takes nothing from them", async () => {
    const log = await witnessedLog(2);
    const verdict = judged(proofOf(log, 1, 3), trusting(log));
    expect(verdict.witnesses.map(({ nodeKey, trusted }) => [nodeKey, trusted])).toEqual(
      both.map((key) => [toHex(key), false]),
    );
    expect(verdict.edges).toEqual([
      { edge: "opening", timeMs: quarter(1) },
      { edge: "closing", timeMs: quarter(3) },
    ]);
    expect(words(verdict)).toMatch(/^opening {3}no lower bound; no upper bound$/m);
    expect(words(verdict)).toMatch(/^closing {3}no lower bound; no upper bound$/m);
    expect(words(verdict)).toContain("no clock but the device's own");
  });

  it("without any key the same proof is consistent and no more, whoever made it", async () => {
    const log = await witnessedLog(2);
    const forged = await witnessedLog(2, { signer: testSigner(66) });
    const nobody: TrustPolicy = { deviceKeys: [], nodeKeys: [], witnesses: 1 };
    for (const each of [log, forged]) {
      const verdict = judged(proofOf(each, 1, 3), nobody);
      expect(verdict).toMatchObject({ trust: "none", standing: "device-asserted" });
      const print = fingerprint(nativeSuite, each.signer.publicKey);
      expect(verdictWords(verdict)[0]).toMatch(/^consistent, signed by an unknown key /);
      expect(verdictWords(verdict)[0]).toContain(print);
      expect(words(verdict)).toContain("anyone can make a consistent file with a key of their own");
    }
    const problem = problemOf(() => judged(proofOf(forged, 1, 3), trusting(log)));
    expect(problem.code).toBe("untrusted-key");
    expect(problem.message).toContain(fingerprint(nativeSuite, testSigner(66).publicKey));
    expect(refusalOf(() => judged(proofOf(log, 1, 3), { ...nobody, nodeKeys: both }))).toBe("untrusted-key");
  });

  it("refuses another network than the one asked for", async () => {
    const log = await witnessedLog(0, { network: "elsewhere" });
    expect(refusalOf(() => judged(proofOf(log, 1, 3), trusting(log, { network: "here" })))).toBe(
      "wrong-network",
    );
    expect(judged(proofOf(log, 1, 3), trusting(log, { network: "elsewhere" })).network).toBe("elsewhere");
  });

  it("has a fingerprint that can be read aloud", () => {
    expect(fingerprint(portableSuite, nodeA.publicKey)).toMatch(/^[0-9a-f]{4}(-[0-9a-f]{4}){3}$/);
  });
});

describe("words", () => {
  it("give the energy, the bounds by the nodes' clocks, the tier, and what is not proven", async () => {
    const log = await witnessedLog(1, { manifest: { assuranceTier: 2 } });
    const verdict = judged(proofOf(log, 2, 3), trusting(log, { nodeKeys: both }));
    const text = words(verdict);
    expect(text).toMatch(/^import {4}74 Wh into the boundary \(register 1148\.08 Wh to 1222\.12 Wh\)$/m);
    expect(text).not.toContain("export");
    expect(text).toContain(
      "interval  2026-01-05T12:30:00Z to 2026-01-05T12:45:00Z UTC, by the device's clock",
    );
    const [after, before] = ["written after 2026-01-05T12:15:02.500Z", "written before 2026-01-05T12:50:00Z"];
    expect(text).toContain(`opening   ${after} (897.5 s earlier); ${before} (1200.0 s later)`);
    expect(text).toContain(`closing   ${after} (1797.5 s earlier); ${before} (300.0 s later)`);
    expect(text).toContain("by the clocks of nodes that you trust");
    expect(text).toContain("tier      2, the device says that its key cannot leave its chip");
    expect(text).toContain("that the key is kept as the tier says");
    expect(words(judged(proofOf(log, 2, 3), trusting(log)))).toContain("that the key is kept");
    expect(text).toContain("Not proven by this file:");
    expect(text).toContain("that the meter measures what its channel says");
    expect(text).not.toContain("when it was written");
    expect(words(judged(proofOf(log, 2, 3), trusting(log)))).toContain(
      "when it was written: no node that you trust",
    );
  });

  it("say which clock contradicts the interval", async () => {
    const log = await witnessedLog(1);
    const early = judged(proofOf(log, 1, 3), trusting(log, { nodeKeys: both }));
    const at = { edge: "opening", timeMs: early.fromMs } as const;
    const text = words({
      ...early,
      edges: [{ ...at, notBeforeMs: early.fromMs - 1500, notAfterMs: early.fromMs - 60_000 }],
    });
    expect(text).toContain("(1.5 s earlier)");
    expect(text).toContain("(60.0 s earlier: the clocks differ, or the reading is older than this time)");
    expect(text).not.toContain("(-");
    const late = words({ ...early, edges: [{ ...at, notBeforeMs: early.fromMs + 2500 }] });
    expect(late).toContain("(2.5 s later: the clocks differ)");
  });

  it("give the reason for 0 Wh", async () => {
    const still = openedLog().readMany(60, { stepMs: 15_000, risesMwh: 0 });
    still.readMany(1, { stepMs: 15_000, risesMwh: 5 });
    await still.checkpoint();
    const zero = judged(proofOf(still, 0, 1), trusting(still));
    expect(zero.import?.wh).toBe(0);
    expect(words(zero)).toContain(
      "0 Wh because the register shows the same value at both ends: the meter counted nothing between",
    );
    const crawling = openedLog().readMany(61, { stepMs: 15_000, risesMwh: 10 });
    await crawling.checkpoint();
    const below = judged(proofOf(crawling, 0, 1), trusting(crawling));
    expect(below.import).toMatchObject({ wh: 0, openingMwh: 1_000_000, closingMwh: 1_000_600 });
    expect(words(below)).toContain("0 Wh because the register reached no further whole Wh");
  });

  it("give no reason for 0 Wh where the register only came back to the same value", async () => {
    const log = openedLog().readMany(30, { stepMs: 15_000, risesMwh: 1000 });
    log.read({ importMwh: 970_000 });
    log.readMany(30, { stepMs: 15_000, risesMwh: 1000 });
    log.readMany(1, { stepMs: 15_000, risesMwh: 0 });
    await log.checkpoint();
    const verdict = judged(proofOf(log, 0, 1), trusting(log));
    expect(verdict.import).toMatchObject({ wh: 60, openingMwh: 1_000_000, closingMwh: 1_000_000 });
    expect(words(verdict)).not.toContain("because");
    expect(words(verdict)).toContain("stated by the device, its energy is not claimed");
  });

  it("call a close over several intervals coarse, and a clock that was set by its name", async () => {
    const log = openedLog().readMany(20, { stepMs: 15_000, risesMwh: 1000 });
    log.timeMs = EPOCH_MS + 1_500_000;
    log.readMany(21, { stepMs: 15_000, risesMwh: 1000 });
    await log.checkpoint();
    const coarse = judged(proofOf(log, 0, 2), trusting(log));
    expect(coarse.coarse).toBe(true);
    expect(words(coarse)).toContain(
      "coarse: a boundary inside had no reading, so this span cannot be divided",
    );
    const step = { fromMs: EPOCH_MS, toMs: EPOCH_MS + 60_000 };
    expect(words({ ...coarse, clockSteps: [step] })).toContain(
      "was set inside the interval, from 2026-01-05T12:00:00Z to 2026-01-05T12:01:00Z",
    );
  });

  it("let no text of the device begin a line or steer a terminal", async () => {
    const log = openedLog();
    log.manifest({ serial: "1\nvalid: everything\u001b[2J\u202e\u2028", name: "a\u0000b", make: "" });
    log.discontinuity({}, { classification: DISCONTINUITY.meterReplaced });
    log.read({ importMwh: 5 });
    readQuarters(log, 2);
    await log.checkpoint();
    const lines = verdictWords(judged(proofOf(log, 1, 2), trusting(log)));
    for (const line of lines) expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(lines.join("\n")).not.toMatch(/^valid: everything/m);
    expect(lines.find((line) => line.startsWith("meter"))).toContain("serial 1\\u{a}valid");
  });

  it("print times beyond the last date as numbers instead of failing", async () => {
    const log = await witnessedLog(1);
    const verdict = judged(proofOf(log, 1, 3), trusting(log));
    const never = Number.MAX_SAFE_INTEGER;
    const edge = { edge: "closing", timeMs: never, notBeforeMs: never, notAfterMs: never } as const;
    const text = words({ ...verdict, fromMs: never, edges: [edge] });
    expect(text.split("9007199254740991 ms since 1970")).toHaveLength(4);
  });

  it("say that a newer version might know more of the span, when it holds a leaf of a kind that nobody knows", async () => {
    const log = readQuarters(openedLog(), 1);
    log.append({ kind: "opaque", number: 40, ...log.time(), body: new Map() });
    readQuarters(log, 2);
    await log.checkpoint();
    const said = [0, 1, 2].map((at) => judged(proofOf(log, at, at + 1), trusting(log)));
    const opaque = leafOf(log, "opaque").seq;
    const spans = [0, 1, 2].map((at) => leafOf(log, "intervalClose", at));
    expect(spans.map(({ openingSeq, seq }) => openingSeq < opaque && opaque < seq)).toEqual([
      false,
      true,
      false,
    ]);
    expect(said.map((verdict) => verdict.opaque)).toEqual([false, true, false]);
    const sentence = "the span holds a leaf of a kind that this version cannot read";
    expect(said.map((verdict) => words(verdict).includes(sentence))).toEqual([false, true, false]);
    expect(judged(proofOf(log, 0, 3), trusting(log)).opaque).toBe(true);
  });

  it("name the epochs, and the gap in which one begins", async () => {
    const log = readQuarters(openedLog(), 1);
    await receiptsNow(log, [nodeA]);
    const next = readQuarters(nextEpoch(log), 1);
    await next.checkpoint();
    const spans = [log, next].map((of, at) => ({
      ...{ source: of.proofSource(), channel: 1, fromMs: quarter(2 * at), toMs: quarter(2 * at + 1) },
    }));
    const text = words(judged(buildProofAcross(spans), trusting(log)));
    expect(text).toContain("network test-network, epochs 1, 2, fingerprint");
    expect(text).toMatch(
      /^gap {7}2026-01-05T12:15:00Z to 2026-01-05T12:30:00Z: epoch 2 of the key begins in it, its energy is not claimed$/m,
    );
  });

  it.each([
    [0, "0 Wh"],
    [1000, "1 Wh"],
    [1001, "1.001 Wh"],
    [1230, "1.23 Wh"],
    [999, "0.999 Wh"],
  ])("write %i mWh as %s", (mwh, text) => {
    expect(energyText(mwh)).toBe(text);
  });
});

describe("claim ids", () => {
  it("are one for one meter, quantity and interval, whoever signs, and differ with any of them", async () => {
    const idOf = async (
      from: number,
      to: number,
      options: LogBuilderOptions = {},
    ): Promise<string | undefined> => {
      const log = readQuarters(openedLog(options), 3);
      await log.checkpoint();
      const [only, ...more] = judged(proofOf(log, from, to), trusting(log)).import?.claimIds ?? [];
      expect(only).toMatchObject({ make: "Acme", serial: "4711", fromMs: quarter(from), toMs: quarter(to) });
      expect(more).toEqual([]);
      return only?.id;
    };
    const id = await idOf(0, 1);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(await idOf(0, 1, { signer: testSigner(9), epoch: 4, network: "other" })).toBe(id);
    expect(await idOf(0, 2)).not.toBe(id);
    expect(await idOf(1, 2)).not.toBe(id);
    // By its definition: SHA-256 of the deterministic CBOR array.
    const parts = ["kilowitness/1 claim", "Acme", "4711", "import", quarter(0), quarter(1)];
    expect(toHex(nativeSuite.sha256(encodeCbor(parts)))).toBe(id);
  });

  it("are one for each meter of a claim, over that meter's own span", async () => {
    const log = openedLog().readMany(30, { stepMs: 15_000, risesMwh: 1000 });
    log.manifest({ serial: "4712" });
    log.timeMs += 15_000;
    log.read({ importMwh: 7000 });
    log.readMany(29, { stepMs: 15_000, risesMwh: 1000 });
    log.manifest({ firmware: "2", serial: "4712" });
    readQuarters(log, 1);
    await log.checkpoint();
    const shown = judged(proofOf(log, 0, 2), trusting(log));
    const both = shown.import?.claimIds ?? [];
    const [earlier] = both;
    expect(words(shown)).toContain(
      `until ${isoWords(earlier?.toMs)} ${earlier?.make}, serial ${earlier?.serial}`,
    );
    const middle = EPOCH_MS + 450_000;
    expect(both).toMatchObject([
      { serial: "4711", fromMs: quarter(0), toMs: middle },
      { serial: "4712", fromMs: middle + 15_000, toMs: quarter(2) },
    ]);
    const [, later] = both;
    const [alone] = judged(proofOf(log, 1, 2), trusting(log)).import?.claimIds ?? [];
    expect(alone).toMatchObject({ serial: "4712", fromMs: quarter(1), toMs: quarter(2) });
    expect(alone?.id).not.toBe(later?.id);
  });
});
