/** What is asked of a device: `count` holding registers (function 3) from `start`, both as on the wire. */
export interface RegisterRequest {
  /** Unit identifier, 0..255 (Modbus Messaging on TCP/IP v1.0b, 3.1.3). */
  readonly unit: number;
  /** Protocol address of the first register, 0..65535; not the "40001" notation. */
  readonly start: number;
  /** 1..125 (Modbus Application Protocol v1.1b3, 6.3). */
  readonly count: number;
}

/**
 * One open physical connection: a TCP socket, later a serial port. It carries one request at a time; the bus
 * sees to that. Once `alive` is false the line is of no further use and a new one has to be opened.
 */
export interface ModbusLine {
  readonly alive: boolean;
  /**
   * Exactly `request.count` registers, or a Problem within `timeoutMs`. After a time-out or a malformed reply
   * the line is dead, so that a late answer has nowhere to arrive. An exception reply leaves it alive.
   */
  read(request: RegisterRequest, timeoutMs: number): Promise<Uint16Array>;
  /** Closes the connection now; an outstanding request rejects with `reason`. */
  destroy(reason: Error): void;
}

/** Opens a line, or throws a Problem within the opener's own deadline. `signal` gives up earlier. */
export type OpenLine = (signal: AbortSignal) => Promise<ModbusLine>;

/** The most registers one reply can carry (Modbus Application Protocol v1.1b3, 6.3). */
export const MAX_REGISTERS = 125;
