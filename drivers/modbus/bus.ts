import type { Order } from "./conversation.ts";
import {
  ACCESS_CODES,
  type IdentificationAccess,
  type IdentificationPart,
  readParts,
  type ServerId,
} from "./identification.ts";
import type { OpenLine } from "./line.ts";
import { openLineOf } from "./open-line.ts";
import type { Priority } from "./queue.ts";
import {
  type BitTable,
  checkRead,
  checkUnit,
  checkWrite,
  describeRead,
  READ_FUNCTIONS,
  type RegisterRequest,
  type RegisterTable,
  type WriteRegisterRequest,
  type WriteRegistersRequest,
} from "./request.ts";
import { type LineSettings, nameOfLine } from "./settings.ts";
import type { BusStatistics } from "./statistics.ts";
import { type Terms, Traffic } from "./traffic.ts";

/** Times that hold for every request of a bus that does not say otherwise. */
export interface BusTiming {
  /** The longest wait for a reply, beyond what its bytes take on the wire; of a connection, for it to open. */
  readonly timeoutMs: number;
  /** Pause between a new connection and the first request; some devices need about 1000. */
  readonly connectDelayMs?: number;
  /** Silence between a reply and the next request. */
  readonly minGapMs?: number;
  /** Longest pause between attempts on a connection or a unit that keeps failing; default 60 s. */
  readonly longestBackOffMs?: number;
  /** Requests of one unit that may wait; one more is refused. Default 64. */
  readonly queueLimit?: number;
  /**
   * On a serial line, the least time between a reply and the next request whose reply could not be told from it. Default:
   * half of `timeoutMs`, at most 50.
   */
  readonly settleMs?: number;
}

/** What a request may say for itself. */
export interface RequestOptions {
  /** Default "poll". */
  readonly priority?: Priority;
  readonly timeoutMs?: number;
  readonly minGapMs?: number;
  /** From the call to its end, waiting included. Default: eight times `timeoutMs`, at least 10 s. */
  readonly deadlineMs?: number;
  /** Ask even a unit that keeps failing; control always does. */
  readonly insist?: boolean;
  /**
   * Whether the unit may be asked for echoes (function 8) on a serial line; default true. False for a device that
   * function 8 confuses: then it rests after a fault, and nothing else tells a later reply from a late one.
   */
  readonly echo?: boolean;
}

const SETTLE_PART = 0.5;
const LONGEST_SETTLE_MS = 50;
const DEADLINE_TIMEOUTS = 8;
const LEAST_DEADLINE_MS = 10_000;

/**
 * One physical line, shared by all units on it: one request at a time, by priority and then in order, each with its
 * own deadline. What a line does after a fault, so that a late reply is never taken for the reply to a later request:
 *
 * - TCP: the connection is thrown away; the next request opens a new one.
 * - Serial, and serial over TCP: silence of `timeoutMs` on the whole line and of four of them for the unit asked;
 *   for ten of them, a read of that unit counts only between two echoes (see {@link Trust}).
 *
 * Every request rejects with a Problem: `modbus-bad-request`, `modbus-queue-full`, `modbus-bus-closed`,
 * `modbus-deadline`, `modbus-timeout`, `modbus-malformed`, `modbus-crc`, `modbus-closed`, `modbus-wrong-unit`,
 * `modbus-illegal-address` and the other exceptions of the protocol; over TCP `modbus-refused`, `modbus-unreachable`,
 * `modbus-host-unknown`, on other lines the line's own `line-…` and `modbus-babble`.
 */
export class ModbusBus {
  readonly #traffic: Traffic;
  readonly #timing: Required<BusTiming>;

  constructor(name: string, openLine: OpenLine, timing: BusTiming) {
    const settleMs = Math.min(LONGEST_SETTLE_MS, timing.timeoutMs * SETTLE_PART);
    const defaults = { connectDelayMs: 0, minGapMs: 0, longestBackOffMs: 60_000, queueLimit: 64, settleMs };
    this.#timing = { ...defaults, ...timing };
    this.#traffic = new Traffic(name, openLine, this.#timing);
  }

  /** A bus on a line. Does not touch it before the first request, nor before `free` has resolved. */
  static open(line: LineSettings, timing: BusTiming, free?: Promise<void>): ModbusBus {
    const open = openLineOf(line, timing.timeoutMs);
    const openLine: OpenLine = async (signal) => {
      await free;
      return await open(signal);
    };
    const settle = line.transport === "tcp" ? { settleMs: 0 } : {};
    return new ModbusBus(nameOfLine(line), openLine, { ...timing, ...settle });
  }

  /** How messages call the line. */
  get name(): string {
    return this.#traffic.name;
  }

  /** Number of the open connection, a new one for every reconnect; undefined while there is none. */
  get connection(): number | undefined {
    return this.#traffic.connection;
  }

