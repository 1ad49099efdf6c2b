import { Problem } from "../../attest/problem.ts";

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "is the node running, and is the port right?",
  ENOTFOUND: "no such host: check the spelling and this gateway's DNS",
  EAI_AGAIN: "name resolution failed: is this gateway online?",
  ETIMEDOUT: "the host does not answer: check the address and firewalls on the way",
  EHOSTUNREACH: "no route to the host: check this gateway's network",
  ENETUNREACH: "no network: check this gateway's cable or Wi-Fi",
  CERT_HAS_EXPIRED: "the node's certificate has expired, or this gateway's clock is wrong",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the node's certificate is not signed by a known authority",
};

/** What `ws` says of an answer that is not this protocol; it has no codes for most of them. */
const NOT_A_NODE =
  /^(Unexpected server response|Server sent|Invalid Sec-WebSocket|Invalid Upgrade|Parse Error)/;

/** One sentence for a connection that did not come about or broke. */
export function connectProblem(url: string, cause: Error): Problem {
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  if (code.startsWith("WS_ERR_") || NOT_A_NODE.test(cause.message)) {
    return new Problem("node-protocol", "what answers at this address is not a kilowitness node", {
      where: url,
      got: cause.message,
      hint: "check host, port and path of the node's url, and the proxy in front of it if there is one",
      cause,
    });
  }
  return new Problem("node-unreachable", "node cannot be reached", {
    where: url,
    got: code === "" ? cause.message : code,
    hint: HINTS[code] ?? "the agent keeps sealing and tries again; check the address and the network",
    cause,
  });
}

/** `node-silent`: nothing was heard within the deadline. */
export function nodeSilent(where: string, ms: number): Problem {
  return new Problem("node-silent", "the node is silent", {
    where,
    expected: `a sign of life within ${ms} ms`,
    hint: "the agent keeps sealing and tries again",
  });
}

/** `receipt-late`: batches are out and stay unanswered. */
export function receiptLate(where: string, ms: number): Problem {
  return new Problem("receipt-late", "the node takes batches and gives no receipt", {
    where,
    expected: `a receipt within ${ms} ms`,
    hint: "the agent keeps sealing and tries again; the node's own log says what holds it up",
  });
}
