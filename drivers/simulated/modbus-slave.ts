/** One unit's or one gateway's memory, asked at each request. */
export interface SlaveModel {
  /** Registers (function 3 and 4) or bits as 0 and 1 (1 and 2); an exception code; undefined keeps silent. */
  read(request: SlaveRead): readonly number[] | { readonly exception: number } | undefined;
  /** Takes registers (function 6 and 16), or refuses them with an exception code. */
  write?(request: SlaveWrite): { readonly exception: number } | undefined;
  /** Objects of Read Device Identification (function 43 / 14), by number. */
  readonly identification?: ReadonlyMap<number, string>;
  /** Bytes of Report Server ID (function 17). */
  readonly serverId?: Uint8Array;
  /** Whether Return Query Data (function 8, sub-function 0) is answered, refused or ignored; default answered. */
  readonly echo?: "answered" | "refused" | "ignored";
}

export type SlaveTable = "coils" | "discrete" | "holding" | "input";

export interface SlaveRead {
  readonly unit: number;
  readonly table: SlaveTable;
  readonly start: number;
  readonly count: number;
}

export interface SlaveWrite {
  readonly unit: number;
  readonly start: number;
  readonly values: readonly number[];
}

const TABLES: Readonly<Record<number, SlaveTable>> = { 1: "coils", 2: "discrete", 3: "holding", 4: "input" };
const ILLEGAL_FUNCTION = 1;
const ILLEGAL_ADDRESS = 2;
const ILLEGAL_VALUE = 3;
/** Objects that fit one reply of a simulated device, so that a master has to ask again. */
const OBJECTS_PER_REPLY = 2;

/** The reply (function code and data) to a request, as Modbus Application Protocol v1.1b3, 6 has it; or silence. */
export function answerPdu(model: SlaveModel, unit: number, pdu: Uint8Array): Uint8Array | undefined {
  const functionCode = pdu[0] ?? 0;
  const table = TABLES[functionCode];
  if (table !== undefined) return readReply(model, { unit, table, pdu });
  switch (functionCode) {
    case 6:
      return writeReply(model, { unit, pdu, values: [word(pdu, 3)] });
    case 16:
      return writeReply(model, { unit, pdu, values: words(pdu.subarray(6)) });
    case 8:
      return echoReply(model, pdu);
    case 17:
      return model.serverId === undefined
        ? exception(17, ILLEGAL_FUNCTION)
        : Uint8Array.of(17, model.serverId.length, ...model.serverId);
    case 43:
      return identificationReply(model, pdu);
    default:
      return exception(functionCode, ILLEGAL_FUNCTION);
  }
}

function readReply(
  model: SlaveModel,
  { unit, table, pdu }: { unit: number; table: SlaveTable; pdu: Uint8Array },
): Uint8Array | undefined {
  const functionCode = pdu[0] ?? 0;
  const [start, count] = [word(pdu, 1), word(pdu, 3)];
  const bits = table === "coils" || table === "discrete";
  if (pdu.length !== 5 || count < 1 || count > (bits ? 2000 : 125))
    return exception(functionCode, ILLEGAL_VALUE);
  if (start + count > 65536) return exception(functionCode, ILLEGAL_ADDRESS);
  const answer = model.read({ unit, table, start, count });
  if (answer === undefined) return undefined;
  if ("exception" in answer) return exception(functionCode, answer.exception);
  const data = bits ? packBits(answer) : answer.flatMap((value) => [value >> 8, value & 0xff]);
  return Uint8Array.of(functionCode, data.length, ...data);
}

function packBits(bits: readonly number[]): number[] {
  const bytes = Array.from({ length: Math.ceil(bits.length / 8) }, () => 0);
  bits.forEach((bit, at) => {
    bytes[at >> 3] = (bytes[at >> 3] ?? 0) | ((bit & 1) << (at & 7));
  });
  return bytes;
}

function writeReply(
  model: SlaveModel,
  { unit, pdu, values }: { unit: number; pdu: Uint8Array; values: readonly number[] },
): Uint8Array {
  const functionCode = pdu[0] ?? 0;
  if (model.write === undefined) return exception(functionCode, ILLEGAL_FUNCTION);
  const refused = model.write({ unit, start: word(pdu, 1), values });
  return refused === undefined ? pdu.slice(0, 5) : exception(functionCode, refused.exception);
}

function echoReply({ echo = "answered" }: SlaveModel, pdu: Uint8Array): Uint8Array | undefined {
  if (echo === "ignored") return undefined;
  return echo === "refused" || word(pdu, 1) !== 0 ? exception(8, ILLEGAL_FUNCTION) : pdu.slice();
}

function identificationReply({ identification }: SlaveModel, pdu: Uint8Array): Uint8Array {
  if (identification === undefined || pdu[1] !== 14) return exception(43, ILLEGAL_FUNCTION);
  const [, , access = 1, from = 0] = pdu;
  const last = access === 1 ? 2 : access === 2 ? 6 : 255;
  const wanted = [...identification].filter(([object]) => object >= from && object <= last);
  const now = wanted.slice(0, OBJECTS_PER_REPLY);
  const next = wanted[OBJECTS_PER_REPLY]?.[0];
  const objects = now.flatMap(([object, text]) => {
    const bytes = new TextEncoder().encode(text);
    return [object, bytes.length, ...bytes];
  });
  return Uint8Array.of(
    ...[43, 14, access, 0x83, next === undefined ? 0 : 0xff, next ?? 0],
    ...[now.length, ...objects],
  );
}

function exception(functionCode: number, code: number): Uint8Array {
  return Uint8Array.of(functionCode | 0x80, code);
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function words(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length >> 1 }, (_, at) => word(bytes, 2 * at));
}
