import { Problem } from "../../attest/problem.ts";
import { type Exchange, type Expected, noAnswer, type Outcome } from "./exchange.ts";
import type { MbusFrame } from "./frame.ts";
import type { LongHeader } from "./header.ts";
import type { MbusValue } from "./records.ts";
import { initialise, NETWORK_ADDRESS, requestData, resetApplication, select } from "./requests.ts";
import { fitsSecondary, type SecondaryAddress } from "./secondary.ts";
import { type DecodedMbus, decodeMbus } from "./telegram.ts";

/** Which meter is read, and how. */
export interface ReadoutSettings {
  /** 1 to 250, or 254 where the meter is alone on the line. */
  readonly address: number | SecondaryAddress;
  /** Subcode of an application reset before each readout. */
  readonly applicationReset?: number | undefined;
  /** So many telegrams are read at most; without it all, and a meter that has no end is refused. */
  readonly telegrams?: number | undefined;
  readonly where: string;
}

/** All telegrams of one readout. */
export interface Readout {
  /** As they came, in order; together they decode again without the meter. */
  readonly bytes: Uint8Array;
  readonly meterId: string;
  readonly header: Partial<LongHeader>;
  /** The records of each telegram. */
  readonly telegrams: readonly (readonly MbusValue[])[];
  readonly meterTimeText?: string;
}

/** No meter known has as many. */
const MAX_TELEGRAMS = 32;
const RSP_UD = 0x08;
const FUNCTION = 0x0f;
/** Where the access number of a long header stands: it counts on with every answer. */
const ACCESS_NUMBER_AT = 15;

/**
 * Reads a meter out, from the first telegram to the last. A lost or damaged answer is asked for again with the same
 * frame count bit, so that none is left out.
 *
 * @throws Problem `driver-no-answer`, `mbus-collision`, `mbus-wrong-meter`, `mbus-application-error`, `mbus-endless`,
 *   `mbus-repeating`, `mbus-no-identity`, `driver-identity-changed`, those of {@link decodeMbus}, `line-…`
 */
export async function readOut(exchange: Exchange, settings: ReadoutSettings): Promise<Readout> {
  const { address, applicationReset, where } = settings;
  const called = typeof address === "number" ? address : NETWORK_ADDRESS;
  await callUp(exchange, address, where);
  if (applicationReset !== undefined)
    await exchange.acknowledged(resetApplication(called, applicationReset), where);
  const collected = new Collected(settings);
  while (collected.hasMore) {
    const request = requestData(called, collected.frameCount);
    const outcome = await exchange.ask(request, expectedOf(called, collected, where));
    collected.take(answerOf(outcome, settings));
  }
  return collected.readout();
}

/** The meter begins anew with its first telegram; one with a secondary address is chosen among all. */
async function callUp(exchange: Exchange, address: ReadoutSettings["address"], where: string): Promise<void> {
  if (typeof address === "number") return await exchange.acknowledged(initialise(address), where);
  // Who was selected before is let go; only such a one answers.
  await exchange.tell(initialise(NETWORK_ADDRESS));
  await exchange.acknowledged(select(address.bytes), where);
}

function expectedOf(called: number, { last }: Collected, where: string): Expected {
  const refuse = (frame: MbusFrame, bytes: Uint8Array): Problem | undefined => {
    if (frame.kind === "acknowledgement" || frame.kind === "short")
      return new Problem("mbus-unexpected", "no telegram came", { where, got: `a ${frame.kind} frame` });
    if ((frame.control & FUNCTION) !== RSP_UD)
      return new Problem("mbus-control", "the frame is no answer", { where, got: `C ${frame.control}` });
    if (called <= 250 && frame.address !== called)
      return new Problem("mbus-wrong-address", "another meter answers", {
        where,
        got: `address ${frame.address}`,
        hint: "two meters may have the same address, or a late answer is on the line",
      });
    return last !== undefined && same(last, bytes) ? repeating(where) : undefined;
  };
  return { refuse, where };
}

