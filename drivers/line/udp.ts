import { createSocket, type Socket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { Problem } from "../../attest/problem.ts";
import type { ByteLine, LineListener } from "./line.ts";
import { closedProblem, lineProblem, notOpenProblem } from "./problems.ts";

/** A multicast group, and where to listen to it. */
export interface UdpSettings {
  readonly group: string;
  readonly port: number;
  /** Name or IPv4 address of one interface; left out: all that have an IPv4 address, without the loopback one. */
  readonly interface?: string;
  /** How often it is looked whether interfaces came or went; default 10 s. */
  readonly recheckMs?: number;
  /** What interfaces there are; the machine's own where nothing else is said. */
  readonly interfaces?: () => Interfaces;
  /** Told of every datagram and its sender before the listener of the line is. */
  readonly onDatagram?: (bytes: Uint8Array, sender: string) => void;
}

/** Larger datagrams are none that a meter sends, and are dropped unread. */
export const MAX_DATAGRAM_BYTES = 2_048;

const RECHECK_MS = 10_000;

/** What of `os.networkInterfaces()` matters here. */
export type Interfaces = Readonly<
  Record<
    string,
    readonly { readonly address: string; readonly family: string; readonly internal: boolean }[] | undefined
  >
>;

/**
 * IPv4 addresses of the interfaces to listen on: those of the wanted one, given by name or by address, or of all but the
 * loopback interface.
 */
export function listeningAddresses(interfaces: Interfaces, wanted?: string): readonly string[] {
  return Object.entries(interfaces).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ address, family, internal }) => {
      const meant = wanted === undefined ? !internal : wanted === name || wanted === address;
      return family === "IPv4" && meant ? [address] : [];
    }),
  );
}

/**
 * Datagrams of a multicast group as a line: each datagram is one `onBytes`. A membership belongs to one interface, so
 * that every one gets its own; interfaces that come later are joined within `recheckMs`. Datagrams sent straight to this
 * machine's port come in, too. Several programs may listen on the port: all of them get what is sent to the group, one
 * of them what is sent to this machine alone.
 */
export class UdpLine implements ByteLine {
  readonly name: string;
  readonly #settings: UdpSettings;
  readonly #joined = new Set<string>();
  #socket: Socket | undefined;
  #recheck: NodeJS.Timeout | undefined;
  #state: "new" | "open" | "closed" = "new";

  constructor(settings: UdpSettings) {
    this.name = `udp://${settings.group}:${settings.port}`;
    this.#settings = settings;
  }

  /** @throws Problem `line-busy`, `line-interface` where there is no interface to listen on, `line-…` */
  async open(listener: LineListener): Promise<void> {
    if (this.#isClosed()) throw closedProblem(this.name);
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    this.#socket = socket;
    socket.on("message", (bytes: Uint8Array, { address }) => this.#received(listener, bytes, address));
    try {
      await bound(socket, this.#settings.port);
    } catch (error) {
      if (this.#isClosed()) throw closedProblem(this.name);
      await this.close();
      throw isBusy(error) ? this.#busy(error) : lineProblem(this.name, error);
    }
    socket.on("error", (error) => this.#lost(listener, lineProblem(this.name, error)));
    const problem = this.#join();
    if (problem !== undefined) {
      await this.close();
      throw problem;
    }
    const [own] = this.#joined;
    if (this.#settings.interface !== undefined && own !== undefined) socket.setMulticastInterface(own);
    this.#state = "open";
    this.#recheck = setInterval(() => this.#rejoin(listener), this.#settings.recheckMs ?? RECHECK_MS);
  }

  /** Sends one datagram to the group. */
  write(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || this.#state !== "open") return Promise.reject(notOpenProblem(this.name));
    return new Promise((resolve, reject) => {
      socket.send(bytes, this.#settings.port, this.#settings.group, (error) => {
        if (error) reject(lineProblem(this.name, error));
        else resolve();
      });
    });
  }

  close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#state = "closed";
    clearInterval(this.#recheck);
    if (socket === undefined) return Promise.resolve();
    return new Promise((resolve) => socket.close(() => resolve()));
  }

  #received(listener: LineListener, bytes: Uint8Array, sender: string): void {
    if (this.#state !== "open" || bytes.length > MAX_DATAGRAM_BYTES) return;
    const own = new Uint8Array(bytes);
    this.#settings.onDatagram?.(own, sender);
    listener.onBytes(own);
  }

  #rejoin(listener: LineListener): void {
    const problem = this.#join();
    if (problem !== undefined) this.#lost(listener, problem);
  }

  #lost(listener: LineListener, problem: Problem): void {
    if (this.#state !== "open") return;
    void this.close();
    listener.onClosed(problem);
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #interfaces(): Interfaces {
    return (this.#settings.interfaces ?? networkInterfaces)();
  }

  /** Joins on every interface that is there now; gives the problem where that is none. */
  #join(): Problem | undefined {
    const socket = this.#socket;
    const { group, interface: wanted } = this.#settings;
    const addresses = listeningAddresses(this.#interfaces(), wanted);
    for (const gone of [...this.#joined].filter((address) => !addresses.includes(address)))
      this.#joined.delete(gone);
    let cause: unknown;
    for (const address of addresses.filter((one) => !this.#joined.has(one))) {
      try {
        socket?.addMembership(group, address);
        this.#joined.add(address);
      } catch (error) {
        if (isBusy(error)) this.#joined.add(address);
        else cause = error;
      }
    }
    return this.#joined.size > 0 ? undefined : this.#noInterface(cause);
  }

  #noInterface(cause: unknown): Problem {
    const { group, interface: wanted } = this.#settings;
    const there = Object.entries(this.#interfaces()).map(
      ([name, addresses = []]) => `${name} ${addresses.map(({ address }) => address).join(" ")}`,
    );
    return new Problem("line-interface", "there is no network interface to listen on", {
      where: this.name,
      expected: wanted === undefined ? "an interface with an IPv4 address" : `"${wanted}"`,
      got: there.join(", ") || "none",
      hint: `check the network cable and the name of the interface, and that ${group} is a multicast group`,
      cause,
    });
  }

  #busy(cause: unknown): Problem {
    return new Problem("line-busy", "another program has the port for itself", {
      where: this.name,
      hint: `find it with: ss -ulpn sport = :${this.#settings.port}`,
      cause,
    });
  }
}

/** Closing a socket while it binds ends in `close` alone. */
function bound(socket: Socket, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", reject);
    socket.bind({ port, exclusive: true }, () => {
      socket.removeListener("error", reject);
      socket.removeListener("close", reject);
      resolve();
    });
  });
}

/** Of `bind`: the port is taken; of `addMembership`: joined already. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}
