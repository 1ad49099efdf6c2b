import { Problem } from "../../attest/problem.ts";
import { type Ciphering, decipherApdu } from "../dlms/ciphering.ts";
import type { TelegramKeys } from "../telegram/decoder.ts";
import { CIPHER_TAG } from "./cipher-frame.ts";
import { examineTelegram } from "./framing.ts";
import { type RawTelegram, wholeTelegram } from "./whole-telegram.ts";

/**
 * The authentication key of every meter in Luxembourg, public (E-Meter P1 Specification of Luxmetering, 1.1.3, 3.2.5): the
 * tag still cannot be made without the meter's own encryption key.
 */
export const LUXEMBOURG_AUTHENTICATION_KEY: Uint8Array = Uint8Array.from(
  { length: 16 },
  (_, at) => at * 0x11,
);

/** A telegram as it was before it was enciphered, where it was. */
export interface OpenTelegram {
  readonly raw: RawTelegram;
  readonly ciphering?: Ciphering;
}

/** Keys, and whether a telegram whose tag cannot be verified may be read. */
export interface OpeningKeys extends TelegramKeys {
  readonly verifiedOnly?: boolean;
}

/**
 * Takes the ciphering off, where there is one. Without an authentication key the one of Luxembourg is tried; where the
 * tag does not fit it, as in Austria, the telegram's own checksum has to vouch for it.
 *
 * @throws Problem `dsmr-encrypted` without a key; `dsmr-key` where it is no key of this meter, or the telegram was
 *   changed; `dlms-…` for a frame that is none; those of {@link wholeTelegram}
 */
export function openTelegram(bytes: Uint8Array, keys: OpeningKeys): OpenTelegram {
  if (bytes[0] !== CIPHER_TAG) return { raw: wholeTelegram(bytes) };
  const { key, authenticationKey, verifiedOnly = authenticationKey !== undefined } = keys;
  if (key === undefined) throw encrypted();
  const verified = verifiedApdu(bytes, key, authenticationKey ?? LUXEMBOURG_AUTHENTICATION_KEY);
  if (verified !== undefined) return { raw: plainTelegram(verified.apdu), ciphering: verified.ciphering };
  if (verifiedOnly)
    throw wrongKey("the tag of the telegram does not fit the keys", "keyFile, and authenticationKeyFile");
  const { apdu, ciphering } = decipherApdu(bytes, { key });
  const raw = plainTelegram(apdu);
  if (raw.checksum === "absent")
    throw wrongKey(
      "neither tag nor checksum vouch for the telegram",
      "keyFile, and set authenticationKeyFile",
    );
  return { raw, ciphering };
}

/** Undefined where the tag does not fit. */
function verifiedApdu(
  bytes: Uint8Array,
  key: Uint8Array,
  authenticationKey: Uint8Array,
): ReturnType<typeof decipherApdu> | undefined {
  try {
    return decipherApdu(bytes, { key, authenticationKey });
  } catch (error) {
    if (error instanceof Problem && error.code === "dlms-authentication") return undefined;
    throw error;
  }
}

function plainTelegram(text: Uint8Array): RawTelegram {
  const examined = text[0] === 0x2f ? examineTelegram(text, { scanned: 0 }) : undefined;
  if (examined?.kind === "refused") throw examined.problem;
  if (examined?.kind === "telegram") return wholeTelegram(text.slice(0, examined.length));
  throw wrongKey("what was deciphered is no telegram", "keyFile");
}

function encrypted(): Problem {
  return new Problem("dsmr-encrypted", "the meter encrypts its telegrams, and there is no key", {
    hint: "ask the grid operator for the key of the P1 port and set keyFile, or ask for plain output",
  });
}

function unencrypted(): Problem {
  return new Problem("dsmr-unencrypted", "a plain telegram came, and a key is configured", {
    expected: "encrypted telegrams only",
    hint: "if the meter does not encrypt, take keyFile out of the configuration",
  });
}

function wrongKey(what: string, options: string): Problem {
  return new Problem("dsmr-key", what, {
    expected: "a telegram of the meter that the key belongs to",
    hint: `if this does not pass, check ${options}`,
  });
}

/** Opens the telegrams of one meter after another, and remembers what was proven of them. */
export class TelegramOpener {
  readonly #keys: TelegramKeys;
  #last: Ciphering | undefined;

  constructor(keys: TelegramKeys) {
    this.#keys = keys;
  }

  /**
   * As {@link openTelegram}; a meter whose tag fitted once is not read without it any more. A key's counter only grows
   * (IEC 62056-5-3), and begins anew with a new key, which is another configuration. Where a key is configured, nothing
   * else is read: whoever could put a plain telegram on the line would need none.
   *
   * @throws Problem `dsmr-replay` for a counter that this meter has already used, `dsmr-unencrypted` for a plain telegram
   *   in spite of a key, beside those of {@link openTelegram}
   */
  open(bytes: Uint8Array): OpenTelegram {
    if (this.#keys.key !== undefined && bytes[0] !== CIPHER_TAG) throw unencrypted();
    const verified = this.#last?.authentication === "verified";
    const opened = openTelegram(bytes, { ...this.#keys, ...(verified ? { verifiedOnly: true } : {}) });
    if (opened.ciphering !== undefined) this.#requireNew(opened.ciphering);
    return opened;
  }

  #requireNew(ciphering: Ciphering): void {
    const last = this.#last;
    if (last?.systemTitle === ciphering.systemTitle && ciphering.frameCounter <= last.frameCounter)
      throw new Problem("dsmr-replay", "an encrypted telegram came again", {
        where: `meter with system title ${ciphering.systemTitle}`,
        expected: `a frame counter above ${last.frameCounter}`,
        got: `${ciphering.frameCounter}`,
        hint: "something on the line repeats telegrams; open the device anew if the meter's counter was reset",
      });
    this.#last = ciphering;
  }
}
