import { describe, expect, it } from "vitest";
import { CLOSE_SHAPE, type IntervalClose, TIME_QUALITY } from "../../attest/leaf.ts";
import { LogRules, restoreRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { buildProof } from "../../attest/proof-build.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { judge } from "../../attest/verdict.ts";
import { EPOCH_MS, LogBuilder, QUARTER_MS } from "../kit/log-builder.ts";

const every = { stepMs: 5000, risesMwh: 1000 };
const HOUR_MS = 3_600_000;

/** A quarter and a bit, five hours off, and five minutes of the next quarter but one without a clock. */
function lostClock(): LogBuilder {
  const log = new LogBuilder({ suite: nativeSuite });
  log.manifest();
  log.readMany(190, every);
  log.stepClock(20_000, TIME_QUALITY.sinceBoot);
  log.readMany(1, { stepMs: 5000, risesMwh: 5_000_000 });
  log.readMany(59, every);
  log.stepClock(EPOCH_MS + 6 * HOUR_MS + 60_000, TIME_QUALITY.ntp);
  return log.readMany(400, every);
}

function closesOf(log: LogBuilder): IntervalClose[] {
  return log.leaves.flatMap(({ leaf }) => (leaf.kind === "intervalClose" ? [leaf] : []));
}

describe("a close that bridges a lost clock", () => {
  const log = lostClock();
  const closes = closesOf(log);
  const at = closes.findIndex(({ shape = 0 }) => (shape & CLOSE_SHAPE.bridges) !== 0);
  const [before, bridge] = [closes[at - 1], closes[at]];

  it("goes from the close before to the first boundary behind it, with all that the meter counted", () => {
    expect(bridge).toMatchObject({
      ...{ t0Ms: EPOCH_MS + 950_000, t1Ms: EPOCH_MS + 6 * HOUR_MS + QUARTER_MS, shape: 19 },
      ...{ openingImportMwh: before?.closingImportMwh, closingImportMwh: 1_190_000 + 5_059_000 + 168_000 },
      count: 60 + 168,
    });
  });

  it("is claimed in a proof over it as part of one span: no gap, and no clock that was set", async () => {
    await log.checkpoint();
    const [first, last] = [closes[0], closes.at(-1)];
    const span = { channel: 1, fromMs: first?.t0Ms ?? 0, toMs: last?.t1Ms ?? 0 };
    const proven = verifyProof(nativeSuite, buildProof(log.proofSource(), span));
    const deviceKeys = [log.signer.publicKey];
    const verdict = judge(nativeSuite, proven, { deviceKeys, nodeKeys: [], witnesses: 1 });
    const wh = Math.floor((last?.closingImportMwh ?? 0) / 1000) - 1001;
    expect(verdict).toMatchObject({ claim: "energy", coarse: true, gaps: [], clockSteps: [] });
    expect(verdict).toMatchObject({ import: { wh } });
  });

  it("is the same after a restart of whoever checks it, at every leaf", () => {
    let rules = new LogRules(nativeSuite, log.rules.identity);
    for (const { leaf, bytes } of log.leaves) {
      rules.apply(leaf, bytes);
      if (leaf.kind !== "reading") rules = restoreRules(nativeSuite, rules.identity, rules.toText());
    }
    expect(rules.root()).toEqual(log.rules.root());
    expect(rules.toText()).toBe(log.rules.toText());
  });
});
