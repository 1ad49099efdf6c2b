import { OBJECT_TYPES, type ObjectType, openObject, parseObject, signObject } from "../cose.ts";
import { type Field, may, must, type RecordCodec, recordCodec } from "../field.ts";
import { BOUNDARY, DIRECTION } from "../leaf-flexibility.ts";
import { Problem } from "../problem.ts";
import type { Signer } from "../signature.ts";
import type { Suite } from "../suite.ts";
import { decodeTerms } from "./terms.ts";

/** What every order says: to which log it goes, its own id, and from when until when it may be taken up. */
export interface OrderCommon {
  /** Of the device's log in its present epoch: network, key and epoch. */
  readonly logId: Uint8Array;
  /** 16 random bytes; a device takes an order up once. */
  readonly objectId: Uint8Array;
  /** Number of the channel in that log. */
  readonly channel: number;
  /** The node's clock, ms since 1970 UTC. */
  readonly issuedAtMs: number;
  /** After this nothing begins to follow from it. */
  readonly expiresMs: number;
}

/** The counterparty's word that is bound when the device seals it: notice runs from `issuedAtMs`. */
export interface CommitmentOrder extends OrderCommon {
  /** A number of BOUNDARY. */
  readonly boundary: number;
  readonly fromMs: number;
  readonly intervalMs: number;
  /** Per interval from `fromMs` on, against the baseline; - is less import. */
  readonly deltaMwh: readonly number[];
  /** What {@link encodeTerms} gives. */
  readonly terms: Uint8Array;
  readonly offerSeq?: number;
}

/** An order to keep to one value over [fromMs, toMs), or to end one that was given before. */
export interface DispatchOrder extends OrderCommon {
  /** `objectId` of the commitment that is called. */
  readonly commitmentId?: Uint8Array;
  readonly fromMs: number;
  readonly toMs: number;
  /** As in an actuation leaf: 1 power setpoint, 2 import limit, 3 export limit (mW). Absent: only withdraws. */
  readonly command?: number;
  /** + into the channel's boundary. */
  readonly value?: number;
  readonly rampMwPerSecond?: number;
  /** `objectId` of the dispatch that this one ends or takes the place of. */
  readonly withdraws?: Uint8Array;
}

/** An unannounced request to follow a pattern of steps that nobody could know before: docs/flexibility.md, "Challenges". */
export interface ChallengeOrder extends OrderCommon {
  /** The meter that the device should be behind; absent: only the device's own. */
  readonly siteChannel?: number;
  readonly nonce: Uint8Array;
  /** The first step begins with the acknowledgement, and no later than this. */
  readonly startByMs: number;
  readonly stepMs: number;
  readonly steps: number;
  /** Each step is mid + or - half a swing, mW, + into the channel's boundary. */
  readonly midMw: number;
  readonly halfSwingMw: number;
}

/** A node's word on every dispatch that it has given under a commitment. */
export interface DispatchList {
  readonly logId: Uint8Array;
  readonly commitmentId: Uint8Array;
  /** SHA-256 of each dispatch's whole object, in the order of their issue, back to back; empty: none was given. */
  readonly digests: Uint8Array;
  readonly issuedAtMs: number;
}

const COMMON: Readonly<Record<keyof OrderCommon, Field>> = {
  logId: must(1, "bytes32"),
  objectId: must(2, "bytes16"),
  channel: must(3, "uint"),
  issuedAtMs: must(4, "uint"),
  expiresMs: must(5, "uint"),
};
/** The fields of the payloads, by property name. */
export const COMMITMENT_FIELDS: Readonly<Record<keyof CommitmentOrder, Field>> = {
  ...COMMON,
  boundary: must(6, "uint"),
  fromMs: must(7, "uint"),
  intervalMs: must(8, "uint"),
  deltaMwh: must(9, "dayOfInts"),
  terms: must(10, "bytes"),
  offerSeq: may(11, "uint"),
};
export const DISPATCH_FIELDS: Readonly<Record<keyof DispatchOrder, Field>> = {
  ...COMMON,
  commitmentId: may(6, "bytes16"),
  fromMs: must(7, "uint"),
  toMs: must(8, "uint"),
  command: may(9, "uint"),
  value: may(10, "int"),
  rampMwPerSecond: may(11, "uint"),
  withdraws: may(12, "bytes16"),
};
export const CHALLENGE_FIELDS: Readonly<Record<keyof ChallengeOrder, Field>> = {
  ...COMMON,
  siteChannel: may(6, "uint"),
  nonce: must(7, "bytes32"),
  startByMs: must(8, "uint"),
  stepMs: must(9, "uint"),
  steps: must(10, "uint"),
  midMw: must(11, "int"),
  halfSwingMw: must(12, "uint"),
};
export const DISPATCH_LIST_FIELDS: Readonly<Record<keyof DispatchList, Field>> = {
  logId: must(1, "bytes32"),
  commitmentId: must(2, "bytes16"),
  digests: must(3, "bytes"),
  issuedAtMs: must(4, "uint"),
};

