import { existsSync } from "node:fs";
import { toHex } from "../../attest/bytes.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import type { Signer } from "../../attest/signature.ts";
import { type LineAddress, lineName } from "../../drivers/line/address.ts";
import { type CoprocessorLines, coprocessorLines } from "../../firmware-bridge/coprocessor/lines.ts";
import {
  CoprocessorSigner,
  type CoprocessorSignerOptions,
} from "../../firmware-bridge/coprocessor/signer.ts";
import { LateSigner } from "../../firmware-bridge/signer/late-signer.ts";
import {
  createRemoteKey,
  hasKeyFile,
  loadOrCreateKey,
  type RemoteKeyFile,
  readDeviceKey,
} from "../../runtime/key-file.ts";
import type { AgentConfig } from "../config/config.ts";

/** The key that a device is, opened. */
export interface DeviceKey {
  readonly signer: Signer;
  /** Of the device's salts, 32 bytes. */
  readonly saltKey: Uint8Array;
  /** 0: in the key file; 2: cannot leave its chip (docs/coprocessor-protocol.md). */
  readonly assuranceTier: number;
  /** Where the seed is, when it is not in the key file. */
  readonly elsewhere?: string;
  /** The key file was made just now. */
  readonly created: boolean;
  /** Why nothing can be signed at the moment; it is tried again with each signature. */
  readonly problem?: Problem;
  /** Has everything told to `listener` that has to be said and stops nothing. The listener before hears no more. */
  listen(listener: (problem: Problem) => void): void;
  /** Gives the line back, where there is one. */
  close(): Promise<void>;
}

/** What says where the key of a device is; with the journal, no new key is made for a log that is there already. */
export type KeyPlace = Pick<AgentConfig, "key" | "signer"> & Partial<Pick<AgentConfig, "journal">>;

/** Other lines and waits than those of the field. */
export interface KeyTerms {
  readonly lines?: CoprocessorLines;
  /** For one signature, waiting for the line included. */
  readonly signatureMs?: number;
  /** For the first look at the key. */
  readonly lookMs?: number;
}

const TIER_KEY_IN_FILE = 0;
const TIER_COPROCESSOR = 2;
const FIELD: Required<KeyTerms> = {
  lines: coprocessorLines,
  // Less than the 10 s within which a node wants a device's hello, so that what is late is said to be the signer.
  signatureMs: 8000,
  // Where the key is known already nobody waits for longer: the meters are to be read.
  lookMs: 5000,
};

/**
 * The key as the configuration has it. With a signer elsewhere the key file says which key it is, and is made with the key
 * that is found at the first start; from then on the signer need not be there, and no other one is taken.
 *
 * @throws Problem `key-…` of the key file; `signer-key-file` where the file and the configuration do not agree;
 *   `signer-key-changed`, `signer-key`; where the key is not known yet everything that a signer throws
 */
export async function openDeviceKey(place: KeyPlace, terms: KeyTerms = {}): Promise<DeviceKey> {
  const { key, signer } = place;
  if (signer === undefined) return fileDeviceKey(place);
  requireKeyOfLog(place);
  const at = { ...FIELD, ...terms, address: signer.coprocessor };
  return hasKeyFile(key) ? await knownKey(key, at) : await firstKey(key, at);
}

/** The key in the key file, which is made where there is neither it nor a log. Throws `key-…`, `signer-key-file`. */
export function fileDeviceKey(place: KeyPlace): DeviceKey {
  if (place.signer !== undefined) throw new Error("a signer is opened by openDeviceKey");
  requireSeed(place.key);
  requireKeyOfLog(place);
  const { key, created } = loadOrCreateKey(place.key);
  return {
    ...{ signer: nativeSigner(key.seed), saltKey: key.saltKey, created },
    assuranceTier: TIER_KEY_IN_FILE,
    listen: () => undefined,
    close: () => Promise.resolve(),
  };
}

/**
 * Asks the configured signer for its key and does nothing else; undefined where the key belongs into the key file.
 *
 * @throws Problem `signer-…`, `coprocessor-line-conflict`
 */
export async function askForKey(
  { signer }: Pick<KeyPlace, "signer">,
  terms: KeyTerms = {},
): Promise<Uint8Array | undefined> {
  if (signer === undefined) return undefined;
  return await askedKey({ ...FIELD, ...terms, address: signer.coprocessor });
}

interface At extends Required<KeyTerms> {
  readonly address: LineAddress;
}

type More = Pick<CoprocessorSignerOptions, "publicKey" | "onNotice">;

