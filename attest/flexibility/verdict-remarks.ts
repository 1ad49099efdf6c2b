import { equalBytes, toHex } from "../bytes.ts";
import { sameMeter } from "../channel-rules.ts";
import { isoTime } from "../iso-time.ts";
import type { ChannelManifest } from "../leaf.ts";
import type { Settlement } from "../leaf-flexibility.ts";
import type { Standing } from "../verdict.ts";
import { CLOCK_TOLERANCE_MS } from "../verdict-bounds.ts";
import { endOf } from "./proof-evidence.ts";
import type { ShownLife } from "./proof-life.ts";
import type { ProvenSettlement } from "./proof-verify.ts";
import { type SettlementBody, settlementBody } from "./settle.ts";
import type { Remark } from "./settle-types.ts";
import { digestsOf } from "./verdict-data.ts";

/** The device's own account against what was computed: what differs stands here with both. */
export interface AccountVerdict {
  readonly seq: number;
  readonly agrees: boolean;
  readonly differences: readonly {
    readonly field: string;
    readonly device?: string | number | readonly number[];
    readonly computed?: string | number | readonly number[];
  }[];
}

/** Who stands behind a settlement, as far as it decides whether it counts. */
export interface Backing {
  readonly receiptedAtMs: number | undefined;
  readonly standing: Standing;
  /** Whether the counterparty's key is one that is trusted. */
  readonly trusted: boolean;
}

const LIST_MISSING: Remark = {
  code: "dispatch-list-missing",
  message: "the node's list of dispatches is not shown: there may be some that the log does not hold",
};

/** Why a settlement does not count; empty where it does. */
export function faultsOf(
  { life, settled }: ProvenSettlement,
  { receiptedAtMs, standing, trusted }: Backing,
): Remark[] {
  const dueByMs = life.commitment.fromMs - life.terms.noticeMs;
  const hidden = hiddenIn(life);
  const faults: (Remark | false)[] = [
    !trusted &&
      fault(
        "counterparty-untrusted",
        `the commitment is by a key that you do not trust: ${toHex(life.nodeKey)}`,
      ),
    receiptedAtMs === undefined &&
      fault("commitment-unreceipted", "no node that you trust has a receipt over the commitment"),
    receiptedAtMs !== undefined &&
      receiptedAtMs > dueByMs &&
      fault(
        "commitment-late",
        `a node that you trust had the commitment at ${isoTime(receiptedAtMs)}; it was due by ${isoTime(dueByMs)}`,
      ),
    standing === "device-asserted" &&
      fault(
        "settlement-unreceipted",
        "no node that you trust has a receipt over what was metered and answered",
      ),
    ...unlistedFaults(life, settled),
    hidden.length > 0 &&
      fault(
        "dispatch-hidden",
        `the node's list names ${hidden.length} dispatches that the file does not show: ${hidden.map(toHex).join(", ")}`,
      ),
  ];
  return faults.filter((each) => each !== false);
}

/** A device that says of an interval that nobody asked for it must show that none did, until it was over. */
function unlistedFaults(
  { commitment, list }: ShownLife,
  { called, intervals }: ProvenSettlement["settled"],
): Remark[] {
  const isWhole = called && intervals.every((each) => each.called);
  if (isWhole) return [];
  if (list === undefined) return [LIST_MISSING];
  return list.issuedAtMs < endOf(commitment) ? [listEarly(list.issuedAtMs)] : [];
}

function listEarly(issuedAtMs: number): Remark {
  const message = `the node's list is of ${isoTime(issuedAtMs)}, before the end of the event`;
  return fault("dispatch-list-early", message);
}

/** What the list names and the log does not show. */
function hiddenIn({ dispatches, list }: ShownLife): Uint8Array[] {
  const listed = list === undefined ? [] : digestsOf(list.digests);
  return listed.filter((digest) => !dispatches.some((shown) => equalBytes(shown.digest, digest)));
}

/** What does not decide; one of each code and sentence. */
export function remarksOf(proven: ProvenSettlement, account: AccountVerdict | undefined): Remark[] {
  const { life, settled } = proven;
  const all = [
    ...settled.remarks,
    ...listRemarks(life),
    ...answerRemarks(life),
    ...takenLate(life),
    ...gapRemarks(proven),
    ...historyRemarks(proven),
    ...accountRemarks(proven, account),
  ];
  const known = new Set<string>();
  return all.filter(({ code, message }) => {
    const isNew = !known.has(`${code} ${message}`);
    known.add(`${code} ${message}`);
    return isNew;
  });
}

