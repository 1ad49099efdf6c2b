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

/** One sentence for a connection that did not come about or broke. */
export function connectProblem(url: string, cause: Error): Problem {
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  const hint = HINTS[code];
  return new Problem("node-unreachable", "node cannot be reached", {
    where: url,
    got: code === "" ? cause.message : code,
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}
