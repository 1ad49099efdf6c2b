import { describeProblem, Problem } from "../../attest/problem.ts";

/** Return codes of CONNACK for a name or password that is wrong (MQTT 3.1.1, 3.2.2.3). */
const NOT_AUTHORISED: ReadonlySet<unknown> = new Set([4, 5]);
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)/;

/** Why there is no connection to the broker, with what to do. `url` bears no secret. */
export function brokerProblem(url: string, cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  const reason = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (NOT_AUTHORISED.has(reason))
    return new Problem("mqtt-refused", "the broker refuses the name or the password", {
      where: url,
      hint: "correct the file that mqtt.credentialsFile names; it is read again at every attempt",
    });
  const { code, message } = describeProblem(cause);
  const got = message === "" ? code : message;
  if (CERTIFICATE.test(code))
    return new Problem("mqtt-certificate", "the broker's certificate cannot be trusted", {
      where: url,
      got,
      hint: "name the certificate of the authority that signed it as mqtt.caFile, and the host as it stands in it",
    });
  return new Problem("mqtt-unreachable", "no connection to the broker", {
    where: url,
    got,
    hint: "check mqtt.url and that the broker runs; it is tried again by itself",
  });
}

/** The broker ended a connection without a word. */
export function brokerGone(url: string): Problem {
  return new Problem("mqtt-closed", "the broker closed the connection", {
    where: url,
    hint: "look at the broker's own log; two agents with one key close each other's",
  });
}
