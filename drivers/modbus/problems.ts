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

/** What a TCP line reported, in the words of Modbus: told apart by the system's error code, else a closed connection. */
export function tcpProblem(problem: Problem, where: string, timeoutMs: number): Problem {
  if (problem.code === "line-timeout") return timeoutProblem(where, "no connection", timeoutMs);
  const { cause } = problem.detail;
  if (!(cause instanceof Error)) return closedProblem(where);
  const errno = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  const known = CONNECT_ERRORS[errno];
  return known === undefined ? closedProblem(where, cause) : knownProblem(known, { where, cause });
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
    hint: where.startsWith("/")
      ? "check power, unit, baud rate and parity, and that A and B are not swapped"
      : "check power, unit and address",
  });
}

/** A request's own deadline came before its turn on the line. */
export function deadlineProblem(where: string, deadlineMs: number): Problem {
  return new Problem("modbus-deadline", "the line was busy for too long", {
    where,
    expected: `an answer within ${deadlineMs} ms`,
    got: "no turn on the line",
    hint: "poll less often, or look for a unit on this line that does not answer",
  });
}

/** A reply that breaks the protocol or does not fit the request. */
export function malformedProblem(where: string, expected: string, got: string): Problem {
  return new Problem("modbus-malformed", "malformed reply", { where, expected, got });
}

/** A reply of the right length whose check sum does not fit its bytes. */
export function crcProblem(where: string, expected: number, got: number): Problem {
  return new Problem("modbus-crc", "a reply was damaged on the wire", {
    where,
    expected: `CRC ${hex(expected)}`,
    got: hex(got),
    hint: "check the cable, its termination, and that no two units have one number",
  });
}

/** A serial line on which it is never quiet. */
export function babbleProblem(where: string, silenceMs: number): Problem {
  return new Problem("modbus-babble", "something on the line speaks without being asked", {
    where,
    expected: `silence for ${silenceMs} ms`,
    got: "bytes",
    hint: "is there a second master, or a meter that is no Modbus device?",
  });
}

// Modbus Application Protocol v1.1b3, 7: MODBUS Exception Responses.
const EXCEPTIONS: Readonly<Record<number, Known>> = {
  1: { code: "modbus-illegal-function", what: "device does not support this function" },
  2: { code: "modbus-illegal-address", what: "device has no such register" },
  3: { code: "modbus-illegal-value", what: "device refuses this number of registers, or this value" },
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
  return knownProblem(known, { where, got: `exception ${exception}` });
}

function knownProblem(
  { code, what, hint }: Known,
  detail: { readonly where: string; readonly got?: string; readonly cause?: Error },
): Problem {
  return new Problem(code, what, { ...detail, ...(hint === undefined ? {} : { hint }) });
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(4, "0")}`;
}
