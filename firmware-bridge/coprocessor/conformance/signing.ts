import { equalBytes, toHex } from "../../../attest/bytes.ts";
import { OBJECT_TYPES } from "../../../attest/cose.ts";
import { describeProblem, Problem } from "../../../attest/problem.ts";
import { type Checklist, type Fault, Skipped } from "../../../drivers/kit/checklist.ts";
import type { SmpConnection } from "../../smp/connection.ts";
import { MOST_MESSAGE_BYTES } from "../protocol.ts";
import { type CoprocessorKey, readKey } from "../signing.ts";
import { type CoprocessorSnapshot, readSnapshot } from "../snapshot.ts";
import { AskedKey, answered, type SigningSettings } from "./asked-key.ts";
import { notTried } from "./checks.ts";
import { checkPieces } from "./pieces.ts";
import {
  DEVICE_TYPES,
  forbiddenMessages,
  neighbours,
  PAYLOAD_BYTES,
  spoiltMessages,
  statement,
} from "./statement.ts";

/** Within which a signature has to be made and verified (docs/coprocessor-protocol.md, "Times"). */
const WITHIN_MS = 1_000;

/** The checks of the commands `key` and `sign`; without one good signature there is no more to be seen. */
export async function checkSigning(
  connection: SmpConnection,
  list: Checklist,
  settings: SigningSettings,
): Promise<CoprocessorKey | undefined> {
  const { suite } = settings;
  let found: CoprocessorKey | undefined;
  await list.run("key: an Ed25519 key of prime order", async () => {
    found = await keyOrSkip(connection);
    return suite.checkPublicKey(found.publicKey) ? undefined : `not such a key: ${toHex(found.publicKey)}`;
  });
  if (found === undefined) {
    // Without the command it only meters, and nothing is left out.
    if (list.results.at(-1)?.outcome === "failed") await notTried(list, "sign", "key");
    return undefined;
  }
  const asked = new AskedKey(connection, found, settings);
  if (!(await checkSigned(asked, list))) {
    await notTried(list, "everything else of sign", "one good signature");
    return found;
  }
  await checkRefused(asked, list);
  await checkPieces(asked, list);
  await list.run("sign: its errors have the form of the request's version", () => asked.oldForm);
  await checkUse(asked, list);
  return found;
}

async function keyOrSkip(connection: SmpConnection): Promise<CoprocessorKey> {
  try {
    return await readKey(connection);
  } catch (error) {
    if (error instanceof Problem && error.code === "smp-not-supported")
      throw new Skipped("it does not know the command: it only meters");
    throw error;
  }
}

/** What has to be signed; false where nothing is. */
async function checkSigned(asked: AskedKey, list: Checklist): Promise<boolean> {
  const { publicKey } = asked.key;
  let good = 0;
  for (const type of DEVICE_TYPES) {
    const name = OBJECT_TYPES[type];
    const passed = await list.run(`sign: a ${name}`, () => asked.signs(statement(name, publicKey)));
    if (passed) good += 1;
    else if (good === 0) return false;
  }
  await list.run("sign: a checkpoint of any log", () =>
    asked.signs(statement(OBJECT_TYPES.checkpoint, new Uint8Array(32).fill(0xff))),
  );
  await list.run(`sign: payloads of ${PAYLOAD_BYTES.join(", ")} bytes`, () =>
    firstFault(PAYLOAD_BYTES, async (bytes) =>
      during(`${bytes} bytes`, () => asked.signs(statement(OBJECT_TYPES.hello, publicKey, bytes))),
    ),
  );
  await list.run("sign: the longest message that it says it takes", () => longest(asked));
  await list.run("sign: one message twice, one signature", () => twice(asked));
  await list.run("sign: no two messages with one nonce", () => nonces(asked));
  return true;
}

function longest(asked: AskedKey): Promise<Fault> {
  const { publicKey, maxMessageBytes } = asked.key;
  // The length of a payload takes two bytes more in a long message than in one of 64 bytes.
  const short = statement(OBJECT_TYPES.hello, publicKey, 256);
  const payloadBytes = 256 + maxMessageBytes - short.length;
  return asked.signs(statement(OBJECT_TYPES.hello, publicKey, payloadBytes));
}

async function twice(asked: AskedKey): Promise<Fault> {
  const message = statement(OBJECT_TYPES.hello, asked.key.publicKey, 100);
  const [one, other] = [await asked.sign(message), await asked.sign(message)];
  if (equalBytes(one.signature, other.signature)) return undefined;
  return "two: random numbers are in them (RFC 8032, 5.1.6)";
}

async function nonces(asked: AskedKey): Promise<Fault> {
  const fault = await firstFault(neighbours(asked.key.publicKey), (message) => asked.signs(message));
  if (asked.sharedNonce === undefined) return fault;
  return `two signatures over different messages begin with ${asked.sharedNonce}: from both anybody computes the key; r has to be of the secret prefix and of the whole message (RFC 8032, 5.1.6)`;
}

