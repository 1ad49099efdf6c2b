import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { MAX_SETTLEMENT_BYTES } from "../../attest/flexibility/proof-file.ts";
import { Problem } from "../../attest/problem.ts";
import { readAnswerBody } from "../../runtime/answer-body.ts";
import { reachedAt } from "../../runtime/loopback.ts";
import type { NodeConfig } from "../config.ts";
import { rightFor } from "../http/access.ts";
import { type Right, readTokens, type Tokens } from "../http/tokens.ts";
import { urlOf } from "../listen.ts";

/** Where a running node is asked, and with which tokens. */
export interface NodeDoor {
  readonly url: string;
  /** Undefined where the node has none: it answers questions without, and takes nothing else. */
  readonly tokens: Tokens | undefined;
  /** The file that they are of. */
  readonly tokenFile: string | undefined;
  /** PEM of the certificate that the node shows; undefined without TLS. */
  readonly certificate?: string;
}

export interface NodeQuestion {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly body?: object;
}

const PATIENCE_MS = 10_000;

/**
 * How to reach the node that runs with this configuration, from its own machine. Throws `node-address` or `config-…`.
 *
 * @param tokenFile a file of tokens in place of the node's own
 */
export function doorOf(config: NodeConfig, tokenFile: string | undefined): NodeDoor {
  const { host, port, tls, tokens: own } = config.http;
  if (port === 0)
    throw new Problem("node-address", "the configuration says port 0, so only the node knows its port", {
      hint: "set http.port in the configuration",
    });
  const file = tokenFile ?? own;
  const door = {
    url: urlOf("http", { ...config.http, host: reachedAt(host) }),
    tokens: file === undefined ? undefined : readTokens(file),
    tokenFile: file,
  };
  return tls === undefined ? door : { ...door, certificate: readFileSync(tls.certificate, "utf8") };
}

/** A token with the right that the question needs; none where none is needed. */
function authorizationOf(
  { tokens, tokenFile }: NodeDoor,
  needed: Right | "none",
): { authorization?: string } {
  if (needed === "none" || (tokens === undefined && needed !== "operate")) return {};
  if (tokens === undefined)
    throw new Problem("node-token", "nobody may operate this node yet", {
      hint: "make a token file and name it as http.tokens; docs/node.md shows how",
    });
  const token = tokens.plain(needed);
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  throw new Problem("node-token", `no token that may ${needed} stands in the file as it is`, {
    ...(tokenFile === undefined ? {} : { where: tokenFile }),
    hint: "name a file that has one with --tokens",
  });
}

/** Asks, and returns the answer's JSON. Throws the node's own refusal by its code, `node-token` or `node-unreachable`. */
export async function askNode(door: NodeDoor, question: NodeQuestion): Promise<unknown> {
  const { status, body } = await send(door, question, collect).catch(unreachable(door));
  const answer = jsonOf(body);
  if (status >= 200 && status < 300 && answer !== undefined) return answer;
  throw refusalOf(status, answer);
}

/** As {@link askNode}, for an answer that is a file of evidence. */
export async function askNodeFile(door: NodeDoor, path: string): Promise<Uint8Array> {
  const { status, bytes } = await send(door, { method: "GET", path }, collectBytes).catch(unreachable(door));
  if (status >= 200 && status < 300) return bytes;
  throw refusalOf(status, jsonOf(new TextDecoder().decode(bytes)));
}

function unreachable(door: NodeDoor): (cause: unknown) => never {
  return (cause) => {
    throw new Problem("node-unreachable", "no node answers there", {
      where: door.url,
      got: cause instanceof Error ? cause.message : String(cause),
      hint: "is it running with this configuration?",
      cause,
    });
  };
}

function refusalOf(status: number, answer: unknown): Problem {
  const { code, message } = Object.assign({ code: undefined, message: undefined }, answer);
  if (typeof code === "string" && typeof message === "string") return new Problem(code, message);
  return new Problem("node-unreachable", "it is no node that answers there", { got: `status ${status}` });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function send<T>(
  door: NodeDoor,
  { method, path, body }: NodeQuestion,
  receive: (response: IncomingMessage) => Promise<T>,
): Promise<T> {
  const address = new URL(path, door.url);
  const authorization = authorizationOf(door, rightFor(method, address.pathname));
  return new Promise((resolve, reject) => {
    const headers = { ...authorization, "content-type": "application/json" };
    const options = { method, headers, timeout: PATIENCE_MS, ...pinned(door) };
    const sent =
      door.certificate === undefined ? httpRequest(address, options) : httpsRequest(address, options);
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`)));
    sent.on("error", reject);
    sent.on("response", (response) => receive(response).then(resolve, reject));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The very certificate of the configuration, whoever signed it and whatever name it is for: nobody else has its key. */
function pinned({ certificate }: NodeDoor): RequestOptions {
  if (certificate === undefined) return {};
  const own = new X509Certificate(certificate).raw;
  const other = new Error("it shows another certificate than the configuration names");
  return {
    ca: certificate,
    allowPartialTrustChain: true,
    checkServerIdentity: (_host, peer) => (own.equals(peer.raw) ? undefined : other),
  };
}

async function collectBytes(
  response: IncomingMessage,
): Promise<{ readonly status: number; readonly bytes: Uint8Array }> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    const part = Buffer.from(chunk);
    length += part.length;
    if (length > MAX_SETTLEMENT_BYTES)
      throw new Error(`the file has more than ${MAX_SETTLEMENT_BYTES} bytes`);
    chunks.push(part);
  }
  return { status: response.statusCode ?? 0, bytes: new Uint8Array(Buffer.concat(chunks)) };
}

async function collect(response: IncomingMessage): Promise<Answer> {
  return { status: response.statusCode ?? 0, body: await readAnswerBody(response) };
}
