import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { STREAM_SUBPROTOCOL } from "../attest/hello.ts";
import { MAX_MESSAGE_BYTES } from "../attest/messages.ts";
import type { Connections } from "./connections.ts";
import { createWebServer, type TlsMaterial } from "./http/tls-files.ts";
import { sourceOf } from "./limits/address.ts";
import type { WebServer } from "./listen.ts";
import { Tally } from "./tally.ts";

/** Until a request is a WebSocket: its headers' size and the time that they may take. */
const HTTP_LIMITS = {
  maxHeaderSize: 8192,
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 2000,
};
/** TCP connections beyond the WebSockets, in all and from one address: those still sending their request. */
const SPARE_CONNECTIONS = 64;
const SPARE_PER_ADDRESS = 8;

const REFUSALS = {
  400: `400 Bad Request\r\n\r\nthe subprotocol ${STREAM_SUBPROTOCOL} is required\n`,
  429: "429 Too Many Requests\r\n\r\ntoo many connections from this address; try again in a minute\n",
  503: "503 Service Unavailable\r\n\r\ntoo many connections\n",
};

/**
 * An HTTP server that becomes a WebSocket server and nothing else: the subprotocol is required, nothing is
 * compressed, no message is larger than the protocol allows.
 */
export function createStreamServer(
  connections: Connections,
  options: {
    readonly maxConnections: number;
    readonly maxConnectionsPerAddress: number;
    readonly opened: (socket: WebSocket, tcp: Socket) => void;
    /** Left out: without TLS. */
    readonly tls?: TlsMaterial;
  },
): WebServer {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: () => STREAM_SUBPROTOCOL,
    clientTracking: false,
  });
  const server = createWebServer(HTTP_LIMITS, options.tls, (_request, response) => {
    response.writeHead(426, { connection: "close", upgrade: "websocket", "content-type": "text/plain" });
    response.end(`devices connect here by WebSocket, subprotocol ${STREAM_SUBPROTOCOL}\n`);
  });
  server.maxConnections = options.maxConnections + SPARE_CONNECTIONS;
  limitPerAddress(server, options.maxConnectionsPerAddress + SPARE_PER_ADDRESS);
  server.on("upgrade", (request, duplex, head) => {
    const refused = offers(request) ? connections.refusal(request.socket.remoteAddress ?? "unknown") : 400;
    if (refused !== undefined) return refuse(duplex, refused);
    sockets.handleUpgrade(request, duplex, head, (socket) => options.opened(socket, request.socket));
  });
  return server;
}

/** Before a request there is nobody to answer, so what is too much is cut off. */
function limitPerAddress(server: WebServer, most: number): void {
  const open = new Tally();
  server.on("connection", (tcp: Socket) => {
    const address = sourceOf(tcp.remoteAddress ?? "unknown");
    open.add(address);
    tcp.once("close", () => open.remove(address));
    if (open.count(address) > most) tcp.destroy();
  });
}

function offers(request: IncomingMessage): boolean {
  const offered = request.headers["sec-websocket-protocol"] ?? "";
  return offered.split(",").some((name) => name.trim() === STREAM_SUBPROTOCOL);
}

function refuse(duplex: Duplex, status: keyof typeof REFUSALS): void {
  duplex.on("error", () => duplex.destroy());
  duplex.end(
    `HTTP/1.1 ${REFUSALS[status].replace("\r\n", "\r\nconnection: close\r\ncontent-type: text/plain\r\n")}`,
  );
}
