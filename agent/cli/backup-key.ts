import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { z } from "zod";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import { type PrivateFile, readPrivateFile } from "../../runtime/private-file.ts";

const FORMAT = "kilowitness encrypted key 1";
/** 128 MiB and about a second on a gateway: what OWASP asks of scrypt where passphrases are guessed offline. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 160 * 1024 ** 2 } as const;
const KEY_BYTES = 32;
const LEAST_CHARACTERS = 12;
const PASSPHRASE_FILE: PrivateFile = {
  what: "the file with the passphrase",
  unreadableCode: "passphrase-read",
  permissionsCode: "passphrase-permissions",
  hint: "check the path, and that this user may read the file",
  groupMayRead: false,
};

const hex = (bytes: number): z.ZodString => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const sealedSchema = z.strictObject({
  format: z.literal(FORMAT),
  deviceKey: hex(32),
  kdf: z.literal("scrypt"),
  ...{ n: z.literal(SCRYPT.N), r: z.literal(SCRYPT.r), p: z.literal(SCRYPT.p) },
  salt: hex(16),
  cipher: z.literal("aes-256-gcm"),
  iv: hex(12),
  tag: hex(16),
  ciphertext: z.string().regex(/^(?:[0-9a-f]{2})+$/),
});
type Sealed = z.output<typeof sealedSchema>;

/** A key file's text under a passphrase, as JSON: scrypt, then AES-256-GCM over the text with format and device key bound to it. */
export function sealKeyFile(text: string, passphrase: string, deviceKey: string): string {
  const [salt, iv] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv("aes-256-gcm", derived(passphrase, salt), iv);
  cipher.setAAD(boundTo(deviceKey));
  const ciphertext = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  const sealed: Sealed = {
    ...{ format: FORMAT, deviceKey, kdf: "scrypt", n: SCRYPT.N, r: SCRYPT.r, p: SCRYPT.p, salt: toHex(salt) },
    ...{
      cipher: "aes-256-gcm",
      iv: toHex(iv),
      tag: toHex(cipher.getAuthTag()),
      ciphertext: toHex(ciphertext),
    },
  };
  return `${JSON.stringify(sealed, undefined, 2)}\n`;
}

/** The key file's text. Throws `backup-format`, or `backup-passphrase` for a wrong passphrase or a changed file. */
export function openKeyFile(sealedText: string, passphrase: string): string {
  const sealed = parsed(sealedText);
  const bytes = (text: string): Uint8Array => fromHex(text, "encrypted key");
  const decipher = createDecipheriv("aes-256-gcm", derived(passphrase, bytes(sealed.salt)), bytes(sealed.iv));
  decipher.setAAD(boundTo(sealed.deviceKey));
  decipher.setAuthTag(bytes(sealed.tag));
  try {
    return Buffer.concat([decipher.update(bytes(sealed.ciphertext)), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw new Problem("backup-passphrase", "the passphrase does not open the key of this backup", {
      hint: "check the passphrase; if it is right, this copy of the backup is damaged",
      cause,
    });
  }
}

/** The first line of the file. Throws `passphrase-…`; no message repeats what is in it. */
export function readPassphrase(path: string): string {
  const text = readPrivateFile(path, PASSPHRASE_FILE).split("\n", 1)[0]?.replace(/\r$/, "") ?? "";
  if ([...text].length >= LEAST_CHARACTERS) return text;
  throw new Problem("passphrase-short", "the passphrase is too short", {
    where: path,
    expected: `a first line of ${LEAST_CHARACTERS} characters or more`,
  });
}

function derived(passphrase: string, salt: Uint8Array): Buffer {
  return scryptSync(passphrase.normalize("NFC"), salt, KEY_BYTES, SCRYPT);
}

/** Additional authenticated data. */
function boundTo(deviceKey: string): Buffer {
  return Buffer.from(`${FORMAT}\n${deviceKey}\n`, "utf8");
}

function parsed(text: string): Sealed {
  try {
    return sealedSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Problem("backup-format", "the key in the backup is not as this program writes it", {
      hint: "restore it with the version that made the backup",
      cause,
    });
  }
}