async function openCoprocessor(at: At, more: More = {}): Promise<CoprocessorSigner> {
  const line = at.lines.lease(at.address);
  const deadlines = { deadlineMs: at.signatureMs, openDeadlineMs: at.lookMs };
  return await CoprocessorSigner.open({ line, suite: nativeSuite, ...deadlines, ...more });
}

async function askedKey(at: At): Promise<Uint8Array> {
  const opened = await openCoprocessor(at);
  await opened.close();
  return opened.publicKey;
}

/** Nobody knows the key yet: without the coprocessor there is no device. */
async function firstKey(path: string, at: At): Promise<DeviceKey> {
  const key = createRemoteKey(path, await foundKey(at));
  return remoteKey(key, at, { created: true });
}

async function foundKey(at: At): Promise<Uint8Array> {
  try {
    return await askedKey(at);
  } catch (error) {
    if (!(error instanceof Problem) || error.code === "coprocessor-line-conflict") throw error;
    const { where = lineName(at.address), expected, got } = error.detail;
    throw new Problem(
      error.code,
      "the coprocessor's key cannot be had, and without it there is no device yet",
      {
        where,
        ...(expected === undefined ? {} : { expected }),
        got: got ?? error.message,
        hint: "the first start needs the coprocessor, later ones do not: check its line and that its firmware signs",
        cause: error,
      },
    );
  }
}

async function knownKey(path: string, at: At): Promise<DeviceKey> {
  const file = readDeviceKey(path);
  if (!("seed" in file)) return await remoteKey(file, at, { created: false });
  throw new Problem(
    "signer-key-file",
    "the key file holds a key, and the configuration has another one sign",
    {
      where: path,
      expected: 'a key file with the line "remote …", or none',
      got: `the key ${toHex(nativeSigner(file.seed).publicKey)} itself`,
      hint: "take signer out of the configuration; a key in a coprocessor is another device, with a key file and a journal of its own (docs/backup.md)",
    },
  );
}

/** A new key beside an old log would be another device, and stand in the way of the right one. */
function requireKeyOfLog({ key, journal }: KeyPlace): void {
  if (journal === undefined || hasKeyFile(key) || !existsSync(journal)) return;
  throw new Problem("key-missing", "there is a log, and the key file that it belongs to is gone", {
    where: key,
    expected: `the key file of the log in ${journal}`,
    got: "no file",
    hint: "put it back from a backup (kilowitness restore, docs/backup.md); for a new device give it a journal of its own",
  });
}

/** The other way round: the file knows of a key that this configuration does not lead to. */
function requireSeed(path: string): void {
  const file = hasKeyFile(path) ? readDeviceKey(path) : undefined;
  if (file === undefined || "seed" in file) return;
  throw new Problem(
    "signer-key-file",
    "the device's key is in a coprocessor that the configuration does not name",
    {
      where: path,
      expected: "signer in the configuration",
      got: `a key file of key ${toHex(file.publicKey)}, which holds no seed`,
      hint: "put signer back: { coprocessor: LINE }; with a key in a file it is another device (docs/backup.md)",
    },
  );
}

async function remoteKey(
  { publicKey, saltKey }: RemoteKeyFile,
  at: At,
  { created }: Pick<DeviceKey, "created">,
): Promise<DeviceKey> {
  let listener: (problem: Problem) => void = () => undefined;
  // Kept, so that the line has the same settings however often the coprocessor is looked for.
  const held = at.lines.lease(at.address);
  const onNotice = (problem: Problem): void => listener(problem);
  const open = (): Promise<CoprocessorSigner> => openCoprocessor(at, { publicKey, onNotice });
  const signer = new LateSigner({ publicKey, assuranceTier: TIER_COPROCESSOR, open });
  const close = async (): Promise<void> => {
    await signer.close();
    await held.release();
  };
  const problem = await absence(signer).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    ...{ signer, saltKey, assuranceTier: TIER_COPROCESSOR, elsewhere: held.name, created, close },
    ...(problem === undefined ? {} : { problem }),
    listen: (next) => {
      listener = next;
    },
  };
}

/** With one of these the device cannot be this one, now or later. */
const OTHER_DEVICE: ReadonlySet<string> = new Set(["signer-key-changed", "signer-key"]);

/** Why the signer is not there; undefined where it is. Throws where another one is in its place. */
async function absence(signer: LateSigner): Promise<Problem | undefined> {
  try {
    await signer.reach();
    return undefined;
  } catch (error) {
    if (error instanceof Problem && !OTHER_DEVICE.has(error.code)) return error;
    throw error;
  }
}