/** A dispatch is never longer than a day, nor is a challenge good for longer. */
const LONGEST_MS = 86_400_000;
const SHORTEST_INTERVAL_MS = 1000;
/** The pattern has C(steps, steps / 2) forms: 3432 at 14, the first that can be told from chance, 2,704,156 at 24. */
export const LEAST_STEPS = 14;
export const MOST_STEPS = 24;
const LEAST_STEP_MS = 1000;
const LONGEST_CHALLENGE_MS = 900_000;
const DIGEST_BYTES = 32;

interface Kind<T> {
  readonly type: ObjectType;
  readonly codec: RecordCodec<T>;
  readonly check: (order: T) => void;
}

const commitments: Kind<CommitmentOrder> = {
  type: "commitment",
  codec: recordCodec<CommitmentOrder>("commitment", COMMITMENT_FIELDS),
  check: checkCommitment,
};
const dispatches: Kind<DispatchOrder> = {
  type: "dispatch",
  codec: recordCodec<DispatchOrder>("dispatch", DISPATCH_FIELDS),
  check: checkDispatch,
};
const challenges: Kind<ChallengeOrder> = {
  type: "challenge",
  codec: recordCodec<ChallengeOrder>("challenge", CHALLENGE_FIELDS),
  check: checkChallenge,
};
const lists: Kind<DispatchList> = {
  type: "dispatchList",
  codec: recordCodec<DispatchList>("dispatch list", DISPATCH_LIST_FIELDS),
  check: checkList,
};

/** Signs a commitment as COSE_Sign1 with kid = node key. Throws what {@link openCommitment} would refuse. */
export async function signCommitment(signer: Signer, order: CommitmentOrder): Promise<Uint8Array> {
  return sign(commitments, signer, order);
}

export async function signDispatch(signer: Signer, order: DispatchOrder): Promise<Uint8Array> {
  return sign(dispatches, signer, order);
}

export async function signChallenge(signer: Signer, order: ChallengeOrder): Promise<Uint8Array> {
  return sign(challenges, signer, order);
}

export async function signDispatchList(signer: Signer, list: DispatchList): Promise<Uint8Array> {
  return sign(lists, signer, list);
}

/** Verifies an object under `nodeKey`, whole. Throws `cose-…`, `field`, `unknown-key` or `order-…`. */
export function openCommitment(suite: Suite, bytes: Uint8Array, nodeKey: Uint8Array): CommitmentOrder {
  return open(commitments, suite, { bytes, nodeKey });
}

export function openDispatch(suite: Suite, bytes: Uint8Array, nodeKey: Uint8Array): DispatchOrder {
  return open(dispatches, suite, { bytes, nodeKey });
}

export function openChallenge(suite: Suite, bytes: Uint8Array, nodeKey: Uint8Array): ChallengeOrder {
  return open(challenges, suite, { bytes, nodeKey });
}

export function openDispatchList(suite: Suite, bytes: Uint8Array, nodeKey: Uint8Array): DispatchList {
  return open(lists, suite, { bytes, nodeKey });
}

/** An order of whatever kind, verified. */
export type AnyOrder =
  | { readonly kind: "commitment"; readonly order: CommitmentOrder }
  | { readonly kind: "dispatch"; readonly order: DispatchOrder }
  | { readonly kind: "challenge"; readonly order: ChallengeOrder };

/** As the others, for an order whose kind is not known before. Throws `order-kind` for another object. */
export function openOrder(suite: Suite, bytes: Uint8Array, nodeKey: Uint8Array): AnyOrder {
  const kind = orderKind(bytes);
  switch (kind) {
    case "commitment":
      return { kind, order: openCommitment(suite, bytes, nodeKey) };
    case "dispatch":
      return { kind, order: openDispatch(suite, bytes, nodeKey) };
    case "challenge":
      return { kind, order: openChallenge(suite, bytes, nodeKey) };
  }
}

