import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { WebSocket } from "ws";
import { STREAM_SUBPROTOCOL } from "../../attest/hello.ts";
import { Problem } from "../../attest/problem.ts";

export interface DialOptions {
  readonly url: string;
  /** PEM file with the only authorities that may have signed the node's certificate; left out: the system's. */
  readonly ca?: string;
  readonly handshakeMs: number;
}

/** A node sends hellos, welcomes, receipts and requests: none reaches a quarter of this. */
export const MOST_NODE_MESSAGE_BYTES = 8192;
const MOST_FRAGMENTS = 64;
const MOST_HEADER_BYTES = 8192;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * Opens a WebSocket to a node: nothing compressed, no redirect followed, and no certificate passed over, whatever the
 * environment says. The file of authorities is read anew each time. Throws `node-ca`.
 */
export function dial({ url, ca, handshakeMs }: DialOptions): WebSocket {
  return new WebSocket(url, STREAM_SUBPROTOCOL, {
    ...{ perMessageDeflate: false, followRedirects: false, rejectUnauthorized: true },
    ...{
      maxPayload: MOST_NODE_MESSAGE_BYTES,
      maxFragments: MOST_FRAGMENTS,
      maxHeaderSize: MOST_HEADER_BYTES,
    },
    handshakeTimeout: handshakeMs,
    ...(ca === undefined ? {} : { ca: readAuthorities(ca) }),
  });
}

/** TLS leaves out without a word what is not a certificate, and would then find the node's own one untrusted. */
function readAuthorities(path: string): string {
  const text = readCa(path);
  const certificates = text.match(CERTIFICATE) ?? [];
  try {
    for (const certificate of certificates) new X509Certificate(certificate);
    if (certificates.length > 0) return text;
  } catch {
    // What is wrong with it is said below.
  }
  throw new Problem("node-ca", "the file of authorities holds no usable certificate", {
    where: path,
    expected: "PEM: -----BEGIN CERTIFICATE-----",
    hint: "put there the certificate of the authority that signed the node's, as its operator gave it to you",
  });
}

function readCa(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Problem("node-ca", "the file of authorities cannot be read", {
      where: path,
      got: cause instanceof Error ? cause.message : String(cause),
      hint: "correct ca of this node in the configuration, and check that the service's user may read the file",
      cause,
    });
  }
}
