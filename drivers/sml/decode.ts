import { Problem } from "../../attest/problem.ts";
import type { DecodedTelegram, TelegramValue } from "../telegram/telegram.ts";
import { decimalText, hexText, obisText } from "../telegram/text.ts";
import type { SmlElement, SmlNumber } from "./element.ts";
import { hasUncertainSign, meterIdText, octetText } from "./identity.ts";
import { GET_LIST_RESPONSE, readMessages } from "./message.ts";
import { readTime, type SmlTime } from "./time.ts";
import { type FileContent, unwrapFile } from "./transport.ts";
import { unitName } from "./units.ts";

/** One entry of a list of values. */
export interface SmlValue extends TelegramValue {
  /** The number of the unit, also where `unit` has no name for it. */
  readonly unitCode?: number;
  /** The meter's own bits about this value. */
  readonly status?: bigint;
  readonly valueTime?: SmlTime;
  /** The bytes behind the text of an octet string. */
  readonly octets?: Uint8Array;
  /** The meter may belong to a family that sends such values as negative that are not. */
  readonly doubt?: "sign";
}

/** What one list of values says. */
export interface SmlTelegram extends DecodedTelegram {
  readonly serverId?: Uint8Array;
  /** OBIS code of the list, 1-0:98.10.255*255 where a meter names its last values. */
  readonly listName?: string;
  readonly sensorTime?: SmlTime;
  readonly values: readonly SmlValue[];
}

/** Codes under which meters name themselves (OBIS: device identification). */
const IDENTITY_CODES: readonly string[] = ["1-0:96.1.0*255", "1-0:0.0.9*255"];
const WATT = 27;
/** Beyond this width the meters of uncertain sign send the sign right. */
const MAX_UNCERTAIN_BYTES = 3;

/**
 * Decodes one whole file, transport and checksums included, into one telegram for each list of values in it. The
 * resolution of a value is its exponent, as sent: a locked meter that counts whole kWh says so there or shows zeros.
 *
 * @throws Problem `sml-truncated`, `sml-escape`, `sml-checksum`, `sml-padding`, `sml-message-checksum`, `sml-element`,
 *   `sml-list` for a list of values that is none; always for the whole file
 */
export function decodeSml(bytes: Uint8Array): readonly SmlTelegram[] {
  const content = unwrapFile(bytes);
  const lists = readMessages(content).filter(({ tag }) => tag === GET_LIST_RESPONSE);
  return lists.map(({ body }) => new ListDecoder(content).telegram(body));
}

/** Decodes the body of an SML_GetList.Res (BSI TR-03109-1, Annex IV part b). */
class ListDecoder {
  readonly #content: FileContent;

  constructor(content: FileContent) {
    this.#content = content;
  }

  telegram(body: SmlElement): SmlTelegram {
    const [client, server, name, time, list, signature, gateway] = this.#sequence(body, 7);
    this.#octets(client);
    this.#octets(signature);
    this.#time(gateway);
    const serverId = this.#octets(server);
    const listName = this.#octets(name);
    const sensorTime = this.#time(time);
    const values = this.#list(list).map((entry) => this.#value(entry));
    const meterId = serverId === undefined ? namedBy(values) : meterIdText(serverId);
    return {
      ...(meterId === undefined ? {} : { meterId }),
      ...meterTime(sensorTime),
      ...(serverId === undefined ? {} : { serverId }),
      ...(listName === undefined
        ? {}
        : { listName: listName.length === 6 ? obisText(listName) : hexText(listName) }),
      ...(sensorTime === undefined ? {} : { sensorTime }),
      values: values.map((value) => doubted(value, meterId)),
    };
  }

  #value(entry: SmlElement): SmlValueOfWidth {
    const [name, status, time, unit, scaler, value, signature] = this.#sequence(entry, 7);
    const code = this.#octets(name);
    if (code?.length !== 6) throw this.#problem(name, "an OBIS code of 6 bytes");
    this.#octets(signature);
    const statusBits = this.#number(status, "unsigned", 8);
    const valueTime = this.#time(time);
    const common = {
      code: obisText(code),
      ...(statusBits === undefined ? {} : { status: statusBits.value }),
      ...(valueTime === undefined ? {} : { valueTime }),
    };
    const unitCode = this.#number(unit, "unsigned", 1);
    const exponent = this.#number(scaler, "integer", 1);
    if (value?.kind === "integer" || value?.kind === "unsigned")
      return { ...common, ...numeric(value, { unitCode, exponent }) };
    return { ...common, ...this.#textual(value) };
  }

