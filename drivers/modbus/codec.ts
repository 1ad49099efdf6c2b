import { EventEmitter } from "node:events";
import modbusSerial from "modbus-serial";
import {
  decodeIdentification,
  decodeServerId,
  type IdentificationPart,
  type ServerId,
} from "./identification.ts";
import type { Question } from "./line.ts";
import { exceptionProblem, malformedProblem } from "./problems.ts";
import {
  countedShape,
  countingShape,
  EXCEPTION_BIT,
  identificationShape,
  knownShape,
  type ReplyShape,
} from "./reply-shape.ts";
import {
  type BitTable,
  badRequest,
  describeRead,
  READ_FUNCTIONS,
  type RegisterRequest,
  type RegisterTable,
  type WriteRegisterRequest,
  type WriteRegistersRequest,
} from "./request.ts";

/** A question, and how its reply is read. Asked and answered before the next one is made. */
export interface Inquiry<T> extends Question {
  /** Throws a Problem for an exception reply, or one that contradicts itself. `where` is the line's name. */
  decode(reply: Uint8Array, where: string): T;
}

const CRC_BYTES = 2;
const DIAGNOSTICS = 8;
const REPORT_SERVER_ID = 17;
const ENCAPSULATED = 43;
const READ_IDENTIFICATION = 14;

/**
 * What `modbus-serial` takes for its serial port. Requests come out of that library and replies go into it one at a
 * time and at once, so that bytes, deadlines and recovery stay with the line: the library's own ports never clear
 * their receive buffers, have no deadline of their own and do not settle when the peer closes (8.0.25).
 */
class FramePort extends EventEmitter {
  readonly isOpen = true;
  #written: Uint8Array | undefined;

  open(done: () => void): void {
    done();
  }

  write(frame: Uint8Array): void {
    this.#written = frame;
  }

  take(): Uint8Array {
    const written = this.#written;
    this.#written = undefined;
    if (written === undefined) throw badRequest("a request that modbus-serial can encode", "nothing");
    return written;
  }
}

/** A frame of `modbus-serial`, and what that library makes of the reply. */
interface Asked<Reply> {
  readonly frame: Uint8Array;
  take(reply: Uint8Array): Reply;
}

/** Makes requests and reads replies by means of `modbus-serial`. */
export class Codec {
  readonly #port = new FramePort();
  readonly #client = new modbusSerial.default(this.#port);

  constructor() {
    this.#client.open(() => undefined);
  }

  readRegisters(table: RegisterTable, request: RegisterRequest): Inquiry<Uint16Array> {
    const { unit, start, count } = request;
    const { frame, take } = this.#ask<{ data: number[] }>((done) =>
      table === "holding"
        ? this.#client.writeFC3(unit, start, count, done)
        : this.#client.writeFC4(unit, start, count, done),
    );
    const shape = countedShape(unit, READ_FUNCTIONS[table], 2 * count);
    return inquiry(describeRead(table, request), {
      ...{ frame, shape },
      read: (reply) => Uint16Array.from(take(reply).data),
    });
  }

  readBits(table: BitTable, request: RegisterRequest): Inquiry<readonly boolean[]> {
    const { unit, start, count } = request;
    const { frame, take } = this.#ask<{ data: boolean[] }>((done) =>
      table === "coils"
        ? this.#client.writeFC1(unit, start, count, done)
        : this.#client.writeFC2(unit, start, count, done),
    );
    const shape = countedShape(unit, READ_FUNCTIONS[table], Math.ceil(count / 8));
    return inquiry(describeRead(table, request), {
      ...{ frame, shape },
      read: (reply) => take(reply).data.slice(0, count),
    });
  }

  writeRegister({ unit, start, value }: WriteRegisterRequest): Inquiry<void> {
    const { frame, take } = this.#ask((done) => this.#client.writeFC6(unit, start, value, done));
    const read = (reply: Uint8Array): void => void take(reply);
    return inquiry(`unit ${unit} write of register ${start}`, { frame, shape: echoOf(frame), read });
  }

  writeRegisters({ unit, start, values }: WriteRegistersRequest): Inquiry<void> {
    const { frame, take } = this.#ask((done) => this.#client.writeFC16(unit, start, [...values], done));
    const read = (reply: Uint8Array): void => void take(reply);
    const last = start + values.length - 1;
    return inquiry(`unit ${unit} write of registers ${start}-${last}`, { frame, shape: echoOf(frame), read });
  }

  /** Objects of Read Device Identification from `object` on; `modbus-serial` would ask for the rest by itself. */
  identification(unit: number, access: number, object: number): Inquiry<IdentificationPart> {
    const frame = this.#custom(unit, ENCAPSULATED, [READ_IDENTIFICATION, access, object]);
    const shape = identificationShape(unit, access);
    return inquiry(`unit ${unit} device identification`, { frame, shape, read: decodeIdentification });
  }

  /** Report Server ID; `modbus-serial` does not check the byte count of its reply. */
  serverId(unit: number): Inquiry<ServerId> {
    const frame = this.#custom(unit, REPORT_SERVER_ID, []);
    const shape = countingShape(unit, REPORT_SERVER_ID);
    return inquiry(`unit ${unit} server ID`, { frame, shape, read: decodeServerId });
  }

  /** Return Query Data (function 8, sub-function 0; v1.1b3, 6.8): the device repeats `nonce`, 0..65535. */
  echo(unit: number, nonce: number): Inquiry<void> {
    const frame = this.#custom(unit, DIAGNOSTICS, [0, 0, nonce >> 8, nonce & 0xff]);
    return inquiry(`unit ${unit} echo`, { frame, shape: echoOf(frame), read: () => undefined });
  }

  #custom(unit: number, functionCode: number, data: number[]): Uint8Array {
    return this.#ask((done) => this.#client.writeCustomFC(unit, functionCode, data, done)).frame;
  }

  #ask<Reply>(send: (done: (error: Error | null, reply: Reply) => void) => void): Asked<Reply> {
    let outcome: { readonly error: Error | null; readonly reply: Reply } | undefined;
    send((error, reply) => {
      outcome = { error, reply };
    });
    const take = (reply: Uint8Array): Reply => {
      this.#port.emit("data", Buffer.from(reply.buffer, reply.byteOffset, reply.length));
      if (outcome === undefined) throw new Error("no callback");
      if (outcome.error) throw outcome.error;
      return outcome.reply;
    };
    return { frame: this.#port.take(), take };
  }
}

interface Reading<T> {
  readonly frame: Uint8Array;
  readonly shape: ReplyShape;
  read(reply: Uint8Array): T;
}

function inquiry<T>(what: string, { frame, shape, read }: Reading<T>): Inquiry<T> {
  const decode = (reply: Uint8Array, where: string): T => {
    const place = `${where} ${what}`;
    if (((reply[1] ?? 0) & EXCEPTION_BIT) !== 0) throw exceptionProblem(reply[2] ?? 0, place);
    try {
      return read(reply);
    } catch (error) {
      throw malformedProblem(place, "a reply to the request", error instanceof Error ? error.message : "");
    }
  };
  return { frame, shape, what, decode };
}

/** Function 6 is answered with the request itself, 8 / 0 too, 16 with its address and count (v1.1b3, 6.6, 6.8, 6.12). */
function echoOf(frame: Uint8Array): ReplyShape {
  const data = frame.subarray(2, Math.min(6, frame.length - CRC_BYTES));
  return knownShape(frame[0] ?? 0, frame[1] ?? 0, data);
}
