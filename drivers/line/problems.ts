import { Problem } from "../../attest/problem.ts";

interface Cause {
  readonly code: string;
  readonly what: string;
  readonly hint: string;
}

const NOT_FOUND: Cause = {
  code: "line-not-found",
  what: "there is no such port",
  hint: "list /dev/serial/by-id to see what is plugged in, and check the cable",
};
const PERMISSION: Cause = {
  code: "line-permission",
  what: "this user may not open the port",
  hint: "add the service's user to the group dialout, then start the service again",
};
const BUSY: Cause = {
  code: "line-busy",
  what: "another program has the port open",
  hint: "stop the agent if it is the one, or find it with: fuser -v PORT",
};
const NOT_SERIAL: Cause = {
  code: "line-not-serial",
  what: "the path is no serial port",
  hint: "list /dev/serial/by-id to see the ports there are",
};
const REFUSED: Cause = {
  code: "line-refused",
  what: "connection refused",
  hint: "is ser2net running on that host, and is it that port?",
};
const HOST_NOT_FOUND: Cause = {
  code: "line-host-not-found",
  what: "the host name is not known",
  hint: "check the spelling, or write its address instead of its name",
};
const UNREACHABLE: Cause = {
  code: "line-unreachable",
  what: "there is no route to the host",
  hint: "is it switched on and in the same network?",
};
const CLOSED: Cause = {
  code: "line-closed",
  what: "the line was closed by the other side",
  hint: "ser2net serves one client a port by default: is another program connected, or was a cable pulled?",
};
const TIMEOUT: Cause = {
  code: "line-timeout",
  what: "the line did not open in time",
  hint: "is the host switched on, and does a firewall drop the port?",
};
const NO_INTERFACE: Cause = {
  code: "line-interface",
  what: "this machine has no interface with that address",
  hint: "list the addresses of this machine with: ip -brief address",
};
const FAILED: Cause = {
  code: "line-failed",
  what: "the line failed",
  hint: "see the cause; unplug and plug in the adapter if it stays",
};

const BY_ERRNO: ReadonlyMap<string, Cause> = new Map([
  ["ENOENT", NOT_FOUND],
  ["ENODEV", NOT_FOUND],
  ["ENXIO", NOT_FOUND],
  ["EACCES", PERMISSION],
  ["EPERM", PERMISSION],
  ["EBUSY", BUSY],
  ["ENOTTY", NOT_SERIAL],
  ["EADDRNOTAVAIL", NO_INTERFACE],
  ["ECONNREFUSED", REFUSED],
  ["ENOTFOUND", HOST_NOT_FOUND],
  ["EAI_AGAIN", HOST_NOT_FOUND],
  ["EHOSTUNREACH", UNREACHABLE],
  ["ENETUNREACH", UNREACHABLE],
  ["ECONNRESET", CLOSED],
  ["EPIPE", CLOSED],
  ["ETIMEDOUT", TIMEOUT],
]);

/** The serial binding reports strerror() texts without a code; these are the ones an installer meets. */
const BY_TEXT: readonly (readonly [RegExp, Cause])[] = [
  [/no such (file|device)/i, NOT_FOUND],
  [/permission denied|not permitted/i, PERMISSION],
  [/inappropriate ioctl|not a tty|not a typewriter|is a directory/i, NOT_SERIAL],
  [/cannot lock port|resource busy/i, BUSY],
];

/**
 * One Problem for whatever opening, reading or writing a line threw.
 *
 * @param where the line's name
 * @param error what the operating system or the serial binding said
 */
export function lineProblem(where: string, error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { code, what, hint } = causeOf(error);
  const got = error instanceof Error ? error.message : String(error);
  return new Problem(code, what, { where, got, hint: hint.replace("PORT", where), cause: error });
}

function causeOf(error: unknown): Cause {
  if (!(error instanceof Error)) return FAILED;
  const errno = "code" in error && typeof error.code === "string" ? error.code : "";
  const known = BY_ERRNO.get(errno) ?? BY_TEXT.find(([text]) => text.test(error.message))?.[1];
  return known ?? FAILED;
}

const PULLED = [
  "the port is gone",
  "was the adapter or its cable pulled? When it is plugged in again, an agent opens it by itself",
] as const;

/** `line-closed`: the other side hung up, or the adapter was pulled. */
export function closedProblem(where: string): Problem {
  const [what, hint] = where.startsWith("/") ? PULLED : [CLOSED.what, CLOSED.hint];
  return new Problem(CLOSED.code, what, { where, hint });
}

/** `line-timeout`: the line's own deadline passed before it was open. */
export function openTimeoutProblem(where: string, timeoutMs: number): Problem {
  return new Problem(TIMEOUT.code, TIMEOUT.what, {
    where,
    expected: `a connection within ${timeoutMs} ms`,
    got: "none",
    hint: TIMEOUT.hint,
  });
}

/** `line-write-timeout`: the other side takes no bytes. */
export function writeTimeoutProblem(where: string, timeoutMs: number): Problem {
  return new Problem("line-write-timeout", "the line takes no bytes", {
    where,
    expected: `a write within ${timeoutMs} ms`,
    got: "none",
    hint: "check flow control and the cable",
  });
}

const SILENT =
  "is the meter's port switched on, and are wiring, data request pin (P1) or optical head right?";
const SILENT_NETWORK =
  "is the meter in the same network, do switches pass its multicast, and does the firewall let the port in?";

/** `line-silent`: open, and not one byte for `silenceMs`. */
export function silentProblem(where: string, silenceMs: number): Problem {
  return new Problem("line-silent", "not one byte arrived", {
    where,
    expected: `bytes within ${silenceMs} ms`,
    got: "none",
    hint: where.startsWith("udp://") ? SILENT_NETWORK : SILENT,
  });
}

/** `line-not-open`: written to before `open` or after `close`. */
export function notOpenProblem(where: string): Problem {
  return new Problem("line-not-open", "the line is not open", { where });
}

/** The driver was closed while somebody waited. */
export function closedDriver(): Problem {
  return new Problem("driver-closed", "the driver was closed");
}
