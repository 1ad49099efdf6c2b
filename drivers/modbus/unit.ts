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
    return this.#bus.connection;
  }

  /** Undefined before the first request. */
  statistics(): UnitStatistics | undefined {
    return this.#bus.statistics().units.get(this.#unit);
  }

  /** `count` registers from `start`; see {@link ModbusBus.readRegisters}. */
  readRegisters(
    table: RegisterTable,
    range: { readonly start: number; readonly count: number },
    options: RequestOptions = {},
  ): Promise<Uint16Array> {
    const { start, count } = range;
    return this.#bus.readRegisters(table, { unit: this.#unit, start, count }, this.#with(options));
  }

  /** `count` bits from `start`; see {@link ModbusBus.readBits}. */
  readBits(
    table: BitTable,
    range: { readonly start: number; readonly count: number },
    options: RequestOptions = {},
  ): Promise<readonly boolean[]> {
    const { start, count } = range;
    return this.#bus.readBits(table, { unit: this.#unit, start, count }, this.#with(options));
  }

  /** See {@link ModbusBus.writeRegister}. */
  writeRegister(start: number, value: number, options: RequestOptions = {}): Promise<void> {
    return this.#bus.writeRegister({ unit: this.#unit, start, value }, this.#with(options));
  }

  /** See {@link ModbusBus.writeRegisters}. */
  writeRegisters(start: number, values: readonly number[], options: RequestOptions = {}): Promise<void> {
    return this.#bus.writeRegisters({ unit: this.#unit, start, values }, this.#with(options));
  }

  /** See {@link ModbusBus.readIdentification}. */
  readIdentification(
    access: IdentificationAccess,
    options: RequestOptions = {},
  ): Promise<ReadonlyMap<number, string>> {
    return this.#bus.readIdentification(this.#unit, access, this.#with(options));
  }

  /** See {@link ModbusBus.readServerId}. */
  readServerId(options: RequestOptions = {}): Promise<ServerId> {
    return this.#bus.readServerId(this.#unit, this.#with(options));
  }

  /** Gives the line back; the last device on it closes it. Never throws, may be called twice. */
  async close(): Promise<void> {
    await this.#lease.release();
  }

  get #bus(): ModbusBus {
    return this.#lease.bus;
  }

  #with(options: RequestOptions): RequestOptions {
    return { ...this.#options, ...options };
  }
}