  #textual(value: SmlElement | undefined): Pick<SmlValue, "text" | "octets"> {
    if (value?.kind === "octets") return { text: octetText(value.bytes), octets: value.bytes.slice() };
    if (value?.kind === "boolean") return { text: String(value.value) };
    if (value?.kind === "absent") return { text: "" };
    throw this.#problem(value, "a number, an octet string or a boolean as value");
  }

  #sequence(element: SmlElement | undefined, length: number): readonly SmlElement[] {
    const elements = this.#list(element);
    if (elements.length !== length) throw this.#problem(element, `a list of ${length}`, `${elements.length}`);
    return elements;
  }

  #list(element: SmlElement | undefined): readonly SmlElement[] {
    if (element?.kind === "list") return element.elements;
    throw this.#problem(element, "a list");
  }

  #octets(element: SmlElement | undefined): Uint8Array | undefined {
    if (element?.kind === "absent") return undefined;
    if (element?.kind === "octets") return element.bytes.slice();
    throw this.#problem(element, "an octet string");
  }

  #time(element: SmlElement | undefined): SmlTime | undefined {
    if (element?.kind === "absent") return undefined;
    const time = element === undefined ? undefined : readTime(element);
    if (time === undefined) throw this.#problem(element, "a time");
    return time;
  }

  #number(element: SmlElement | undefined, kind: SmlNumber["kind"], maxBytes: number): SmlNumber | undefined {
    if (element?.kind === "absent") return undefined;
    if (element?.kind === kind && element.widthBytes <= maxBytes) return element;
    throw this.#problem(element, `${kind} of at most ${maxBytes} bytes`);
  }

  #problem(element: SmlElement | undefined, expected: string, got = element?.kind ?? "nothing"): Problem {
    const where = `file offset ${this.#content.offsetOf(element?.at ?? 0)}`;
    return new Problem("sml-list", "a list of values cannot be read", { where, expected, got });
  }
}

/** A value, and of how many bytes its number was. */
type SmlValueOfWidth = SmlValue & { readonly widthBytes?: number };

interface Scale {
  readonly unitCode: SmlNumber | undefined;
  readonly exponent: SmlNumber | undefined;
}

function numeric(number: SmlNumber, scale: Scale): Omit<SmlValueOfWidth, "code"> {
  const exponent = Number(scale.exponent?.value ?? 0n);
  const unitCode = scale.unitCode === undefined ? undefined : Number(scale.unitCode.value);
  const unit = unitCode === undefined ? undefined : unitName(unitCode);
  return {
    text: decimalText({ digits: number.value, exponent }),
    scaled: { digits: number.value, exponent },
    widthBytes: number.widthBytes,
    ...(unit === undefined ? {} : { unit }),
    ...(unitCode === undefined ? {} : { unitCode }),
  };
}

function namedBy(values: readonly SmlValue[]): string | undefined {
  const named = IDENTITY_CODES.map((code) => values.find((value) => value.code === code && value.octets));
  const octets = named.find((value) => value !== undefined)?.octets;
  return octets === undefined ? undefined : meterIdText(octets);
}

/** A second index counts from a moment that only the meter knows: it is no time of day. */
function meterTime(time: SmlTime | undefined): Pick<DecodedTelegram, "meterTimeMs"> {
  if (time === undefined || time.kind === "second-index") return {};
  return { meterTimeMs: time.seconds * 1_000 };
}

function doubted({ widthBytes, ...value }: SmlValueOfWidth, meterId: string | undefined): SmlValue {
  const negative = value.scaled !== undefined && value.scaled.digits < 0n;
  const narrow = widthBytes !== undefined && widthBytes <= MAX_UNCERTAIN_BYTES;
  if (!negative || !narrow || value.unitCode !== WATT || meterId === undefined) return value;
  return hasUncertainSign(meterId) ? { ...value, doubt: "sign" } : value;
}