function listRemarks({ commitment, dispatches, list }: ShownLife): Remark[] {
  if (list === undefined) return [LIST_MISSING];
  const listed = digestsOf(list.digests);
  const unlisted = dispatches.filter(({ digest }) => !listed.some((known) => equalBytes(known, digest)));
  const isEarly = list.issuedAtMs < endOf(commitment);
  return [
    ...unlisted.map(({ leaf }) =>
      fault("dispatch-unlisted", `the dispatch in leaf ${leaf.seq} is not on the node's list`),
    ),
    ...(isEarly ? [listEarly(list.issuedAtMs)] : []),
  ];
}

function answerRemarks({ dispatches, acknowledgements }: ShownLife): Remark[] {
  const unanswered = dispatches.filter(
    ({ leaf, order }) =>
      !acknowledgements.some(({ orderSeq, timeMs }) => orderSeq === leaf.seq && timeMs <= order.toMs),
  );
  return unanswered.map(({ leaf }) =>
    fault("acknowledgement-missing", `nothing answers the dispatch in leaf ${leaf.seq} within its window`),
  );
}

/** Which of the two clocks, or of the two sides, is behind this cannot be told from the file. */
function takenLate({ dispatches }: ShownLife): Remark[] {
  const late = dispatches.filter(({ leaf, order }) => leaf.timeMs > order.issuedAtMs + CLOCK_TOLERANCE_MS);
  return late.map(({ leaf, order: { issuedAtMs } }) =>
    fault(
      "dispatch-taken-late",
      `the dispatch in leaf ${leaf.seq} was issued ${isoTime(issuedAtMs)}, by the node's word, and taken ${isoTime(leaf.timeMs)}, by the device's`,
    ),
  );
}

function gapRemarks({ settled }: ProvenSettlement): Remark[] {
  const missing = settled.intervals.filter((interval) => interval.missing !== undefined);
  const [first] = missing;
  if (first === undefined) return [];
  const since = missing.filter((interval) => interval.missing === "gap-before-notice").length;
  return [
    fault(
      "interval-gap",
      `${missing.length} of ${settled.intervals.length} intervals have no energy, the first of them ${isoTime(first.startMs)}; ${since} were dark since before the notice`,
    ),
  ];
}

/** Over all that is shown, the days of the baseline included. */
function historyRemarks({ manifests, closes, life }: ProvenSettlement): Remark[] {
  const meters: ChannelManifest[] = [];
  for (const manifest of manifests.values())
    if (!meters.some((known) => sameMeter(known, manifest))) meters.push(manifest);
  const since = closes.filter(({ seq }) => seq > life.commitment.seq);
  const steps = new Set(since.map(({ lastClockStepSeq }) => lastClockStepSeq));
  return [
    ...(meters.length > 1
      ? [
          fault(
            "meter-differs",
            `${meters.length} meters, or settings of one, were read between the first day shown and the end`,
          ),
        ]
      : []),
    ...(steps.size > 1
      ? [fault("clock-set", "the device's clock was set between the commitment and the end")]
      : []),
  ];
}

function accountRemarks({ settled }: ProvenSettlement, account: AccountVerdict | undefined): Remark[] {
  if (account === undefined)
    return settled.called ? [fault("account-missing", "the device's own settlement is not shown")] : [];
  if (account.agrees) return [];
  const fields = account.differences.map(({ field }) => field).join(", ");
  return [
    fault(
      "settlement-differs",
      `the device's own settlement in leaf ${account.seq} says otherwise of: ${fields}`,
    ),
  ];
}

/** The fields of an account that are compared, in the order of their keys. */
const COMPARED: readonly (keyof SettlementBody)[] = [
  ...([
    "baselineMethod",
    "usedDays",
    "excludedDays",
    "exclusionReasons",
    "baselineMwh",
    "actualMwh",
  ] as const),
  ...(["deliveredMwh", "shortfallMwh", "reboundMwh", "completenessPpm", "result"] as const),
];

export function accountOf({ life, settled }: ProvenSettlement): AccountVerdict | undefined {
  const { account, commitment } = life;
  if (account === undefined) return undefined;
  const own: Partial<Settlement> = account;
  const computed: Partial<SettlementBody> = settled.called
    ? settlementBody(settled, { channel: commitment.channel, commitmentSeq: commitment.seq })
    : {};
  const differences = COMPARED.filter((field) => String(own[field]) !== String(computed[field])).map(
    (field) => ({
      field,
      ...(own[field] !== undefined && { device: own[field] }),
      ...(computed[field] !== undefined && { computed: computed[field] }),
    }),
  );
  return { seq: account.seq, agrees: differences.length === 0, differences };
}

function fault(code: string, message: string): Remark {
  return { code, message };
}