/** What must not be signed. */
async function checkRefused(asked: AskedKey, list: Checklist): Promise<void> {
  let signedAll = true;
  const notSigned = (message: Uint8Array): Promise<Fault> =>
    asked.refused("coprocessor-not-signable", () => asked.sign(message));
  for (const { what, message } of forbiddenMessages(asked.key.publicKey))
    if (await list.run(`sign: refuses ${what}`, () => notSigned(message))) signedAll = false;
  await list.run("sign: refuses a hello with any one of its fixed bytes wrong", () => {
    if (signedAll) throw new Skipped("it refuses nothing");
    return firstFault(spoiltMessages(asked.key.publicKey), ({ at, message }) =>
      during(`byte ${at} is ${message[at]?.toString(16).padStart(2, "0")}`, () => notSigned(message)),
    );
  });
  await list.run("sign: refuses a message longer than its max", () => tooLong(asked));
  await list.run("sign: refuses a piece of another form", () =>
    asked.refused("coprocessor-unknown", () => asked.piece({ len: 64, off: 0, data: "text" })),
  );
  await list.run("sign: a piece without its beginning is answered with off 0", async () => {
    // Behind a refusal nothing is there.
    const { off } = await asked.piece({ off: 16, data: new Uint8Array(16) });
    return off === 0 ? undefined : `expected off 0, got ${off}`;
  });
}

async function tooLong(asked: AskedKey): Promise<Fault> {
  const { maxMessageBytes } = asked.key;
  if (maxMessageBytes === MOST_MESSAGE_BYTES) throw new Skipped("it takes the longest that there is");
  return asked.refused("coprocessor-too-long", () =>
    asked.piece({ len: maxMessageBytes + 1, off: 0, data: new Uint8Array(16) }),
  );
}

/** What it says of its own use, and how long it took. */
async function checkUse(asked: AskedKey, list: Checklist): Promise<void> {
  await list.run("key: its boot is that of sign and of snapshots", () =>
    answered("a signature", () => oneStart(asked)),
  );
  await list.run("key: counts every signature, and no refusal", () => counted(asked));
  await checkPace(asked.tookMs, list);
}

/**
 * How long signatures took: told, and a warning where that is long.
 *
 * @param tookMs from the last piece to its signature, each
 */
export async function checkPace(tookMs: readonly number[], list: Checklist): Promise<void> {
  const medianMs = Math.round(median(tookMs));
  await list.run(`sign: within a second (median ${medianMs} ms of ${tookMs.length})`, () => {
    if (medianMs <= WITHIN_MS) return undefined;
    throw new Skipped(
      `a warning, no failure: expected at most ${WITHIN_MS} ms from the last piece to its signature; a node waits 10 s for a device's hello, and nothing is read meanwhile`,
    );
  });
}

async function oneStart(asked: AskedKey): Promise<Fault> {
  const { connection } = asked;
  const before = await readKey(connection);
  const signed = await asked.sign(statement(OBJECT_TYPES.hello, asked.key.publicKey));
  const snapshot = await snapshotIfAny(connection);
  const after = await readKey(connection);
  if (before.boot !== after.boot) return `it started anew meanwhile: start ${before.boot}, now ${after.boot}`;
  if (signed.boot !== before.boot) return `boot is ${before.boot} with key, and ${signed.boot} with sign`;
  if (snapshot === undefined || snapshot.boot === before.boot) return undefined;
  return `boot is ${before.boot} with key, and ${snapshot.boot} in a snapshot`;
}

/** Whether there is one, and what it says, is asked elsewhere. */
async function snapshotIfAny(connection: SmpConnection): Promise<CoprocessorSnapshot | undefined> {
  try {
    return (await readSnapshot(connection)).snapshot;
  } catch (error) {
    if (error instanceof Problem && !error.code.startsWith("line-")) return undefined;
    throw error;
  }
}

async function counted({ connection, key, signatures: made }: AskedKey): Promise<Fault> {
  const { boot, signatures } = await readKey(connection);
  if (boot !== key.boot) return `it started anew meanwhile: start ${key.boot}, now ${boot}`;
  const expected = key.signatures + made;
  if (signatures === expected) return undefined;
  const others = signatures > expected ? "; does another program have something signed meanwhile?" : "";
  return `expected n ${expected}, got ${signatures}${others}`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

async function firstFault<T>(all: readonly T[], check: (one: T) => Promise<Fault>): Promise<Fault> {
  for (const one of all) {
    const fault = await check(one);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** What is wrong or thrown, with what it was about. */
async function during(what: string, check: () => Promise<Fault>): Promise<Fault> {
  const fault = await check().catch((error: unknown) => describeProblem(error).message);
  return fault === undefined ? undefined : `${what}: ${fault}`;
}
