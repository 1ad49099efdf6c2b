import { connect, type Socket } from "node:net";
import { lineName, type TcpAddress } from "./address.ts";
import { type ByteLine, DEFAULT_OPEN_TIMEOUT_MS, type LineListener, WRITE_TIMEOUT_MS } from "./line.ts";
import {
  closedProblem,
  lineProblem,
  notOpenProblem,
  openTimeoutProblem,
  writeTimeoutProblem,
} from "./problems.ts";

const KEEP_ALIVE_MS = 30_000;

/** A serial line over TCP without any framing of its own, as ser2net's `raw` mode offers it. */
export class TcpLine implements ByteLine {
  readonly name: string;
  readonly #address: TcpAddress;
  readonly #openTimeoutMs: number;
  #socket: Socket | undefined;
  #closing = false;

  constructor(address: TcpAddress, openTimeoutMs: number = DEFAULT_OPEN_TIMEOUT_MS) {
    this.name = lineName(address);
    this.#address = address;
    this.#openTimeoutMs = openTimeoutMs;
  }

  open(listener: LineListener): Promise<void> {
    const { host, port } = this.#address;
    const socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    this.#socket = socket;
    return this.#connected(socket, listener);
  }

  #connected(socket: Socket, listener: LineListener): Promise<void> {
    return new Promise((resolve, reject) => {
      let opened = false;
      let failure: Error | undefined;
      const late = (): unknown => socket.destroy(openTimeoutProblem(this.name, this.#openTimeoutMs));
      const deadline = setTimeout(late, this.#openTimeoutMs);
      socket.once("connect", () => {
        clearTimeout(deadline);
        opened = true;
        resolve();
      });
      socket.on("data", (bytes: Uint8Array) => {
        if (!this.#closing) listener.onBytes(bytes);
      });
      socket.on("error", (error) => {
        failure = error;
      });
      socket.once("close", () => {
        clearTimeout(deadline);
        const problem = failure === undefined ? closedProblem(this.name) : lineProblem(this.name, failure);
        if (!opened) reject(problem);
        else if (!this.#closing) listener.onClosed(problem);
      });
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || this.#closing || !socket.writable) {
      return Promise.reject(notOpenProblem(this.name));
    }
    return new Promise((resolve, reject) => {
      const late = (): void => reject(writeTimeoutProblem(this.name, WRITE_TIMEOUT_MS));
      const deadline = setTimeout(late, WRITE_TIMEOUT_MS);
      socket.write(bytes, (error) => {
        clearTimeout(deadline);
        if (error) reject(lineProblem(this.name, error));
        else resolve();
      });
    });
  }

  close(): Promise<void> {
    this.#closing = true;
    this.#socket?.destroy();
    return Promise.resolve();
  }
}
