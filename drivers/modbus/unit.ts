import { Problem } from "../../attest/problem.ts";
import type { ModbusBus, RequestOptions } from "./bus.ts";
import type { IdentificationAccess, ServerId } from "./identification.ts";
import { type BusLease, type BusRegistry, modbusLines } from "./registry.ts";
import type { BitTable, RegisterTable } from "./request.ts";
import type { LineSettings } from "./settings.ts";
import type { UnitStatistics } from "./statistics.ts";

export interface UnitSettings {
  /** Unit identifier: 0..255 over TCP, 1..247 on a serial line. */
  readonly unit: number;
  /** Default: 3000 over TCP, 1000 on other lines. */
  readonly timeoutMs?: number | undefined;
  readonly minGapMs?: number;
  readonly connectDelayMs?: number;
  /** False for a device that function 8 confuses; see {@link RequestOptions}. */
  readonly echo?: boolean;
}

const TCP_TIMEOUT_MS = 3000;
const SERIAL_TIMEOUT_MS = 1000;

/** One device on a line that it may share with others, as its driver sees it. */
export class ModbusUnit {
  readonly #lease: BusLease;
  readonly #unit: number;
  readonly #options: RequestOptions;
  #closed = false;

  /**
   * Does not touch the line.
   *
   * @throws Problem `modbus-line-conflict` when another device on the line has other settings for it
   */
  constructor(line: LineSettings, settings: UnitSettings, registry: BusRegistry = modbusLines) {
    const { unit, connectDelayMs = 0, minGapMs = 0, echo = true } = settings;
    const timeoutMs = settings.timeoutMs ?? (line.transport === "tcp" ? TCP_TIMEOUT_MS : SERIAL_TIMEOUT_MS);
    this.#lease = registry.lease(line, { timeoutMs, connectDelayMs });
    this.#unit = unit;
    this.#options = { timeoutMs, minGapMs, echo };
  }

  /** See {@link ModbusBus.connection}. */
  get connection(): number | undefined {
    return this.#lease.bus.connection;
  }

  /** Undefined before the first request. */
  statistics(): UnitStatistics | undefined {
    return this.#lease.bus.statistics().units.get(this.#unit);
  }

  /** `count` registers from `start`; see {@link ModbusBus.readRegisters}. */
  async readRegisters(
    table: RegisterTable,
    range: { readonly start: number; readonly count: number },
    options: RequestOptions = {},
  ): Promise<Uint16Array> {
    const { start, count } = range;
    return await this.#open.readRegisters(table, { unit: this.#unit, start, count }, this.#with(options));
  }

  /** `count` bits from `start`; see {@link ModbusBus.readBits}. */
  async readBits(
    table: BitTable,
    range: { readonly start: number; readonly count: number },
    options: RequestOptions = {},
  ): Promise<readonly boolean[]> {
    const { start, count } = range;
    return await this.#open.readBits(table, { unit: this.#unit, start, count }, this.#with(options));
  }

  /** See {@link ModbusBus.writeRegister}. */
  async writeRegister(start: number, value: number, options: RequestOptions = {}): Promise<void> {
    await this.#open.writeRegister({ unit: this.#unit, start, value }, this.#with(options));
  }

  /** See {@link ModbusBus.writeRegisters}. */
  async writeRegisters(
    start: number,
    values: readonly number[],
    options: RequestOptions = {},
  ): Promise<void> {
    await this.#open.writeRegisters({ unit: this.#unit, start, values }, this.#with(options));
  }

  /** See {@link ModbusBus.readIdentification}. */
  async readIdentification(
    access: IdentificationAccess,
    options: RequestOptions = {},
  ): Promise<ReadonlyMap<number, string>> {
    return await this.#open.readIdentification(this.#unit, access, this.#with(options));
  }

  /** See {@link ModbusBus.readServerId}. */
  async readServerId(options: RequestOptions = {}): Promise<ServerId> {
    return await this.#open.readServerId(this.#unit, this.#with(options));
  }

  /** Gives the line back; the last device on it closes it. Never throws, may be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#lease.release();
  }

  /** Others may go on using the line after this device was closed. */
  get #open(): ModbusBus {
    if (!this.#closed) return this.#lease.bus;
    throw new Problem("modbus-bus-closed", "the device was closed", { where: `unit ${this.#unit}` });
  }

  #with(options: RequestOptions): RequestOptions {
    return { ...this.#options, ...options };
  }
}
