import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { describeProblem, Problem } from "../../attest/problem.ts";

/** One question to a peer. */
export interface Question {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Beyond these the answer is not read on. */
  readonly maxBytes: number;
  /** For the whole of it, from the name's look-up to the answer's last byte. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** How questions reach a peer. Throws `exchange-offline`, or `exchange-answer` for an answer that is none. */
export interface Transport {
  ask(question: Question): Promise<Uint8Array>;
  /** Closes what is kept open between questions. */
  close(): void;
}

const MAX_HEADER_BYTES = 8192;
const AGENT = { keepAlive: true, maxSockets: 1, maxFreeSockets: 1, timeout: 60_000 };

/**
 * HTTP, or HTTPS that trusts `ca` alone where it is given, one question at a time. Redirects are not followed: where a
 * peer is, the configuration says.
 */
export function httpTransport(ca?: string): Transport {
  const agents = {
    http: new HttpAgent(AGENT),
    https: new HttpsAgent({ ...AGENT, ...(ca === undefined ? {} : { ca }) }),
  };
  return {
    ask: (question) => askOver(question, agents),
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

async function askOver(question: Question, agents: Agents): Promise<Uint8Array> {
  const deadline = AbortSignal.timeout(question.timeoutMs);
  try {
    const response = await responseTo(question, agents, AbortSignal.any([question.signal, deadline]));
    return await bodyOf(response, question.maxBytes);
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    const late = deadline.aborted && !question.signal.aborted;
    const got = late ? `no whole answer within ${question.timeoutMs} ms` : describeProblem(cause).message;
    const where = question.url.origin;
    throw new Problem("exchange-offline", "the peer cannot be asked", { where, got, cause });
  }
}

function responseTo(
  { url, headers }: Question,
  agents: Agents,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { headers, signal, maxHeaderSize: MAX_HEADER_BYTES };
    const sent =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, agent: agents.https }, resolve)
        : httpRequest(url, { ...options, agent: agents.http }, resolve);
    sent.once("error", reject);
    sent.end();
  });
}

async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  try {
    if (response.statusCode !== 200) throw notAnAnswer("status 200", `status ${response.statusCode}`);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response) {
      const part: Buffer = chunk;
      bytes += part.length;
      if (bytes > maxBytes) throw notAnAnswer(`at most ${maxBytes} bytes`, "more");
      chunks.push(part);
    }
    return new Uint8Array(Buffer.concat(chunks));
  } finally {
    // What was not read to its end must not go on arriving.
    if (!response.complete) response.destroy();
  }
}

/** The Problem for an answer that no node of this kind gives. */
export function notAnAnswer(expected: string, got: string, where?: string): Problem {
  return new Problem("exchange-answer", "the peer's answer is not what was asked for", {
    ...(where === undefined ? {} : { where }),
    ...{ expected, got, hint: "check that the URL is that of a node's exchange, and ask its operator" },
  });
}