  /** Counted since the bus was made. */
  statistics(): BusStatistics {
    return this.#traffic.statistics();
  }

  /** Exactly `request.count` registers, unsigned, in the order of their addresses (functions 3 and 4). */
  async readRegisters(
    table: RegisterTable,
    request: RegisterRequest,
    options: RequestOptions = {},
  ): Promise<Uint16Array> {
    checkRead(table, request);
    const kind = { functionCode: READ_FUNCTIONS[table], byteCount: 2 * request.count };
    const { unit } = request;
    const order: Order<Uint16Array> = {
      ...{ unit, kind, what: describeRead(table, request) },
      inquire: (codec) => codec.readRegisters(table, request),
    };
    return await this.#ask(order, options);
  }

  /** {@link readRegisters} of the holding registers. */
  readHoldingRegisters(request: RegisterRequest, options: RequestOptions = {}): Promise<Uint16Array> {
    return this.readRegisters("holding", request, options);
  }

  /** {@link readRegisters} of the input registers. */
  readInputRegisters(request: RegisterRequest, options: RequestOptions = {}): Promise<Uint16Array> {
    return this.readRegisters("input", request, options);
  }

  /** Exactly `request.count` bits in the order of their addresses (functions 1 and 2). */
  async readBits(
    table: BitTable,
    request: RegisterRequest,
    options: RequestOptions = {},
  ): Promise<readonly boolean[]> {
    checkRead(table, request);
    const kind = { functionCode: READ_FUNCTIONS[table], byteCount: Math.ceil(request.count / 8) };
    const { unit } = request;
    const order: Order<readonly boolean[]> = {
      ...{ unit, kind, what: describeRead(table, request) },
      inquire: (codec) => codec.readBits(table, request),
    };
    return await this.#ask(order, options);
  }

  /** Writes one register (function 6); resolves when the device has confirmed it. To know, read it back. */
  async writeRegister(request: WriteRegisterRequest, options: RequestOptions = {}): Promise<void> {
    const { unit, start, value } = request;
    checkWrite(unit, start, [value]);
    const what = `unit ${unit} write of register ${start}`;
    await this.#ask(
      { unit, what, kind: undefined, inquire: (codec) => codec.writeRegister(request) },
      { priority: "control", ...options },
    );
  }

  /** Writes neighbouring registers in one request (function 16), as {@link writeRegister}. */
  async writeRegisters(request: WriteRegistersRequest, options: RequestOptions = {}): Promise<void> {
    const { unit, start, values } = request;
    checkWrite(unit, start, values);
    const what = `unit ${unit} write of registers from ${start}`;
    await this.#ask(
      { unit, what, kind: undefined, inquire: (codec) => codec.writeRegisters(request) },
      { priority: "control", ...options },
    );
  }

  /**
   * Who the device says it is (function 43 / 14), by {@link IDENTIFICATION_OBJECTS}, in as many requests as it takes;
   * `modbus-illegal-function` from a device that does not say.
   */
  async readIdentification(
    unit: number,
    access: IdentificationAccess,
    options: RequestOptions = {},
  ): Promise<ReadonlyMap<number, string>> {
    checkUnit(unit);
    const what = `unit ${unit} device identification`;
    const kind = { functionCode: 43, byteCount: 0 };
    const code = ACCESS_CODES[access];
    return await readParts(`${this.name} ${what}`, (object) => {
      const order: Order<IdentificationPart> = {
        ...{ unit, what, kind },
        inquire: (codec) => codec.identification(unit, code, object),
      };
      return this.#ask(order, options);
    });
  }

  /** What the device answers to Report Server ID (function 17); its meaning is the device's own. */
  async readServerId(unit: number, options: RequestOptions = {}): Promise<ServerId> {
    checkUnit(unit);
    const what = `unit ${unit} server ID`;
    const kind = { functionCode: 17, byteCount: 0 };
    return await this.#ask({ unit, what, kind, inquire: (codec) => codec.serverId(unit) }, options);
  }

  /** Ends the connection and rejects what is outstanding. Never throws, may be called twice. */
  async close(): Promise<void> {
    await this.#traffic.close();
  }

  #ask<T>(order: Order<T>, options: RequestOptions): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#timing.timeoutMs;
    const priority = options.priority ?? "poll";
    const terms: Terms = {
      ...{ timeoutMs, priority },
      minGapMs: options.minGapMs ?? this.#timing.minGapMs,
      deadlineMs: options.deadlineMs ?? Math.max(LEAST_DEADLINE_MS, DEADLINE_TIMEOUTS * timeoutMs),
      insist: options.insist ?? priority === "control",
      echo: options.echo ?? true,
    };
    return this.#traffic.ask(order, terms);
  }
}
