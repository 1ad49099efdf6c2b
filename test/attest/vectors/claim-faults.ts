import type { LogBuilder } from "../../kit/log-builder.ts";
import { FLEXIBILITY_SEQ, flexibilityLog, gapLog } from "./broken-proofs.ts";
import { bad, type Draft } from "./draft.ts";
import { nodeA, someHash } from "./keys.ts";
import { meteredLog, read, readOn, receiptOver } from "./logs.ts";
import { type Row, refusedProofs } from "./proof-faults.ts";
import { after, alter, anchorLeaf, closeAt, proofOf, type Shown, seqsOf } from "./proof-parts.ts";
import { PLAIN_CLOSE, plainLog, plainProof, proof } from "./proofs.ts";

/** Bad proofs whose file is in order, and whose leaves, all signed and in their places, do not make the claim. */
export function claimFaultDrafts(): Draft[] {
  return [
    ...closeFaults(),
    ...gapFaults(),
    ...continuationFaults(),
    ...surplusFaults(),
    ...channelFaults(),
    ...coverFaults(),
    ...flexibilityFaults(),
  ];
}

/** A case that is good, under the policy that trusts the device. */
export function from(log: LogBuilder, shown: Shown, policy?: object): Draft {
  return proof("", { about: "", proof: proofOf(log, shown), expect: {}, ...(policy && { policy }) });
}

function closeFaults(): Draft[] {
  const saying = (changes: Readonly<Record<string, unknown>>): Uint8Array =>
    proofOf(alter(plainLog(), PLAIN_CLOSE, changes), { leaves: [PLAIN_CLOSE] });
  return refusedProofs(plainProof, [
    [
      "register-falls",
      "proof-energy",
      "A register that falls between the ends.",
      saying({ closingImportMwh: 999_999 }),
    ],
    ["ends-before", "proof-chain", "A close that ends before it begins.", saying({ t1Ms: after(-60) })],
    [
      "opening-behind",
      "proof-chain",
      "An opening reading behind the closing one.",
      saying({
        ...{ openingSeq: 3, closingSeq: 2 },
      }),
    ],
    [
      "closing-behind",
      "proof-chain",
      "A closing reading that is the close itself.",
      saying({ closingSeq: PLAIN_CLOSE }),
    ],
    [
      "close-manifest-hash",
      "proof-manifest",
      "A close that names another manifest.",
      saying({
        manifestHash: someHash("another manifest"),
      }),
    ],
  ]);
}

/** Of the log with the register reset: a partial close at 4, the discontinuity at 5, a close at 8. */
const GAP = [4, 5, 8];

function gapFaults(): Draft[] {
  const good = from(gapLog(), { leaves: GAP });
  const saying = (seq: number, changes: Readonly<Record<string, unknown>>): Uint8Array =>
    proofOf(alter(gapLog(), seq, changes), { leaves: GAP });
  const rows: readonly Row[] = [
    [
      "discontinuity-missing",
      "proof-chain",
      "The discontinuity is left out.",
      proofOf(gapLog(), { leaves: [4, 8] }),
    ],
    [
      "discontinuity-circle",
      "proof-chain",
      "A discontinuity that names itself as the one before.",
      saying(5, {
        previousDiscontinuitySeq: 5,
      }),
    ],
    [
      "previous-close",
      "proof-chain",
      "A close between the two was left out.",
      saying(8, { previousCloseSeq: 3 }),
    ],
    [
      "gap-backwards",
      "proof-chain",
      "The second segment begins before the first ended.",
      saying(8, {
        t0Ms: after(19),
      }),
    ],
    [
      "discontinuity-channel",
      "proof-channel",
      "A discontinuity of another channel.",
      saying(5, { channel: 2 }),
    ],
  ];
  const second = from(gapLog(), { leaves: [8] });
  return [
    ...refusedProofs(good, rows),
    bad(second, "discontinuity-surplus", {
      ...{ about: "A discontinuity before the only segment.", code: "proof-leaf" },
      input: { proof: proofOf(gapLog(), { leaves: [5, 8] }) },
    }),
  ];
}

/** The same meter under a new manifest at 5: a partial close at 4, a close at 8. */
function renamedLog(): LogBuilder {
  const log = readOn(meteredLog(), 0, 20);
  log.manifest({ samplingMs: 10_000, firmware: "2" });
  return closeAt(readOn(log, 40, 60), 61);
}

