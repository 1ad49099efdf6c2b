import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer as createHttp, type RequestListener, type ServerOptions } from "node:http";
import { createServer as createHttps, Server as HttpsServer } from "node:https";
import { createSecureContext } from "node:tls";
import { Problem } from "../../attest/problem.ts";
import type { WebServer } from "../listen.ts";

/** Paths of PEM files, as the configuration has them. */
export interface TlsFiles {
  /** The server's certificate, and those between it and its root. */
  readonly certificate: string;
  readonly key: string;
}

/** What a server shows and signs with, PEM. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
}

/** A peer that does not finish its TLS handshake is cut off, as one that does not finish a request. */
const HANDSHAKE_MS = 10_000;
const OLDEST_VERSION = "TLSv1.2";

/**
 * Reads both files and sees whether they belong together. Throws `config-tls`.
 *
 * @param where the configuration's key, for the message
 */
export function readTls(files: TlsFiles, where: string): TlsMaterial {
  const cert = readPem(files.certificate, `${where}.certificate`);
  const key = readPem(files.key, `${where}.key`);
  try {
    // An empty file would be taken for none.
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw new Error("the key is of another certificate");
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new Problem("config-tls", "certificate and key do not make a TLS server", {
      where,
      expected: "PEM: a certificate with its chain, and its own key without a pass phrase",
      got: cause instanceof Error ? cause.message : String(cause),
      hint: "docs/node.md shows how to make them with openssl",
      cause,
    });
  }
  return { cert, key };
}

function readPem(path: string, where: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Problem("config-tls", "file cannot be read", {
      where: `${where} ${path}`,
      got: cause instanceof Error ? cause.message : String(cause),
      hint: "check the path, and that the node's user may read it",
      cause,
    });
  }
}

/** A server over TLS where there is a certificate, and over plain HTTP where there is none. */
export function createWebServer(
  limits: ServerOptions,
  tls: TlsMaterial | undefined,
  answer: RequestListener,
): WebServer {
  if (tls === undefined) return createHttp(limits, answer);
  const secure = { ...tls, minVersion: OLDEST_VERSION, handshakeTimeout: HANDSHAKE_MS } as const;
  return createHttps({ ...limits, ...secure }, answer);
}

/** Gives a running server another certificate; connections that are open keep the one they know. */
export function renewTls(server: WebServer, tls: TlsMaterial): void {
  if (server instanceof HttpsServer) server.setSecureContext({ ...tls, minVersion: OLDEST_VERSION });
}
