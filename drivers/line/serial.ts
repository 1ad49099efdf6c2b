import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { SerialPort } from "serialport";
import { Problem } from "../../attest/problem.ts";
import type { SerialFormat } from "./address.ts";
import { type ByteLine, DEFAULT_OPEN_TIMEOUT_MS, type LineListener, WRITE_TIMEOUT_MS } from "./line.ts";
import {
  closedProblem,
  lineProblem,
  notOpenProblem,
  openTimeoutProblem,
  writeTimeoutProblem,
} from "./problems.ts";

/** A port and how bytes look on it. */
export interface SerialSettings extends SerialFormat {
  readonly path: string;
}

/** A read under way keeps the lock of a port that was closed: mostly for some ms, 55 ms were seen on a line that never falls silent. */
const LET_GO_MS = 500;
const LET_GO_STEP_MS = 20;

/** How often it is looked whether the adapter is still there. */
const PRESENCE_MS = 1000;

/** A serial port, opened for this process alone. A pulled adapter is reported as `line-closed`. */
export class SerialLine implements ByteLine {
  readonly name: string;
  readonly #settings: SerialSettings;
  readonly #openTimeoutMs: number;
  #port: SerialPort | undefined;
  #closing = false;
  #watch: NodeJS.Timeout | undefined;

  constructor(settings: SerialSettings, openTimeoutMs: number = DEFAULT_OPEN_TIMEOUT_MS) {
    this.name = settings.path;
    this.#settings = settings;
    this.#openTimeoutMs = openTimeoutMs;
  }

  async open(listener: LineListener): Promise<void> {
    const { path, baudRate, dataBits, parity, stopBits } = this.#settings;
    try {
      // The binding reports strerror() texts only; this asks first for an error with a code.
      await access(path, constants.R_OK | constants.W_OK);
    } catch (error) {
      throw lineProblem(this.name, error);
    }
    const port = await this.#unlocked(async () => {
      if (this.#closing) throw closedProblem(this.name);
      const next = new SerialPort({ path, baudRate, dataBits, parity, stopBits, autoOpen: false });
      this.#port = next;
      this.#listen(next, listener);
      await this.#opened(next);
      return next;
    });
    if (this.#closing) return;
    this.#watch = setInterval(() => void this.#checkThere(port, listener), PRESENCE_MS);
  }

  /** Who closed the port a moment ago may have been this program. */
  async #unlocked<T>(open: () => Promise<T>): Promise<T> {
    const endMs = performance.now() + LET_GO_MS;
    for (;;) {
      try {
        return await open();
      } catch (error) {
        const isLocked = error instanceof Problem && error.code === "line-busy";
        if (!isLocked || performance.now() >= endMs) throw error;
        await pause(LET_GO_STEP_MS);
      }
    }
  }

  /**
   * A port that was hung up reads as empty for ever, and the binding then neither reports nor closes it: what shows a
   * pulled adapter in every case is that its device node is gone.
   */
  async #checkThere(port: SerialPort, listener: LineListener): Promise<void> {
    try {
      await access(this.#settings.path);
    } catch {
      if (!this.#closing) this.#lost(port, () => listener.onClosed(closedProblem(this.name)));
    }
  }

  #listen(port: SerialPort, listener: LineListener): void {
    port.on("data", (bytes: Uint8Array) => {
      if (!this.#closing) listener.onBytes(bytes);
    });
    port.on("error", (error) => {
      if (!this.#closing && port.isOpen)
        this.#lost(port, () => listener.onClosed(lineProblem(this.name, error)));
    });
    port.once("close", () => {
      if (!this.#closing) this.#lost(port, () => listener.onClosed(closedProblem(this.name)));
    });
  }

  #lost(port: SerialPort, report: () => void): void {
    this.#closing = true;
    clearInterval(this.#watch);
    if (port.isOpen) port.close();
    report();
  }

  #opened(port: SerialPort): Promise<void> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#closing = true;
        reject(openTimeoutProblem(this.name, this.#openTimeoutMs));
      }, this.#openTimeoutMs);
      port.open((error) => {
        clearTimeout(deadline);
        if (error) return reject(lineProblem(this.name, error));
        if (this.#closing) {
          port.close();
          return reject(closedProblem(this.name));
        }
        resolve();
      });
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    const port = this.#port;
    if (port === undefined || this.#closing || !port.isOpen) {
      return Promise.reject(notOpenProblem(this.name));
    }
    return this.#done((callback) => port.write(Buffer.from(bytes), (error) => callback(error ?? null)));
  }

  discardInput(): Promise<void> {
    const port = this.#port;
    if (port === undefined || this.#closing || !port.isOpen) return Promise.resolve();
    // A failure shows in the next write at the latest.
    return new Promise((resolve) => port.flush(() => resolve()));
  }

  async changeBaudRate(baudRate: number): Promise<void> {
    const port = this.#port;
    if (port === undefined || this.#closing || !port.isOpen) throw notOpenProblem(this.name);
    await this.#done((callback) => port.drain(callback));
    if (this.#closing || !port.isOpen) throw notOpenProblem(this.name);
    await this.#done((callback) => port.update({ baudRate }, callback));
  }

  /** What is under way when a port goes away may never call back. */
  #done(start: (callback: (error: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = (): void => reject(writeTimeoutProblem(this.name, WRITE_TIMEOUT_MS));
      const deadline = setTimeout(late, WRITE_TIMEOUT_MS);
      start((error) => {
        clearTimeout(deadline);
        if (error) reject(lineProblem(this.name, error));
        else resolve();
      });
    });
  }

  close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#watch);
    const port = this.#port;
    if (port === undefined || !port.isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      const deadline = setTimeout(resolve, WRITE_TIMEOUT_MS);
      // A failing close leaves nothing to do: the descriptor is gone either way.
      port.close(() => {
        clearTimeout(deadline);
        resolve();
      });
    });
  }
}