function continuationFaults(): Draft[] {
  const shown = { leaves: [4, 8], manifests: [0, 1, 5] };
  const saying = (changes: Readonly<Record<string, unknown>>): Uint8Array =>
    proofOf(alter(renamedLog(), 8, changes), shown);
  return refusedProofs(from(renamedLog(), shown), [
    [
      "energy-made",
      "proof-chain",
      "A second segment that opens 1 mWh lower.",
      saying({ openingImportMwh: 1_000_999 }),
    ],
    [
      "time-lost",
      "proof-chain",
      "A second segment that begins 1 ms later, though the clock was not set.",
      saying({
        t0Ms: after(20) + 1,
      }),
    ],
  ]);
}

function surplusFaults(): Draft[] {
  const other = plainLog();
  return refusedProofs(plainProof, [
    [
      "leaf-reading",
      "proof-leaf",
      "A reading among the leaves.",
      proofOf(other, { leaves: [3, PLAIN_CLOSE] }),
    ],
  ]);
}

function channelFaults(): Draft[] {
  const log = meteredLog();
  log.manifest({ channel: 2, samplingMs: 10_000, name: "roof" });
  read(log, 0, 1000);
  read(log, 0, 1000, 2);
  read(log, 60, 2000);
  read(log, 60, 2000, 2);
  log.timeMs = after(61);
  log.closeDue(1);
  log.closeDue(2);
  const [one = 0, two = 0] = seqsOf(log, "intervalClose");
  return [
    bad(from(log, { leaves: [one] }), "channel", {
      ...{ about: "The closes of two channels.", code: "proof-channel" },
      input: { proof: proofOf(log, { leaves: [one, two], manifests: [0, 1, 2] }) },
    }),
  ];
}

/** The clock is set back by 70 s: the first minute is closed twice, and 20 s behind it once. */
function setBackLog(): LogBuilder {
  const log = readOn(meteredLog(), 0, 80);
  log.stepClock(after(10));
  for (const seconds of [20, 40, 60]) read(log, seconds, 1_004_000 + seconds * 50);
  return closeAt(log, 61);
}

function coverFaults(): Draft[] {
  const back = setBackLog();
  const closes = seqsOf(back, "intervalClose");
  const anchored = readOn(meteredLog(), 0, 0);
  const receipt = receiptOver(anchored, nodeA, after(1));
  anchored.timeMs = after(2);
  const { leaf } = anchored.append(anchorLeaf(anchored, nodeA, { receipt, receivedAtMs: after(1), size: 3 }));
  closeAt(readOn(anchored, 20, 60), 61);
  const shown = { manifests: [0], anchored: [receipt] };
  return [
    bad(
      from(anchored, { leaves: [leaf.seq, ...seqsOf(anchored, "intervalClose")], anchored: [receipt] }),
      "no-close",
      {
        ...{ about: "An anchor, and no close.", code: "proof-cover" },
        input: { proof: proofOf(anchored, { ...shown, leaves: [leaf.seq] }) },
      },
    ),
    bad(from(back, { leaves: closes.slice(-1) }), "beyond", {
      about: "The clock was set back: the first segment ends behind the end of the claim.",
      ...{ code: "proof-cover", input: { proof: proofOf(back, { leaves: closes }) } },
    }),
  ];
}

function flexibilityFaults(): Draft[] {
  const log = flexibilityLog();
  const good = from(log, { leaves: [FLEXIBILITY_SEQ] });
  const twice = flexibilityLog();
  twice.flexibility();
  const closed = flexibilityLog();
  read(closed, 20, 1_000_900);
  read(closed, 60, 1_003_100);
  closeAt(closed, 61);
  const named = alter(flexibilityLog(), FLEXIBILITY_SEQ, { manifestHash: someHash("another manifest") });
  const sinceBoot = meteredLog({ startMs: 1000, timeQuality: 1 });
  sinceBoot.flexibility();
  return refusedProofs(good, [
    [
      "flexibility-close",
      "proof-leaf",
      "A flexibility reading and a close.",
      proofOf(closed, {
        leaves: [FLEXIBILITY_SEQ, ...seqsOf(closed, "intervalClose")],
      }),
    ],
    [
      "flexibility-manifest",
      "proof-manifest",
      "A flexibility reading under another manifest.",
      proofOf(named, {
        leaves: [FLEXIBILITY_SEQ],
      }),
    ],
    [
      "flexibility-clock",
      "proof-time",
      "A flexibility reading by a clock that was not known.",
      proofOf(sinceBoot, {
        leaves: [FLEXIBILITY_SEQ],
      }),
    ],
  ]);
}