function answerOf(outcome: Outcome, { address, where }: ReadoutSettings): Uint8Array {
  if (outcome.kind === "answer") return outcome.bytes;
  const { problem } = outcome;
  const several = typeof address !== "number" && address.wildcards;
  if (several && problem !== undefined && problem.code !== "mbus-repeating")
    throw new Problem("mbus-collision", "several meters answer at once", {
      where,
      got: problem.message,
      hint: "give all eight digits of the meter, and its manufacturer if two have the same",
      cause: problem,
    });
  if (problem?.code === "mbus-wrong-address" || problem?.code === "mbus-repeating") throw problem;
  throw noAnswer(where, outcome);
}

function repeating(where: string): Problem {
  return new Problem("mbus-repeating", "the meter sends the same telegram over and over", {
    where,
    hint: 'it does not count frames: set "telegrams" to 1 where its first telegram holds what is needed',
  });
}

/** The same telegram, whatever its access number and therefore its checksum. */
function same(left: Uint8Array, right: Uint8Array): boolean {
  return (
    left.length === right.length &&
    left.every((byte, at) => byte === right[at] || at === ACCESS_NUMBER_AT || at === left.length - 2)
  );
}

class Collected {
  readonly #settings: ReadoutSettings;
  readonly #bytes: Uint8Array[] = [];
  readonly #telegrams: (readonly MbusValue[])[] = [];
  #first: DecodedMbus | undefined;
  #meterTimeText: string | undefined;
  hasMore = true;
  /** The first request after the initialisation has it set. */
  frameCount = true;

  constructor(settings: ReadoutSettings) {
    this.#settings = settings;
  }

  get last(): Uint8Array | undefined {
    return this.#bytes.at(-1);
  }

  take(bytes: Uint8Array): void {
    const decoded = decodeMbus(bytes);
    this.#requireAnswer(decoded);
    this.#requireMeter(decoded);
    this.#first ??= decoded;
    this.#meterTimeText ??= decoded.meterTimeText;
    this.#bytes.push(bytes);
    this.#telegrams.push(decoded.values);
    this.frameCount = !this.frameCount;
    this.hasMore = decoded.more && this.#bytes.length < (this.#settings.telegrams ?? Infinity);
    if (this.hasMore && this.#bytes.length >= MAX_TELEGRAMS) throw this.#endless();
  }

  readout(): Readout {
    const { meterId = "", header = {} } = this.#first ?? {};
    return {
      ...{ bytes: new Uint8Array(Buffer.concat(this.#bytes)), meterId, header, telegrams: this.#telegrams },
      ...(this.#meterTimeText === undefined ? {} : { meterTimeText: this.#meterTimeText }),
    };
  }

  #requireAnswer({ applicationError }: DecodedMbus): void {
    if (applicationError === undefined) return;
    throw new Problem("mbus-application-error", "the meter refuses the readout", {
      where: this.#settings.where,
      got: applicationError.text,
      hint: "a meter that is busy answers later; others may need an application reset before the readout",
    });
  }

  #requireMeter({ meterId, header }: DecodedMbus): void {
    const { address, where } = this.#settings;
    const first = this.#first?.meterId;
    if (first === undefined && meterId === undefined)
      throw new Problem("mbus-no-identity", "the meter does not say who it is", {
        where,
        expected: "a telegram with CI 72 or 73",
      });
    if (first !== undefined && meterId !== undefined && first !== meterId)
      throw new Problem("driver-identity-changed", "two meters answer within one readout", {
        ...{ where, expected: first, got: meterId },
        hint: "do two meters have the same address?",
      });
    if (typeof address !== "number" && meterId !== undefined && !fits(address, header))
      throw new Problem("mbus-wrong-meter", "another meter answers than the one selected", {
        ...{ where, expected: address.text, got: meterId },
      });
  }

  #endless(): Problem {
    return new Problem("mbus-endless", "the readout has no end", {
      where: this.#settings.where,
      expected: `at most ${MAX_TELEGRAMS} telegrams`,
      hint: 'set "telegrams" to as many as hold what is needed',
    });
  }
}

/** Fixed data names its meter by eight digits alone. */
function fits(address: SecondaryAddress, header: DecodedMbus["header"]): boolean {
  const { identification = "", manufacturer, version, medium } = header ?? {};
  const { text } = address;
  if (manufacturer === undefined || version === undefined || medium === undefined)
    return [...text.slice(0, 8)].every((digit, at) => digit === "F" || digit === identification[at]);
  return fitsSecondary(address, { identification, manufacturer, version, medium });
}