/** What kind of order an object is, before anything is verified. Throws `cose-…` or `order-kind`. */
export function orderKind(bytes: Uint8Array): AnyOrder["kind"] {
  const object = parseObject(bytes);
  for (const kind of ["commitment", "dispatch", "challenge"] as const)
    if (object.type === OBJECT_TYPES[kind]) return kind;
  throw new Problem("order-kind", "the object is no order", {
    expected: "a commitment, a dispatch or a challenge",
    got: object.type.slice(0, 64),
  });
}

async function sign<T>({ type, codec, check }: Kind<T>, signer: Signer, value: T): Promise<Uint8Array> {
  check(value);
  return signObject(signer, { type, kid: signer.publicKey, payload: codec.toMap(value) });
}

function open<T>(
  { type, codec, check }: Kind<T>,
  suite: Suite,
  { bytes, nodeKey }: { readonly bytes: Uint8Array; readonly nodeKey: Uint8Array },
): T {
  const value = codec.fromMap(openObject(suite, bytes, { type, key: nodeKey }));
  check(value);
  return value;
}

function checkCommitment(order: CommitmentOrder): void {
  const { boundary, fromMs, intervalMs, deltaMwh, issuedAtMs, expiresMs } = order;
  const { direction, noticeMs } = decodeTerms(order.terms);
  if (boundary !== BOUNDARY.device && boundary !== BOUNDARY.site)
    throw wrong("boundary", "1 or 2", String(boundary));
  if (intervalMs < SHORTEST_INTERVAL_MS || fromMs % intervalMs !== 0)
    throw wrong(
      "interval",
      "a beginning at a multiple of the interval's length",
      `${fromMs} by ${intervalMs}`,
    );
  const sign = direction === DIRECTION.reduce ? -1 : 1;
  if (deltaMwh.some((delta) => delta * sign <= 0))
    throw wrong("delta", `${sign < 0 ? "below" : "above"} 0 in every interval`, deltaMwh.join(", "));
  if (issuedAtMs < expiresMs && expiresMs <= fromMs - noticeMs) return;
  throw wrong(
    "times",
    "issued before it expires, and expired no later than notice before the begin",
    `issued ${issuedAtMs}, expires ${expiresMs}, begins ${fromMs}, notice ${noticeMs} ms`,
  );
}

function checkDispatch(order: DispatchOrder): void {
  const { fromMs, toMs, command, value, withdraws, issuedAtMs, expiresMs } = order;
  if ((command === undefined) !== (value === undefined) || (command === undefined && withdraws === undefined))
    throw wrong("command", "a command with its value, or a dispatch that is withdrawn", "neither");
  if (command !== undefined && (command < 1 || command > 3))
    throw wrong("command", "1, 2 or 3", String(command));
  if (command !== 1 && (value ?? 0) < 0) throw wrong("value", "a limit of 0 or more", String(value));
  const isInOrder =
    fromMs < toMs && toMs - fromMs <= LONGEST_MS && issuedAtMs < expiresMs && expiresMs <= toMs;
  if (isInOrder) return;
  throw wrong(
    "times",
    "a window of at most a day, and an expiry after the issue and no later than the window's end",
    `${fromMs} to ${toMs}, issued ${issuedAtMs}, expires ${expiresMs}`,
  );
}

function checkChallenge(order: ChallengeOrder): void {
  const { steps, stepMs, halfSwingMw, startByMs, issuedAtMs, expiresMs } = order;
  if (steps < LEAST_STEPS || steps > MOST_STEPS || steps % 2 !== 0)
    throw wrong("steps", `an even number from ${LEAST_STEPS} to ${MOST_STEPS}`, String(steps));
  if (stepMs < LEAST_STEP_MS || steps * stepMs > LONGEST_CHALLENGE_MS)
    throw wrong(
      "length",
      `steps of ${LEAST_STEP_MS} ms or more, all of them within ${LONGEST_CHALLENGE_MS} ms`,
      `${steps} of ${stepMs} ms`,
    );
  if (halfSwingMw === 0) throw wrong("swing", "more than 0 mW", "0");
  if (issuedAtMs < startByMs && startByMs <= expiresMs && expiresMs - issuedAtMs <= LONGEST_MS) return;
  throw wrong(
    "times",
    "a start after the issue, and an expiry no earlier than that and within a day",
    `issued ${issuedAtMs}, starts by ${startByMs}, expires ${expiresMs}`,
  );
}

function checkList({ digests }: DispatchList): void {
  if (digests.length % DIGEST_BYTES !== 0)
    throw wrong("digests", `a multiple of ${DIGEST_BYTES} bytes`, String(digests.length));
}

function wrong(where: string, expected: string, got: string): Problem {
  return new Problem("order-field", "an order asks for what cannot be", { where, expected, got });
}
