import { BlockList, isIP } from "node:net";

/** What is put in the place of something. */
export interface Replacement {
  readonly text: string;
  readonly by: string;
  /** Only where it is no part of another word: for names, which may be short. */
  readonly word?: boolean;
}

export interface RedactorOptions {
  /** Wherever they stand, in whatever file; longer ones first. */
  readonly replacements: readonly Replacement[];
  /** Keys that anybody may know, hexadecimal: they stay. */
  readonly publicKeys: readonly string[];
  /** Whether addresses outside private networks stay. */
  readonly keepAddresses: boolean;
}

export const REMOVED = "[removed]";
/** A shorter text would be found everywhere by chance. */
const LEAST_CHARACTERS = 4;

/** Takes out of a text what must not leave the site: what is known to be secret, and what looks like it. */
export class Redactor {
  readonly #replacements: readonly Replacement[];
  readonly #publicKeys: ReadonlySet<string>;
  readonly #keepAddresses: boolean;

  constructor({ replacements, publicKeys, keepAddresses }: RedactorOptions) {
    this.#replacements = replacements
      .filter(({ text, word }) => text.length >= (word === true ? 1 : LEAST_CHARACTERS))
      .toSorted((a, b) => b.text.length - a.text.length);
    this.#publicKeys = new Set(publicKeys.map((key) => key.toLowerCase()));
    this.#keepAddresses = keepAddresses;
  }

  redact(text: string): string {
    let clean = text;
    for (const replacement of this.#replacements) clean = replaced(clean, replacement);
    clean = withoutUrlSecrets(clean);
    clean = clean.replace(/\b[0-9a-fA-F]{32,}\b/g, (hex) =>
      this.#publicKeys.has(hex.toLowerCase()) ? hex : REMOVED,
    );
    clean = clean.replace(/[A-Za-z0-9+/]{40,}={0,2}/g, (word) => (looksRandom(word) ? REMOVED : word));
    return this.#keepAddresses ? clean : clean.replace(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, shownAddress);
  }
}

function replaced(text: string, { text: from, by, word }: Replacement): string {
  if (word !== true) return text.replaceAll(from, by);
  const name = from.replace(/[^A-Za-z0-9]/g, "\\$&");
  return text.replace(new RegExp(`(?<![A-Za-z0-9.-])${name}(?![A-Za-z0-9-])`, "gi"), by);
}

/** Name, password and query of every address in a text. */
function withoutUrlSecrets(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/"'@\\]+@/gi, `$1${REMOVED}@`)
    .replace(/\b((?:wss?|https?|mqtts?):\/\/[^\s?"'\\]+\?)[^\s"'\\;,]+/gi, `$1${REMOVED}`);
}

/** Base64 and base32 of random bytes have capitals and digits in one long word; a path or a name seldom has. */
function looksRandom(word: string): boolean {
  // Public keys are hexadecimal, and have been looked at.
  if (/^[0-9a-fA-F]+$/.test(word)) return false;
  return /[A-Z]/.test(word) && /[0-9]/.test(word);
}

/** RFC 1918, RFC 3927, RFC 1122 (this host, loopback). */
const PRIVATE: readonly (readonly [net: string, prefix: number])[] = [
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["169.254.0.0", 16],
  ["127.0.0.0", 8],
  ["0.0.0.0", 8],
];

const privateNets = new BlockList();
for (const [net, prefix] of PRIVATE) privateNets.addSubnet(net, prefix);

/** An address within a home says nothing of where the home is, and helps whoever has to find a device. */
export function isPrivateAddress(address: string): boolean {
  return isIP(address) === 4 && privateNets.check(address);
}

function shownAddress(text: string): string {
  return isIP(text) === 0 || isPrivateAddress(text) ? text : "[address]";
}

/** A serial number with its end, by which it can still be told from others of the site. */
export function shortenedSerial(serial: string): string {
  const shown = Math.min(4, Math.floor(serial.length / 3));
  return `…${serial.slice(serial.length - shown)}`;
}

/** The forms in which bytes are written down. */
export function writtenForms(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes);
  const [hex, base64] = [buffer.toString("hex"), buffer.toString("base64")];
  return [hex, hex.toUpperCase(), base64, base64.replace(/=+$/, ""), buffer.toString("base64url")];
}
