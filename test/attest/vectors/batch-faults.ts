import { encodeCbor } from "../../../attest/cbor.ts";
import type { LogManifest, Unplaced } from "../../../attest/leaf.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import { bad, caseOf, type Draft } from "./draft.ts";
import { START_MS, secondKey, someHash } from "./keys.ts";
import {
  batchInput,
  batchOf,
  checkpointOver,
  force,
  forceBytes,
  meteredLog,
  newLog,
  read,
  readOn,
} from "./logs.ts";
import { flipped } from "./sealing.ts";

/** Bad batches: one leaf, or the checkpoint, is not what the rules of a log want. */
export function batchFaultDrafts(): Draft[] {
  return [...checkpointFaults(), ...manifestFaults(), ...orderFaults(), ...registerFaults(), ...byteFaults()];
}

/** What is wrong, and how a log would go on in order and otherwise. */
export interface Fault {
  readonly about: string;
  readonly code: string;
  readonly begin: () => LogBuilder;
  readonly right: (log: LogBuilder) => unknown;
  readonly wrong: (log: LogBuilder) => unknown;
}

/** Both logs in one batch each, under honest checkpoints. */
export function refusedBatch(fault: string, { about, code, begin, right, wrong }: Fault): Draft {
  const [lawful, unlawful] = [begin(), begin()];
  right(lawful);
  wrong(unlawful);
  return bad(caseOf("batch", batchInput(lawful)), fault, { about, code, input: batchInput(unlawful) });
}

/** A reading so many seconds after the start, past the builder's closes and discontinuities. */
export function forceReading(log: LogBuilder, seconds: number, importMwh: number): LogBuilder {
  log.timeMs = START_MS + seconds * 1000;
  return force(log, { kind: "reading", channel: 1, ...log.time(), importMwh });
}

function checkpointFaults(): Draft[] {
  const log = readOn(meteredLog(), 0, 20);
  const from = caseOf("batch", batchInput(log));
  const { leaves } = batchOf(log);
  const size = log.leaves.length;
  const rows: readonly (readonly [string, string, string, Uint8Array])[] = [
    [
      "size",
      "checkpoint-size",
      "A checkpoint over one leaf more.",
      checkpointOver(log, size, { 1: size + 1 }),
    ],
    [
      "root",
      "checkpoint-root",
      "A signed root that is not of these leaves.",
      checkpointOver(log, size, {
        2: someHash("another root"),
      }),
    ],
    [
      "manifest",
      "checkpoint-manifest",
      "The hash of another log manifest.",
      checkpointOver(log, size, {
        7: someHash("another manifest"),
      }),
    ],
    [
      "last-time",
      "checkpoint-time",
      "Another time of the last leaf.",
      checkpointOver(log, size, { 3: log.timeMs + 1 }),
    ],
    [
      "signature",
      "cose-signature",
      "One bit of the signature is another one.",
      flipped(checkpointOver(log), -1),
    ],
  ];
  return rows.map(([fault, code, about, checkpoint]) =>
    bad(from, fault, { about, code, input: { batches: [{ leaves, checkpoint }] } }),
  );
}

/** A log that begins with whatever is given; its builder asks for a manifest, which is taken away again. */
export function beginning(first: Partial<LogManifest>): LogBuilder {
  const log = newLog();
  const { leaf } = log.leaves[0] ?? {};
  if (leaf?.kind !== "logManifest") throw new Error("a log begins with its manifest");
  log.leaves.length = 0;
  return force(log, { ...leaf, ...first });
}

function manifestFaults(): Draft[] {
  const from = caseOf("batch", batchInput(newLog()));
  const wrong: readonly (readonly [string, string, string, LogBuilder])[] = [
    [
      "manifest-network",
      "manifest-identity",
      "The manifest of another network.",
      beginning({ network: "other-grid" }),
    ],
    [
      "manifest-key",
      "manifest-identity",
      "The manifest of another key.",
      beginning({
        deviceKey: secondKey.publicKey,
      }),
    ],
    ["manifest-interval", "manifest-interval", "Intervals of 999 ms.", beginning({ intervalMs: 999 })],
    ["no-manifest", "manifest-missing", "A log that begins with something else.", withoutManifest()],
  ];
  return [
    ...wrong.map(([fault, code, about, log]) => bad(from, fault, { about, code, input: batchInput(log) })),
    refusedBatch("manifest-twice", {
      ...{ about: "A second log manifest.", code: "manifest-twice", begin: newLog },
      right: () => undefined,
      wrong: (log) => {
        const { leaf } = log.leaves[0] ?? {};
        if (leaf?.kind === "logManifest") force(log, leaf);
      },
    }),
  ];
}

