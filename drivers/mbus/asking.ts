import type { MeterIdentity } from "../driver.ts";
import type { Talk } from "../telegram/talk.ts";
import { Exchange, type Outcome } from "./exchange.ts";
import { identityOf, isElectricity } from "./identity.ts";
import {
  ANY_ADDRESS,
  initialise,
  MAX_PRIMARY_ADDRESS,
  NETWORK_ADDRESS,
  requestData,
  select,
} from "./requests.ts";
import { parseSecondaryAddress } from "./secondary.ts";
import { decodeMbus } from "./telegram.ts";
import { type MbusTiming, serialTiming } from "./timing.ts";

/** A meter that answered a scan. */
export interface FoundMbusMeter {
  /** Primary address; 253 where it has none of its own or shares it: then only its secondary address reaches it. */
  readonly address: number;
  /** Its secondary address as the driver takes it. */
  readonly secondary: string;
  readonly identity: MeterIdentity;
  readonly electricity: boolean;
}

/** How a scan asks. */
export interface MbusScan {
  /** Of the line; default 2400. */
  readonly baudRate?: number;
  /** Instead of what the baud rate gives. */
  readonly timing?: MbusTiming;
  /** The scan ends when so much time has gone by, whatever was found; default 75 s. */
  readonly boundMs?: number;
  /** The highest primary address that is tried; default 250. */
  readonly lastPrimary?: number;
}

const BOUND_MS = 75_000;
/** Every silent address costs the time for a first byte: adapters get less of it here than for a readout. */
const ADAPTER_MS_LESS = 140;

/** What a scan waits for at this rate: 250 ms for a first byte at 2400 baud. */
function scanTiming(baudRate: number): MbusTiming {
  const { beginMs, gapMs, wholeMs } = serialTiming(baudRate);
  return { beginMs: beginMs - ADAPTER_MS_LESS, gapMs: gapMs - ADAPTER_MS_LESS, wholeMs };
}

const DIGITS = 8;

/**
 * Who is on the line, in three steps that each save time: one request to everybody, which an empty line does not
 * answer (0.3 s); then a search by the digits of the secondary addresses, ten selections for each digit in which two
 * meters differ (3 s, and a telegram for each meter); then, for meters that know no secondary address, all primary ones
 * in order (62 s).
 */
export async function askMbus(talk: Talk, scan: MbusScan = {}): Promise<readonly FoundMbusMeter[]> {
  const {
    baudRate = 2_400,
    timing = scanTiming(baudRate),
    boundMs = BOUND_MS,
    lastPrimary = MAX_PRIMARY_ADDRESS,
  } = scan;
  const search = new Search(new Exchange(talk, { timing, retries: 0 }), performance.now() + boundMs);
  if (!(await search.isAnybodyThere())) return [];
  await search.secondary("");
  await search.primary(lastPrimary);
  return search.found();
}

interface Answered {
  readonly meterId: string;
  readonly found: FoundMbusMeter;
}

class Search {
  readonly #exchange: Exchange;
  readonly #endMs: number;
  readonly #meters = new Map<string, Answered>();
  /** Addresses under which more than one meter was found. */
  readonly #shared = new Set<number>();

  constructor(exchange: Exchange, endMs: number) {
    this.#exchange = exchange;
    this.#endMs = endMs;
  }

  get #isOver(): boolean {
    return performance.now() >= this.#endMs;
  }

  async isAnybodyThere(): Promise<boolean> {
    return isHeard(await this.#send(initialise(ANY_ADDRESS)));
  }

  /** All meters whose number begins with these digits. */
  async secondary(prefix: string): Promise<void> {
    for (let digit = 0; digit <= 9 && !this.#isOver; digit += 1) {
      const digits = `${prefix}${digit}`;
      const selected = await this.#send(select(parseSecondaryAddress(digits.padEnd(DIGITS, "F")).bytes));
      if (!isHeard(selected)) continue;
      const outcome = await this.#send(requestData(NETWORK_ADDRESS, true));
      if (outcome.kind === "answer") this.#keep(outcome.bytes, undefined);
      else if (outcome.heard && digits.length < DIGITS) await this.secondary(digits);
    }
  }

  async primary(last: number): Promise<void> {
    const known = new Set([...this.#meters.values()].map(({ found }) => found.address));
    await this.#send(initialise(NETWORK_ADDRESS));
    for (let address = 1; address <= last && !this.#isOver; address += 1) {
      if (known.has(address) || !isHeard(await this.#send(initialise(address)))) continue;
      const outcome = await this.#send(requestData(address, true));
      if (outcome.kind === "answer") this.#keep(outcome.bytes, address);
    }
  }

  found(): readonly FoundMbusMeter[] {
    return [...this.#meters.values()].map(({ found }) =>
      this.#shared.has(found.address) ? { ...found, address: NETWORK_ADDRESS } : found,
    );
  }

  #send(request: Uint8Array): Promise<Outcome> {
    return this.#exchange.ask(request, { refuse: () => undefined, where: "scan" }, 0);
  }

  /** One telegram names its meter; what cannot be read names none. */
  #keep(bytes: Uint8Array, asked: number | undefined): void {
    const answered = answeredBy(bytes, asked);
    if (answered === undefined || this.#meters.has(answered.meterId)) return;
    const { address } = answered.found;
    const taken = [...this.#meters.values()].some(({ found }) => found.address === address);
    if (taken) this.#shared.add(address);
    this.#meters.set(answered.meterId, answered);
  }
}

function isHeard(outcome: Outcome): boolean {
  return outcome.kind === "answer" || outcome.heard;
}

function answeredBy(bytes: Uint8Array, asked: number | undefined): Answered | undefined {
  const decoded = decodedOrNone(bytes);
  if (decoded?.frame.kind !== "long" || decoded.meterId === undefined) return undefined;
  const { header = {}, values, meterId, frame } = decoded;
  const own = asked ?? frame.address;
  const isPrimary = own >= 1 && own <= MAX_PRIMARY_ADDRESS;
  const found = {
    address: isPrimary ? own : NETWORK_ADDRESS,
    secondary: secondaryOf(bytes, header.manufacturer !== undefined),
    identity: identityOf({ header, telegrams: [values] }),
    electricity: isElectricity(header),
  };
  return { meterId, found };
}

function decodedOrNone(bytes: Uint8Array): ReturnType<typeof decodeMbus> | undefined {
  try {
    return decodeMbus(bytes);
  } catch {
    // Encrypted or beyond what can be read: the line works, and the scan goes on.
    return undefined;
  }
}

/** The first eight bytes of a long header are the secondary address; fixed data has the number alone. */
function secondaryOf(bytes: Uint8Array, whole: boolean): string {
  const identification = Buffer.from(bytes.subarray(7, 11)).reverse().toString("hex").toUpperCase();
  return whole
    ? identification + Buffer.from(bytes.subarray(11, 15)).toString("hex").toUpperCase()
    : identification;
}
