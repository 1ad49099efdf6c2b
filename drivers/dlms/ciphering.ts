import { createDecipheriv } from "node:crypto";
import { Problem } from "../../attest/problem.ts";
import type { TelegramKeys } from "../telegram/decoder.ts";
import { hexText } from "../telegram/text.ts";
import { AxdrReader } from "./axdr.ts";

/** general-glo-ciphering (IEC 62056-5-3). */
const GENERAL_GLO_CIPHERING = 0xdb;
/**
 * general-ded-ciphering, general-ciphering and general-signing: their keys belong to a conversation, and no meter is
 * known to push so.
 */
const OTHERS_PROTECTED: readonly number[] = [0xdc, 0xdd, 0xdf];

const KEY_BYTES = 16;
const TITLE_BYTES = 8;
const TAG_BYTES = 12;
const AUTHENTICATED = 0x10;
const ENCRYPTED = 0x20;
const COMPRESSED = 0x80;
const SUITE_MASK = 0x0f;

/** How a telegram was protected. */
export interface Ciphering {
  /** Eight bytes in hexadecimal: the maker's three letters and a number. */
  readonly systemTitle: string;
  /** Never goes back while the key stays the same. */
  readonly frameCounter: number;
  readonly authentication: "verified" | "unverified" | "absent";
}

interface Envelope {
  readonly title: Uint8Array;
  readonly control: number;
  readonly counter: Uint8Array;
  readonly text: Uint8Array;
}

/** Does the APDU say that it is protected, in whatever way? */
export function isCiphered(apdu: Uint8Array): boolean {
  const [tag = 0] = apdu;
  return tag === GENERAL_GLO_CIPHERING || OTHERS_PROTECTED.includes(tag);
}

/**
 * Takes the ciphering off an APDU (IEC 62056-5-3; DLMS security suites 0 and 1, both AES-128-GCM):
 *
 *     DB  length  system title 8  length  control  counter 4  ciphertext  [tag 12]
 *
 * The nonce is title and counter; control byte and authentication key are authenticated beside the text.
 *
 * @throws Problem `dlms-key-missing`, `dlms-key` for one of another length, `dlms-security` for a protection that is
 *   not read, `dlms-authentication` where the tag is wrong, `dlms-length` and `dlms-truncated`; none shows a key
 */
export function decipherApdu(
  apdu: Uint8Array,
  keys: TelegramKeys,
): { readonly apdu: Uint8Array; readonly ciphering: Ciphering } {
  const envelope = readEnvelope(apdu);
  const key = requireKey(keys.key, "encryption key");
  const authenticated = (envelope.control & AUTHENTICATED) !== 0;
  const authenticationKey = authenticated ? keys.authenticationKey : undefined;
  const verified = authenticationKey !== undefined;
  const plain = decrypt(envelope, key, authenticationKey);
  const authentication = !authenticated ? "absent" : verified ? "verified" : "unverified";
  const systemTitle = hexText(envelope.title);
  const frameCounter = Buffer.from(envelope.counter).readUInt32BE(0);
  return { apdu: plain, ciphering: { systemTitle, frameCounter, authentication } };
}

function readEnvelope(apdu: Uint8Array): Envelope {
  if (apdu[0] !== GENERAL_GLO_CIPHERING) throw unreadable("general-glo-ciphering (DB)", hex2(apdu[0]));
  const reader = new AxdrReader(apdu, 1);
  const titleLength = reader.length();
  if (titleLength !== TITLE_BYTES)
    throw reader.refusal("dlms-length", `a system title of ${titleLength} bytes`);
  const title = reader.take(TITLE_BYTES);
  const length = reader.length();
  const body = new AxdrReader(reader.take(length));
  reader.requireEnd();
  const control = body.byte();
  if ((control & ENCRYPTED) === 0 || (control & COMPRESSED) !== 0 || (control & SUITE_MASK) > 1) {
    throw unreadable("AES-128-GCM, encrypted, not compressed", `security control ${hex2(control)}`);
  }
  const counter = body.take(4);
  return { title, control, counter, text: body.take(length - 5) };
}

function unreadable(expected: string, got: string): Problem {
  const what = "the telegram is protected in a way that is not read";
  return new Problem("dlms-security", what, { expected, got });
}

function hex2(byte = 0): string {
  return byte.toString(16).padStart(2, "0");
}

function decrypt(envelope: Envelope, key: Uint8Array, authenticationKey: Uint8Array | undefined): Uint8Array {
  const { title, control, counter, text } = envelope;
  const end = (control & AUTHENTICATED) === 0 ? text.length : text.length - TAG_BYTES;
  if (end < 1) throw new Problem("dlms-truncated", "the encrypted part is too short", { where: "ciphering" });
  const nonce = Buffer.concat([title, counter]);
  const decipher = createDecipheriv("aes-128-gcm", key, nonce, { authTagLength: TAG_BYTES });
  if (authenticationKey === undefined) return new Uint8Array(decipher.update(text.subarray(0, end)));
  const aad = [Uint8Array.of(control), requireKey(authenticationKey, "authentication key")];
  decipher.setAAD(Buffer.concat(aad));
  decipher.setAuthTag(text.subarray(end));
  const plain = decipher.update(text.subarray(0, end));
  try {
    decipher.final();
  } catch {
    throw new Problem("dlms-authentication", "the telegram's tag does not fit", {
      hint: "check both keys, and that they belong to this meter",
    });
  }
  return new Uint8Array(plain);
}

function requireKey(key: Uint8Array | undefined, name: string): Uint8Array {
  if (key === undefined) {
    const hint = "ask the grid operator for the keys of this meter";
    throw new Problem("dlms-key-missing", "the meter encrypts its telegrams", { expected: name, hint });
  }
  if (key.length === KEY_BYTES) return key;
  throw new Problem("dlms-key", `the ${name} has the wrong length`, {
    expected: `${KEY_BYTES} bytes`,
    got: `${key.length}`,
  });
}
