/** A request as it arrived on a serial line. */
export interface RtuRequest {
  readonly unit: number;
  /** Function code and data. */
  readonly pdu: Uint8Array;
}

/** CRC bit by bit, as the standard's own description has it (Modbus over Serial Line v1.02, 2.5.1.2). */
export function rtuCrc(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      const carry = crc & 1;
      crc >>= 1;
      if (carry === 1) crc ^= 0xa001;
    }
  }
  return crc;
}

/** Unit and PDU with their CRC, low byte first. */
export function encodeRtu(unit: number, pdu: Uint8Array): Uint8Array {
  const body = Uint8Array.of(unit, ...pdu);
  const crc = rtuCrc(body);
  return Uint8Array.of(...body, crc & 0xff, crc >> 8);
}

const MAX_REQUEST_BYTES = 256;

/**
 * Cuts a byte stream into requests by their lengths, since a pseudo terminal and TCP carry no silences. What has a wrong
 * CRC is thrown away up to the next byte: a device stays silent about it (2.4.1).
 */
export class RtuRequestParser {
  #bytes: readonly number[] = [];

  push(chunk: Uint8Array): readonly RtuRequest[] {
    this.#bytes = [...this.#bytes, ...chunk];
    const requests: RtuRequest[] = [];
    for (;;) {
      const length = requestLength(this.#bytes);
      if (length === undefined || this.#bytes.length < length) break;
      const frame = Uint8Array.from(this.#bytes.slice(0, length));
      const good = length <= MAX_REQUEST_BYTES && isSound(frame);
      this.#bytes = this.#bytes.slice(good ? length : 1);
      if (good) requests.push({ unit: frame[0] ?? 0, pdu: frame.slice(1, -2) });
    }
    return requests;
  }

  /** A silence on the line ends whatever was half received. */
  reset(): void {
    this.#bytes = [];
  }
}

function isSound(frame: Uint8Array): boolean {
  const end = frame.length - 2;
  return rtuCrc(frame.subarray(0, end)) === ((frame[end] ?? 0) | ((frame[end + 1] ?? 0) << 8));
}

/** Bytes of the whole request with unit and CRC; undefined while that cannot be known. */
function requestLength(bytes: readonly number[]): number | undefined {
  const [, functionCode] = bytes;
  if (functionCode === undefined) return undefined;
  if (functionCode === 17) return 4;
  if (functionCode === 43) return 7;
  if (functionCode !== 15 && functionCode !== 16) return 8;
  const byteCount = bytes[6];
  return byteCount === undefined ? undefined : 9 + byteCount;
}
