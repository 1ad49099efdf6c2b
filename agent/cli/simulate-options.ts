import { InvalidArgumentError } from "commander";
import { Problem } from "../../attest/problem.ts";
import { parseLineAddress, type SerialAddress } from "../../drivers/line/address.ts";

const FASTEST = 10_000;
const SHOW_MS = 10_000;

/** How much faster than real time a simulated day passes. */
export function daySpeed(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= FASTEST) return value;
  throw new InvalidArgumentError(`expected a number above 0 up to ${FASTEST}, got "${text}"`);
}

/** An option that may be given as often as needed. */
export function collected(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, name];
}

/** HOST:PORT, an IPv6 address in brackets. */
export function hostAndPort(
  text: string,
  leastPort: number,
): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:\s/]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host !== undefined && port >= leastPort && port <= 65_535) return { host, port };
  throw new InvalidArgumentError(`expected HOST:PORT, got "${text}"`);
}

/** A serial port by its path or its address, for commands that have `--tcp` beside it. */
export function serialPort(text: string): SerialAddress {
  if (!text.includes("://")) return { kind: "serial", path: text };
  return serialAddress(text, "expected a path or serial:///dev/...; for TCP there is --tcp");
}

/** @param expected what is said of an address that is none of a serial line */
export function serialAddress(text: string, expected: string): SerialAddress {
  try {
    const address = parseLineAddress(text);
    if (address.kind === "serial") return address;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new InvalidArgumentError(error.message);
  }
  throw new InvalidArgumentError(expected);
}

/** Prints what can go wrong, one fault a line. */
export function listFaults(faults: Readonly<Record<string, string>>): void {
  const width = Math.max(...Object.keys(faults).map((name) => name.length));
  for (const [name, sentence] of Object.entries(faults))
    process.stdout.write(`${name.padEnd(width)}  ${sentence}\n`);
}

/** What is simulated until it is told to stop. */
export interface RunningSimulation {
  close(): Promise<void>;
  /** Settles only when the line went away by itself. */
  readonly lost?: Promise<Problem>;
}

/**
 * Lets a simulation run until `stopped`, and closes it; unless it is quiet, it is shown from time to time.
 *
 * @throws Problem when its line went away
 */
export async function runUntil(
  stopped: Promise<void>,
  simulation: RunningSimulation,
  { quiet = false, show }: { readonly quiet?: boolean | undefined; readonly show: () => void },
): Promise<void> {
  const timer = quiet ? undefined : setInterval(show, SHOW_MS);
  const lost = await Promise.race([stopped, ...(simulation.lost === undefined ? [] : [simulation.lost])]);
  clearInterval(timer);
  await simulation.close();
  if (lost !== undefined) throw lost;
}
