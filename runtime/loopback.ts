import { isIP } from "node:net";

/** Addresses that a node listens on without asking for tokens or TLS, as its configuration spells them. */
export const LOOPBACK_HOSTS: readonly string[] = ["127.0.0.1", "::1", "localhost"];

const EVERYWHERE: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/**
 * Whether an address or name can only mean this machine: localhost, 127.0.0.0/8 and ::1.
 *
 * @param host lower-case; IPv6 with brackets, as in a URL, or without
 */
export function isLoopback(host: string): boolean {
  const bare = withoutBrackets(host);
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}

/** Whether a URL has that protocol, such as `ws:`, which encrypts nothing, and leads to another machine. */
export function isPlainToOthers(text: string, plainProtocol: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === plainProtocol && !isLoopback(url.hostname);
}

/** What a request's Host header names, without the port, lower-case; empty where there is none. */
export function hostOfHeader(header: string | undefined): string {
  return (header ?? "").replace(/:\d{1,5}$/, "").toLowerCase();
}

/** An IPv6 address as it stands outside of URLs; anything else as it is. */
export function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** Where this machine reaches a server that listens on that address. */
export function reachedAt(listenHost: string): string {
  return EVERYWHERE.has(listenHost) ? "127.0.0.1" : listenHost;
}
