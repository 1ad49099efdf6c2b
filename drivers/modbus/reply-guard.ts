/** What the next reply must look like. */
export interface ExpectedReply {
  readonly transaction: number;
  readonly unit: number;
  readonly count: number;
}

/** One fault of the byte stream, in the words of an error message. */
export interface ReplyFault {
  readonly expected: string;
  readonly got: string;
}

type State = "idle" | "header" | "body";

const HEADER_BYTES = 7;
/** Length field of an exception reply: unit, function, exception code. */
const EXCEPTION_LENGTH = 3;

/**
 * Watches the bytes of a Modbus TCP connection before `modbus-serial` sees them, because that library
 * (8.0.25) does not check the protocol identifier, takes an exception from any unit as the answer, waits
 * for ever on a wrong length field, and drops a foreign transaction without a word.
 *
 *     | transaction 2 | protocol 2 = 0 | length 2 | unit 1 | function and data, length - 1 bytes |
 *
 * MBAP header: Modbus Messaging on TCP/IP v1.0b, 3.1.3. Holds at most the 7 header bytes.
 */
export class ReplyGuard {
  #state: State = "idle";
  #expected: ExpectedReply = { transaction: 0, unit: 0, count: 0 };
  readonly #header = new Uint8Array(HEADER_BYTES);
  #have = 0;
  #left = 0;

  /** Arms the guard for exactly one reply. */
  expect(reply: ExpectedReply): void {
    this.#expected = reply;
    this.#state = "header";
    this.#have = 0;
  }

  /** Takes received bytes; the first fault, or undefined. After a fault the connection has to go. */
  push(bytes: Uint8Array): ReplyFault | undefined {
    let at = 0;
    while (at < bytes.length) {
      if (this.#state === "idle") return unasked(bytes.length - at);
      if (this.#state === "body") {
        at += this.#takeBody(bytes.length - at);
        continue;
      }
      this.#header[this.#have++] = bytes[at++] ?? 0;
      const fault = this.#have === HEADER_BYTES ? this.#startBody() : undefined;
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #takeBody(available: number): number {
    const taken = Math.min(available, this.#left);
    this.#left -= taken;
    if (this.#left === 0) this.#state = "idle";
    return taken;
  }

  #startBody(): ReplyFault | undefined {
    const view = new DataView(this.#header.buffer);
    const length = view.getUint16(4);
    this.#left = length - 1;
    this.#state = "body";
    return headerFault(this.#expected, {
      transaction: view.getUint16(0),
      protocol: view.getUint16(2),
      length,
      unit: view.getUint8(6),
    });
  }
}

interface Header {
  readonly transaction: number;
  readonly protocol: number;
  readonly length: number;
  readonly unit: number;
}

function headerFault(expected: ExpectedReply, header: Header): ReplyFault | undefined {
  // Unit, function, byte count, then two bytes a register.
  const full = 3 + 2 * expected.count;
  if (header.protocol !== 0) return { expected: "protocol 0", got: `protocol ${header.protocol}` };
  if (header.length !== full && header.length !== EXCEPTION_LENGTH)
    return { expected: `length ${full}`, got: `length ${header.length}` };
  if (header.transaction !== expected.transaction)
    return { expected: `transaction ${expected.transaction}`, got: `transaction ${header.transaction}` };
  if (header.unit !== expected.unit) return { expected: `unit ${expected.unit}`, got: `unit ${header.unit}` };
  return undefined;
}

function unasked(count: number): ReplyFault {
  return { expected: "nothing, no request is outstanding", got: `${count} bytes` };
}
