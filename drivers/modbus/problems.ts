import { Problem } from "../../attest/problem.ts";

interface Known {
  readonly code: string;
  readonly what: string;
  readonly hint?: string;
}

const CONNECT_ERRORS: Readonly<Record<string, Known>> = {
  ECONNREFUSED: {
    code: "modbus-refused",
    what: "connection refused",
    hint: "check the port, and that Modbus TCP is switched on in the device",
  },
  ENOTFOUND: { code: "modbus-host-unknown", what: "host name not found", hint: "check the host name" },
  EAI_AGAIN: {
    code: "modbus-host-unknown",
    what: "host name not found, no name server answered",
    hint: "check the host name and the name server",
  },
  EHOSTUNREACH: { code: "modbus-unreachable", what: "no route to the host", hint: "check cable and address" },
  ENETUNREACH: {
    code: "modbus-unreachable",
    what: "no route to the network",
    hint: "check cable and address",
  },
  EHOSTDOWN: { code: "modbus-unreachable", what: "host is down", hint: "check cable and power" },
  ETIMEDOUT: { code: "modbus-timeout", what: "connection timed out", hint: "check address and firewall" },
};

/** A socket error as a Problem, told apart by the system's error code; anything else is a closed connection. */
export function socketProblem(error: Error, where: string): Problem {
  const errno = "code" in error && typeof error.code === "string" ? error.code : "";
  const known = CONNECT_ERRORS[errno];
  if (known === undefined) return closedProblem(where, error);
  return new Problem(known.code, known.what, {
    where,
    cause: error,
    ...(known.hint === undefined ? {} : { hint: known.hint }),
  });
}

/** The peer ended the connection while a request was outstanding, or before it could be sent. */
export function closedProblem(where: string, cause?: Error): Problem {
  return new Problem("modbus-closed", "connection closed by the device", {
    where,
    hint: "many devices serve only one or two Modbus clients at a time",
    ...(cause === undefined ? {} : { cause }),
  });
}

export function timeoutProblem(where: string, what: string, timeoutMs: number): Problem {
  return new Problem("modbus-timeout", what, {
    where,
    expected: `an answer within ${timeoutMs} ms`,
    got: "none",
  });
}

/** A reply that breaks the protocol or does not fit the request. */
export function malformedProblem(where: string, expected: string, got: string): Problem {
  return new Problem("modbus-malformed", "malformed reply", { where, expected, got });
}

// Modbus Application Protocol v1.1b3, 7: MODBUS Exception Responses.
const EXCEPTIONS: Readonly<Record<number, Known>> = {
  1: { code: "modbus-illegal-function", what: "device does not support reading holding registers" },
  2: { code: "modbus-illegal-address", what: "device has no such register" },
  3: { code: "modbus-illegal-value", what: "device refuses this number of registers" },
  4: { code: "modbus-device-failure", what: "device reports a failure of its own" },
  5: { code: "modbus-busy", what: "device accepted the request and needs more time" },
  6: { code: "modbus-busy", what: "device is busy" },
  10: { code: "modbus-wrong-unit", what: "gateway has no path to this unit", hint: "check the unit number" },
  11: {
    code: "modbus-wrong-unit",
    what: "gateway got no answer from this unit",
    hint: "check the unit number and the wiring behind the gateway",
  },
};

/** An exception reply as a Problem. */
export function exceptionProblem(exception: number, where: string): Problem {
  const known = EXCEPTIONS[exception] ?? {
    code: "modbus-exception",
    what: "device answered with an exception",
  };
  return new Problem(known.code, known.what, {
    where,
    got: `exception ${exception}`,
    ...(known.hint === undefined ? {} : { hint: known.hint }),
  });
}
