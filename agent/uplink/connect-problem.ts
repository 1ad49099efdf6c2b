import { Problem } from "../../attest/problem.ts";

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "is the node running, and is the port right?",
  ENOTFOUND: "no such host: check the spelling and this gateway's DNS",
  EAI_AGAIN: "name resolution failed: is this gateway online?",
  ETIMEDOUT: "the host does not answer: check the address and firewalls on the way",
  EHOSTUNREACH: "no route to the host: check this gateway's network",
  ENETUNREACH: "no network: check this gateway's cable or Wi-Fi",
  EPROTO: "what answers there speaks no TLS: is it wss:// or ws://, and is the port right?",
};

const SELF_SIGNED = "no authority that this gateway knows has signed it";
const OWN_CA =
  "where the node's operator has an authority of its own, name its certificate as ca of this node";
const ASK = "else ask the node's operator to renew the certificate";

/** What OpenSSL and Node find wrong with a certificate, and what to do: (what, hint). */
const CERTIFICATES: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: [`the node's certificate is self-signed: ${SELF_SIGNED}`, OWN_CA],
  SELF_SIGNED_CERT_IN_CHAIN: [`the node's certificate leads to an unknown authority: ${SELF_SIGNED}`, OWN_CA],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [`the node's certificate cannot be trusted: ${SELF_SIGNED}`, OWN_CA],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: [`the node's certificate cannot be trusted: ${SELF_SIGNED}`, OWN_CA],
  UNABLE_TO_GET_ISSUER_CERT: [`the node's certificate cannot be trusted: ${SELF_SIGNED}`, OWN_CA],
  CERT_SIGNATURE_FAILURE: ["the node's certificate was not signed by whom it says", OWN_CA],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    "the node's certificate is for another host",
    "use the host name that stands in the certificate, or ask the node's operator for one with this name",
  ],
  CERT_HAS_EXPIRED: ["the node's certificate has expired", ASK],
  CERT_NOT_YET_VALID: ["the node's certificate is not valid yet", ASK],
};
/** Those that only hold if this gateway knows which day it is. */
const DATED = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);

/** What `ws` says of an answer that is not this protocol; it has no codes for most of them. */
const NOT_A_NODE =
  /^(Unexpected server response|Server sent|Invalid Sec-WebSocket|Invalid Upgrade|Parse Error)/;

/** One sentence for a connection that did not come about or broke: `node-ca`, `node-protocol`, `node-certificate` or `node-unreachable`. */
export function connectProblem(url: string, cause: Error): Problem {
  if (cause instanceof Problem) return cause;
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  if (code.startsWith("WS_ERR_") || NOT_A_NODE.test(cause.message)) {
    return new Problem("node-protocol", "what answers at this address is not a kilowitness node", {
      where: url,
      got: cause.message,
      hint: "check host, port and path of the node's url, and the proxy in front of it if there is one",
      cause,
    });
  }
  if (CERTIFICATES[code] !== undefined) return certificateProblem(url, code, cause);
  return new Problem("node-unreachable", "node cannot be reached", {
    where: url,
    got: code === "" ? cause.message : code,
    hint: HINTS[code] ?? "the agent keeps sealing and tries again; check the address and the network",
    cause,
  });
}

function certificateProblem(url: string, code: string, cause: Error): Problem {
  const [what = "", hint = ""] = CERTIFICATES[code] ?? [];
  // The day and no time: a sentence that changes at each attempt would be logged at each.
  const today = new Date().toISOString().slice(0, 10);
  const clock = `this gateway's clock says ${today}: if that is wrong, set it (docs/clock.md), ${hint}`;
  const got = code === "ERR_TLS_CERT_ALTNAME_INVALID" ? cause.message : code;
  const said = { where: url, got, hint: DATED.has(code) ? clock : hint, cause };
  return new Problem("node-certificate", what, said);
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