/** A log that begins with a tamper leaf. */
export function withoutManifest(): LogBuilder {
  const log = newLog();
  log.leaves.length = 0;
  return force(log, { kind: "tamper", ...log.time(), input: "lid", state: 1 });
}

function orderFaults(): Draft[] {
  const begin = (): LogBuilder => readOn(meteredLog(), 0, 20);
  const next = (log: LogBuilder): unknown => read(log, 40, 1_002_000);
  const reading = (log: LogBuilder): Unplaced => {
    log.timeMs = START_MS + 40_000;
    return { kind: "reading", channel: 1, ...log.time(), importMwh: 1_002_000 };
  };
  const after = (fault: string, code: string, about: string, wrong: (log: LogBuilder) => unknown): Draft =>
    refusedBatch(fault, { about, code, begin, right: next, wrong });
  return [
    after("seq-hole", "seq", "A seq is left out.", (log) => force(log, reading(log), log.leaves.length + 1)),
    after("seq-twice", "seq", "A seq stands twice.", (log) =>
      force(log, reading(log), log.leaves.length - 1),
    ),
    after("time-backwards", "time-backwards", "A reading older than the one before it.", (log) =>
      forceReading(log, 19, 1_002_000),
    ),
    after("time-quality", "time-quality", "The clock becomes unknown without a clock step.", (log) =>
      force(log, { ...reading(log), timeQuality: 1 }),
    ),
    after("channel-unknown", "channel-unknown", "A reading of a channel without a manifest.", (log) =>
      force(log, { kind: "reading", channel: 2, ...log.time(), importMwh: 5 }),
    ),
    after("clock-step", "clock-step", "A clock step from another quality than there was.", (log) => {
      log.breakChain();
      force(log, { kind: "clockStep", ...log.time(), beforeMs: log.timeMs, beforeQuality: 4 });
    }),
    refusedBatch("gap-missing", {
      ...{ about: "A pause of more than three intervals that is not stated.", code: "gap-missing" },
      begin: () => readOn(meteredLog(), 60, 60),
      right: (log) => read(log, 240, 1_003_000),
      wrong: (log) => forceReading(log, 241, 1_003_000),
    }),
  ];
}

function registerFaults(): Draft[] {
  const begin = (): LogBuilder => readOn(meteredLog(), 0, 20);
  const right = (log: LogBuilder): unknown => read(log, 40, 1_002_000);
  const unopened = (log: LogBuilder): Unplaced => ({
    ...{ kind: "discontinuity", channel: 1, classification: 5, ...log.time() },
    ...{ gapFromMs: log.timeMs, gapToMs: log.timeMs },
  });
  return [
    refusedBatch("register-drop", {
      ...{ about: "A register that falls by 1 mWh.", code: "register-drop", begin, right },
      wrong: (log) => forceReading(log, 40, 1_000_999),
    }),
    refusedBatch("registers-mismatch", {
      ...{ about: "A register that the channel does not have.", code: "registers-mismatch", begin, right },
      wrong: (log) =>
        force(log, { kind: "reading", channel: 1, ...log.time(), importMwh: 1_002_000, exportMwh: 0 }),
    }),
    refusedBatch("discontinuity-registers", {
      ...{ about: "A discontinuity that announces another register.", code: "registers-mismatch", begin },
      right: (log) => log.discontinuity({ importMwh: 5 }, { classification: 1 }),
      wrong: (log) => {
        const { leaf } = begin().discontinuity({}, { classification: 1 });
        log.breakChain();
        if (leaf.kind === "discontinuity") force(log, { ...leaf, newExportMwh: 5 });
      },
    }),
    refusedBatch("discontinuity-first", {
      ...{ about: "A discontinuity before the first reading.", code: "discontinuity-unexpected" },
      ...{ begin: meteredLog, right: (log) => read(log, 0, 1_000_000) },
      wrong: (log) => force(log, unopened(log)),
    }),
  ];
}

function byteFaults(): Draft[] {
  const begin = (): LogBuilder => readOn(meteredLog(), 0, 0);
  const right = (log: LogBuilder): unknown => read(log, 20, 1_001_000);
  const bytes = (fault: string, code: string, about: string, wrong: Uint8Array): Draft =>
    refusedBatch(fault, { about, code, begin, right, wrong: (log) => forceBytes(log, wrong) });
  const common = [
    [1, 3],
    [2, START_MS],
    [3, 3],
  ] as const;
  const salt = someHash("salt").slice(0, 16);
  return [
    bytes(
      "leaf-truncated",
      "cbor-truncated",
      "The last leaf is cut short.",
      encodeCbor(new Map<number, number | Uint8Array>([...common, [4, 1], [15, salt]])).slice(0, -1),
    ),
    bytes("leaf-field", "field", "A leaf without salt.", encodeCbor(new Map([...common, [4, 1]]))),
  ];
}
