import { type CborValue, decodeCborMap, encodeCbor } from "../../../attest/cbor.ts";
import { encodeFault, type Fault } from "../../../attest/fault.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import { forceReading } from "./batch-faults.ts";
import { bad, type Draft } from "./draft.ts";
import {
  enrolment,
  epochsFault,
  fault,
  forkedLeaves,
  forkOf,
  head,
  keyUse,
  leftAt,
  rawLeaf,
  retiredKey,
  revocationOf,
  revokedKey,
  shortLog,
  shownLeaves,
  twoEpochs,
} from "./faults.ts";
import { device, logIdOf, NETWORK, nodeB, registrar, secondKey, someHash } from "./keys.ts";
import { checkpointOver, forceBytes, meteredLog, read, readOn } from "./logs.ts";
import { orderTwo } from "./order-two.ts";
import { alter } from "./proof-parts.ts";
import { PLAIN_CLOSE, plainLog } from "./proofs.ts";
import { changed, flipped } from "./sealing.ts";

/** Bad fault proofs: they are not sound, or they accuse where a lawful log could hold what is shown. */
export function faultFaultDrafts(): Draft[] {
  return [
    ...fileFaults(),
    ...placeFaults(),
    ...nothingShown(),
    ...lawfulLeaves(),
    ...newerLeaves(),
    ...keyFaults(),
  ];
}

type Row = readonly [fault: string, code: string, about: string, fault: Fault | Uint8Array];

function refused(from: Draft, rows: readonly Row[]): Draft[] {
  return rows.map(([name, code, about, file]) =>
    bad(from, name, {
      ...{ about, code },
      input: { fault: file instanceof Uint8Array ? file : encodeFault(file) },
    }),
  );
}

const drop = shownLeaves(forceReading(readOn(meteredLog(), 0, 20), 40, 1_000_999), [3, 4]);
const registerDrop = fault("", { about: "", fault: drop, expect: { rule: "register-drop" } });

/** The file with other values under some keys. */
function file(changes: Readonly<Record<number, CborValue | undefined>>, of: Fault = drop): Uint8Array {
  const limits = { maxDepth: 2, maxLength: 1_048_576 };
  return encodeCbor(changed(decodeCborMap(encodeFault(of), limits), changes));
}

function fileFaults(): Draft[] {
  const whole = encodeFault(drop);
  const other = checkpointOver(shortLog(), undefined, {}, { kid: logIdOf(NETWORK, device.publicKey, 2) });
  return [
    ...refused(registerDrop, [
      ["truncated", "fault-format", "The last byte is missing.", whole.slice(0, -1)],
      ["format", "fault-format", "The format of a proof.", file({ 0: "kilowitness/1 proof" })],
      ["name", "fault-format", "A fault that this version does not know.", file({ 1: "three-epochs" })],
      ["no-hashes", "field", "The hashes are left out.", file({ 9: undefined })],
      ["unknown-key", "unknown-key", "A false leaf has no key 12.", file({ 12: 1 })],
      ["device-key", "key-invalid", "A device key of order 2.", file({ 3: orderTwo.publicKey })],
      ["network-name", "network-name", "A network with a space in its name.", file({ 2: "example grid" })],
      ["epoch-large", "bytes-integer", "An epoch of 2^32.", file({ 4: 2 ** 32 })],
      ["checkpoint-log", "cose-kid", "The checkpoint of another epoch.", file({ 5: other })],
      [
        "checkpoint-signature",
        "cose-signature",
        "One bit of the signature is another one.",
        file({
          5: flipped(drop.checkpoint, -1),
        }),
      ],
    ]),
    ...refused(forkedLeaves, [
      [
        "fork-partial",
        "fault-format",
        "One leaf of a fork without the other.",
        file({ 8: undefined }, forkOf()),
      ],
    ]),
  ];
}

function placeFaults(): Draft[] {
  const { hashes = new Uint8Array(0) } = "hashes" in drop ? drop : {};
  return [
    ...refused(registerDrop, [
      ["root", "fault-root", "One bit of a hash is another one.", file({ 9: flipped(hashes, 0) })],
      ["hash-missing", "proof-shape", "One hash is missing.", file({ 9: hashes.slice(32) })],
      ["hash-cut", "proof-format", "The hashes end within a hash.", file({ 9: hashes.slice(1) })],
    ]),
    ...refused(forkedLeaves, [
      [
        "fork-index",
        "proof-shape",
        "An index that only the larger of the two logs has.",
        file({ 11: 3 }, forkOf()),
      ],
    ]),
  ];
}

function nothingShown(): Draft[] {
  const [one, larger] = [shortLog(), shortLog()];
  read(larger, 20, 1_001_000);
  const sides = (checkpoint: Uint8Array, otherCheckpoint: Uint8Array): Fault => ({
    ...{ fault: "fork", ...head, checkpoint, otherCheckpoint },
  });
  const issued = checkpointOver(one, undefined, { 4: one.timeMs + 60_000 });
  const fork = fault("", { about: "", fault: forkOf(), expect: { rule: "two-leaves" } });
  return [
    ...refused(fork, [
      ["fork-grown", "fault-nothing", "A log that grew.", sides(checkpointOver(one), checkpointOver(larger))],
      [
        "fork-same",
        "fault-nothing",
        "Two checkpoints of one history, issued at two times.",
        sides(checkpointOver(one), issued),
      ],
      ["fork-leaf", "fault-nothing", "The leaf that both histories share.", forkOf(1)],
    ]),
    ...refused(twoEpochs, [
      ["epochs-signed", "fault-nothing", "A checkpoint that the next epoch knows of.", epochsFault(3)],
      [
        "epochs-unknown",
        "fault-nothing",
        "The next epoch cannot know what was signed.",
        epochsFault(undefined),
      ],
      [
        "epochs-other",
        "fault-nothing",
        "The next epoch continues another log.",
        epochsFault(2, logIdOf(NETWORK, secondKey.publicKey, 1)),
      ],
      [
        "epochs-order",
        "fault-nothing",
        "The epoch that is said to be later is not.",
        file({ 12: 1 }, epochsFault(2)),
      ],
    ]),
  ];
}

