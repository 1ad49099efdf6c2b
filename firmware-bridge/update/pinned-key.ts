import { equalBytes, fromHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import { SPKI_PREFIX } from "../image/layout.ts";

const KEY_BYTES = 32;
const PEM = /^-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----$/;

/**
 * Reads the owner's public key as `imgtool getpub -e pem` or OpenSSL writes it (PEM, SubjectPublicKeyInfo of RFC 8410), or
 * as 64 hexadecimal digits. Whether it is a point on the curve is looked at where it is used.
 *
 * @param where the file, for messages
 * @returns 32 bytes
 * @throws Problem `update-key`
 */
export function parsePinnedKey(text: string, where: string): Uint8Array {
  const trimmed = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return fromHex(trimmed.toLowerCase(), where);
  const [, label, base64] = PEM.exec(trimmed) ?? [];
  if (label === undefined || base64 === undefined) throw keyProblem(where, "something else");
  if (label !== "PUBLIC KEY") throw keyProblem(where, `a ${label}`, hintFor(label));
  const der = new Uint8Array(Buffer.from(base64, "base64"));
  const prefix = der.subarray(0, SPKI_PREFIX.length);
  if (der.length === SPKI_PREFIX.length + KEY_BYTES && equalBytes(prefix, SPKI_PREFIX))
    return der.slice(SPKI_PREFIX.length);
  throw keyProblem(where, `a public key of another kind (${der.length} bytes)`);
}

function hintFor(label: string): string | undefined {
  if (!label.includes("PRIVATE")) return undefined;
  return "keep that key away from gateways; take its public half: imgtool getpub -e pem -k KEY";
}

function keyProblem(where: string, got: string, hint?: string): Problem {
  return new Problem("update-key", "not the public key of an image's signer", {
    where,
    expected: "an Ed25519 public key, PEM or 64 hexadecimal digits",
    got,
    ...(hint === undefined ? {} : { hint }),
  });
}
