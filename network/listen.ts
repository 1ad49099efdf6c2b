import type { Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";
import { describeProblem, Problem } from "../attest/problem.ts";

/** With TLS or without. */
export type WebServer = HttpServer | HttpsServer;

/** Where to listen, and the configuration key that says so. */
export interface ListenPlace {
  readonly host: string;
  readonly port: number;
  readonly key: string;
}

/** Listens; resolves to the port, which is the given one unless that was 0. Throws `listen`. */
export function listen(server: WebServer, place: ListenPlace): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(listenProblem(place, error));
    server.once("error", failed);
    server.listen(place.port, place.host, () => {
      server.off("error", failed);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : place.port);
    });
  });
}

/** `host:port` as a URL wants it: an IPv6 address in brackets. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The address of a server: `ws` becomes `wss`, and `http` `https`, where there is a certificate. */
export function urlOf(
  scheme: "ws" | "http",
  { host, port, tls }: { readonly host: string; readonly port: number; readonly tls?: object },
): string {
  return `${scheme}${tls === undefined ? "" : "s"}://${hostAndPort(host, port)}`;
}

/** Closes a server and whatever still hangs on it. */
export function closeServer(server: WebServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function listenProblem(place: ListenPlace, error: Error): Problem {
  const inUse = describeProblem(error).code === "EADDRINUSE";
  return new Problem("listen", inUse ? "the port is in use" : "cannot listen there", {
    where: hostAndPort(place.host, place.port),
    ...(inUse ? {} : { got: error.message }),
    hint: inUse
      ? `stop the other program, or set another ${place.key}.port`
      : `set another ${place.key}.host or ${place.key}.port`,
    cause: error,
  });
}