/** Leaves that some lawful log holds, whatever lies between them. */
function lawfulLeaves(): Draft[] {
  const dropped = (): LogBuilder => {
    const log = readOn(meteredLog(), 0, 20);
    log.discontinuity({ importMwh: 500 }, { classification: 1 });
    read(log, 40, 500);
    return log;
  };
  const paused = readOn(meteredLog(), 60, 60);
  read(paused, 400, 1_004_000);
  const last = paused.leaves.length - 1;
  return refused(registerDrop, [
    ["lawful", "fault-nothing", "Two readings that are in order.", shownLeaves(plainLog(), [2, 3])],
    [
      "lawful-drop",
      "fault-nothing",
      "A register that fell: between the two, the discontinuity is not shown.",
      shownLeaves(dropped(), [3, 6]),
    ],
    [
      "lawful-pause",
      "fault-nothing",
      "A pause: between the two, the discontinuity is not shown.",
      shownLeaves(paused, [0, 2, last]),
    ],
    [
      "lawful-close",
      "fault-nothing",
      "A close with both its readings.",
      shownLeaves(plainLog(), [0, 1, 2, 3, 4]),
    ],
    ["lawful-raw", "fault-nothing", "A leaf that stands where it says.", rawLeaf(plainLog(), 2)],
    [
      "no-interval",
      "fault-nothing",
      "A pause that is too long, without the manifest that names the interval.",
      shownLeaves(forceReading(readOn(meteredLog(), 60, 60), 241, 1_003_000), [2, 3]),
    ],
    [
      "later-shape",
      "fault-nothing",
      "A close whose shape is of a later version.",
      shownLeaves(alter(plainLog(), PLAIN_CLOSE, { shape: 9, closingImportMwh: 1_003_101 }), [3, 4]),
    ],
  ]);
}

function newerLeaves(): Draft[] {
  const unlawful = fault("", {
    ...{ about: "", fault: rawLeaf(forceBytes(shortLog(), Uint8Array.of(0xa1, 0x01)), 3) },
    expect: { rule: "leaf-unlawful" },
  });
  const salt = someHash("salt").slice(0, 16);
  const raw = (pairs: readonly (readonly [number, CborValue])[]): Fault =>
    rawLeaf(forceBytes(shortLog(), encodeCbor(new Map([...pairs, [15, salt]]))), 3);
  const common = [
    [1, 3],
    [2, 1000],
  ] as const;
  return refused(unlawful, [
    [
      "newer-kind",
      "fault-newer",
      "A kind that a later version may have assigned.",
      raw([[0, 19], ...common, [3, 3]]),
    ],
    [
      "newer-quality",
      "fault-newer",
      "A time quality that a later version may know.",
      raw([...common, [3, 5], [4, 1]]),
    ],
    [
      "newer-key",
      "fault-newer",
      "A key that a later version may have given to readings.",
      raw([...common, [3, 3], [4, 1], [17, 1]]),
    ],
  ]);
}

function keyFaults(): Draft[] {
  const own = { ...enrolment, revocations: [revocationOf(4)] };
  return [
    ...refused(revokedKey, [
      [
        "key-vouched",
        "fault-nothing",
        "A key that a trusted node enrolled, and nothing more.",
        keyUse(enrolment),
      ],
      [
        "key-cut",
        "fault-nothing",
        "A revocation that leaves this checkpoint.",
        keyUse({
          ...{ ...enrolment, revocations: [revocationOf(5)] },
        }),
      ],
      [
        "key-stranger",
        "fault-nothing",
        "A revocation by a registrar whom the reader does not trust.",
        keyUse({
          ...{ ...enrolment, revocations: [revocationOf(4, registrar)] },
        }),
      ],
      ["key-half", "fault-format", "A statement without an answer.", file({ 14: undefined }, keyUse(own))],
      [
        "key-revocation",
        "cose-signature",
        "One bit of the revocation's signature is another one.",
        keyUse({
          ...{ ...enrolment, revocations: [flipped(revocationOf(4), -1)] },
        }),
      ],
      ["key-record", "fault-record", "The enrolment of another key.", ofOtherKey()],
    ]),
    ...refused(retiredKey, [
      [
        "key-left-later",
        "fault-nothing",
        "A rotation that left the key at this size.",
        keyUse({
          ...{ ...enrolment, rotations: leftAt(5) },
        }),
      ],
    ]),
  ];
}

function ofOtherKey(): Fault {
  const log = readOn(meteredLog({ signer: nodeB }), 0, 40);
  return { ...keyUse(enrolment, log), deviceKey: nodeB.publicKey };
}
