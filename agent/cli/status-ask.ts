import { type IncomingMessage, request } from "node:http";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { readAnswerBody } from "../../runtime/answer-body.ts";
import { reachedAt } from "../../runtime/loopback.ts";
import type { AgentConfig } from "../config/config.ts";
import { socketPath } from "../outlet/operations.ts";
import { readToken } from "../outlet/secret-file.ts";
import { fromConfig, type HttpConfig } from "../outlet/settings.ts";

/** What a running agent answered. */
export interface AgentAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** What of the configuration says where to ask. */
export type AskedAgent = Pick<AgentConfig, "path" | "journal" | "http">;

interface Way {
  readonly socketPath?: string;
  readonly host?: string;
  readonly port?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const PATIENCE_MS = 5000;
/** The agent may have to wait for a device. */
const ORDER_PATIENCE_MS = 120_000;
/** Nobody listens there: no such file, nobody behind it, or a path that no socket can have. */
const NOBODY: ReadonlySet<string> = new Set(["ENOENT", "ECONNREFUSED", "EINVAL", "ENOTDIR", "ENOTSOCK"]);

/**
 * Asks the agent that runs with this configuration: on the socket beside its journal, and where there is none, over HTTP.
 *
 * @throws Problem `agent-not-running`, `agent-unreachable`
 */
export async function askAgent(config: AskedAgent, path: string): Promise<AgentAnswer> {
  try {
    return await ask({ socketPath: socketPath(config.journal) }, path);
  } catch (cause) {
    if (!NOBODY.has(describeProblem(cause).code)) throw unreachable(config, cause);
    return await askOverHttp(config, path);
  }
}

/**
 * Has the agent that runs with this configuration do something. Only on the socket beside its journal: what is ordered
 * there comes from its own user or from root.
 *
 * @throws Problem `agent-not-running`, `agent-unreachable`
 */
export async function orderAgent(
  config: Pick<AgentConfig, "journal">,
  path: string,
  body: object,
): Promise<AgentAnswer> {
  try {
    return await ask({ socketPath: socketPath(config.journal) }, path, JSON.stringify(body));
  } catch (cause) {
    throw NOBODY.has(describeProblem(cause).code) ? notRunning(config.journal) : unreachable(config, cause);
  }
}

async function askOverHttp(
  { http, path: configPath, journal }: AskedAgent,
  path: string,
): Promise<AgentAnswer> {
  // A port of 0 is known to the agent alone.
  if (http === undefined || http.port === 0) throw notRunning(journal);
  try {
    return await ask({ ...addressOf(http), headers: bearer(http, configPath) }, path);
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw notRunning(journal, cause);
  }
}

function addressOf({ host, port }: HttpConfig): Way {
  return { host: reachedAt(host), port };
}

function bearer({ tokenFile }: HttpConfig, configPath: string): Readonly<Record<string, string>> {
  if (tokenFile === undefined) return {};
  return { authorization: `Bearer ${readToken(fromConfig(configPath, tokenFile))}` };
}

/** A question, or an order where there is a body. */
function ask(way: Way, path: string, body?: string): Promise<AgentAnswer> {
  return new Promise((resolve, reject) => {
    const timeout = body === undefined ? PATIENCE_MS : ORDER_PATIENCE_MS;
    const sent = request({
      ...way,
      path,
      timeout,
      agent: false,
      method: body === undefined ? "GET" : "POST",
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${timeout / 1000} s`)));
    sent.on("error", reject);
    sent.on("response", (response) => collect(response).then(resolve, reject));
    sent.end(body);
  });
}

async function collect(response: IncomingMessage): Promise<AgentAnswer> {
  const { statusCode = 0, headers } = response;
  return { status: statusCode, headers, body: await readAnswerBody(response) };
}

function notRunning(journal: string, cause?: unknown): Problem {
  return new Problem("agent-not-running", "no agent runs with this configuration", {
    where: socketPath(journal),
    ...(cause === undefined ? {} : { got: describeProblem(cause).message }),
    hint: "start it with systemctl start kilowitness-agent; journalctl -u kilowitness-agent says why it stopped",
  });
}

function unreachable({ journal }: Pick<AskedAgent, "journal">, cause: unknown): Problem {
  const { code, message } = describeProblem(cause);
  const forbidden = code === "EACCES" || code === "EPERM";
  return new Problem("agent-unreachable", "the agent cannot be asked", {
    where: socketPath(journal),
    got: message,
    hint: forbidden ? "run this as root or as the agent's user" : "try again; if it stays, restart the agent",
    cause,
  });
}
