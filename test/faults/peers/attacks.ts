import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { STREAM_SUBPROTOCOL, signHello } from "../../../attest/hello.ts";
import { decodeMessage, encodeMessage, type Message } from "../../../attest/messages.ts";
import { nativeSigner } from "../../../attest/native.ts";
import { type Random, wholeBelow } from "../kit/random.ts";
import { NETWORK } from "../kit/site.ts";

/** Where and how long; the honest agent has an address of its own. */
export interface Target {
  readonly port: number;
  readonly ms: number;
  readonly random: Random;
}

/** What came of one attack: connections that were tried, and bytes that were sent. */
export interface Attacked {
  readonly connections: number;
  readonly bytes: number;
}

/** Opcodes of RFC 6455, 5.2. */
const OPCODES = { continuation: 0, text: 1, binary: 2, ping: 9 } as const;
const FIN = 0x80;
/** Reserved bit 1: compressed, where that was agreed upon (RFC 7692). */
const RSV1 = 0x40;
const CHUNK_BYTES = 65_536;
const ADDRESSES = 100;

/** All connections of one attack, none of which is waited for. */
class Attackers {
  readonly target: Target;
  connections = 0;
  bytes = 0;
  readonly #sockets = new Set<Socket>();
  readonly #until: number;

  constructor(target: Target) {
    this.target = target;
    this.#until = performance.now() + target.ms;
  }

  get goesOn(): boolean {
    return performance.now() < this.#until;
  }

  get result(): Attacked {
    return { connections: this.connections, bytes: this.bytes };
  }

  /** A TCP connection from 127.0.1.`place`. */
  open(place: number, received: (data: Buffer, socket: Socket) => void = () => undefined): Socket {
    this.connections += 1;
    const localAddress = `127.0.1.${1 + (place % ADDRESSES)}`;
    const socket = connect({ host: "127.0.0.1", port: this.target.port, localAddress });
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (data: Buffer) => received(data, socket));
    return socket;
  }

  send(socket: Socket, bytes: Uint8Array | string): void {
    if (socket.destroyed) return;
    this.bytes += bytes.length;
    socket.write(bytes);
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

type Attack = (attackers: Attackers) => Promise<void>;

/** Every attack by its name. */
const ATTACKS: Readonly<Record<string, Attack>> = {
  "one-address": (attackers) => manyUpgrades(attackers, () => 0),
  "many-addresses": (attackers) => manyUpgrades(attackers, (number) => number),
  "slow-request": (attackers) =>
    slowly(attackers, (socket, at) => attackers.send(socket, requestText().charAt(at) || "x")),
  "slow-handshake": slowHandshake,
  oversize: (attackers) =>
    framed(attackers, () =>
      Buffer.concat([header(FIN | OPCODES.binary, 2 ** 40), random(attackers, CHUNK_BYTES)]),
    ),
  "half-a-mebibyte": (attackers) =>
    framed(attackers, () => frame(FIN | OPCODES.binary, random(attackers, 524_288))),
  fragments: (attackers) => framed(attackers, fragments),
  "empty-fragments": (attackers) =>
    framed(attackers, () =>
      Buffer.concat(Array.from({ length: 4000 }, () => frame(OPCODES.continuation, Buffer.alloc(0)))),
    ),
  pings: (attackers) =>
    framed(attackers, () =>
      Buffer.concat(Array.from({ length: 500 }, () => frame(FIN | OPCODES.ping, Buffer.alloc(125)))),
    ),
  compressed: (attackers) =>
    framed(attackers, () => frame(FIN | RSV1 | OPCODES.binary, random(attackers, 1000))),
  text: (attackers) => framed(attackers, () => frame(FIN | OPCODES.text, Buffer.from("open"))),
  unmasked: (attackers) => framed(attackers, () => Buffer.from([FIN | OPCODES.binary, 3, 1, 2, 3])),
  "random-frames": (attackers) =>
    framed(attackers, () => random(attackers, 1 + wholeBelow(attackers.target.random, 4000))),
  "random-messages": (attackers) =>
    framed(attackers, () =>
      frame(FIN | OPCODES.binary, random(attackers, 1 + wholeBelow(attackers.target.random, 4000))),
    ),
  "random-bytes": (attackers) =>
    again(attackers, (number) => attackers.send(attackers.open(number), random(attackers, 2000))),
  "large-headers": (attackers) =>
    again(attackers, (number) =>
      attackers.send(attackers.open(number), `GET / HTTP/1.1\r\nx: ${"y".repeat(100_000)}\r\n`),
    ),
  subprotocol: (attackers) =>
    again(attackers, (number) => attackers.send(attackers.open(number), requestText("mqtt"))),
  "plain-http": (attackers) =>
    again(attackers, (number) => attackers.send(attackers.open(number), "GET / HTTP/1.1\r\nhost: a\r\n\r\n")),
  "bad-signature": badSignature,
};

export const ATTACK_NAMES: readonly string[] = Object.keys(ATTACKS);

/** Runs one attack to its end and closes what it opened. */
export async function attack(name: string, target: Target): Promise<Attacked> {
  const run = ATTACKS[name];
  if (run === undefined) throw new Error(`no such attack: ${name}`);
  const attackers = new Attackers(target);
  await run(attackers);
  attackers.end();
  return attackers.result;
}

/** As fast as this thread may without being all that the machine does. */
async function again(attackers: Attackers, once: (number: number) => void): Promise<void> {
  for (let number = 0; attackers.goesOn; ) {
    for (let i = 0; i < 10; i++) once(number++);
    await pause(10);
  }
}

function manyUpgrades(attackers: Attackers, placeOf: (number: number) => number): Promise<void> {
  return again(attackers, (number) => attackers.send(attackers.open(placeOf(number)), requestText()));
}

/** Each of many connections says one more byte at a time. */
async function slowly(attackers: Attackers, say: (socket: Socket, at: number) => void): Promise<void> {
  const sockets = Array.from({ length: 600 }, (_, number) => attackers.open(number));
  for (let at = 0; attackers.goesOn; at++) {
    for (const socket of sockets) say(socket, at);
    await pause(100);
  }
}

async function slowHandshake(attackers: Attackers): Promise<void> {
  const message = frame(FIN | OPCODES.binary, encodeMessage(openMessage(1)));
  const sockets = Array.from({ length: 600 }, (_, number) => attackers.open(number));
  for (const socket of sockets) attackers.send(socket, requestText());
  for (let at = 0; attackers.goesOn; at++) {
    for (const socket of sockets) attackers.send(socket, message.subarray(at, at + 1));
    await pause(100);
  }
}

/** Connections that become a WebSocket and then say this as long as they may, in pieces that the node has to take. */
async function framed(attackers: Attackers, say: (number: number) => Uint8Array): Promise<void> {
  const open = new Map<Socket, number>();
  for (let number = 0; attackers.goesOn; number++) {
    const place = number;
    const socket = attackers.open(place);
    attackers.send(socket, requestText());
    open.set(socket, place);
    socket.on("close", () => open.delete(socket));
    for (const [one, at] of open) if (one.writableLength < CHUNK_BYTES) attackers.send(one, say(at));
    await pause(20);
    if (open.size > 40) for (const one of [...open.keys()].slice(0, 20)) one.destroy();
  }
}

/** A message of the smallest pieces that never ends. */
function fragments(): Uint8Array {
  const pieces = Array.from({ length: 4000 }, () => frame(OPCODES.continuation, Buffer.from([1])));
  return Buffer.concat([frame(OPCODES.binary, Buffer.from([0xa1])), ...pieces]);
}

/** Names the key of somebody else, and signs with its own. */
async function badSignature(attackers: Attackers): Promise<void> {
  const thief = nativeSigner(new Uint8Array(32).fill(66));
  for (let number = 0; attackers.goesOn; number++) {
    const open = openMessage(1 + (number % 200));
    let isUpgraded = false;
    const socket = attackers.open(number, (data, from) => {
      if (!isUpgraded) {
        isUpgraded = true;
        attackers.send(from, frame(FIN | OPCODES.binary, encodeMessage(open)));
        return;
      }
      const said = nodeHelloIn(data);
      if (said === undefined || open.type !== "open") return;
      const { network, deviceKey, deviceNonce } = open;
      const terms = { network, deviceKey, deviceNonce, nodeKey: said.nodeKey, nodeNonce: said.nodeNonce };
      void signHello({ publicKey: deviceKey, sign: thief.sign }, "device", terms).then((hello) =>
        attackers.send(from, frame(FIN | OPCODES.binary, encodeMessage({ type: "deviceHello", hello }))),
      );
    });
    attackers.send(socket, requestText());
    await pause(10);
  }
}

/** The node's hello is short enough for two bytes of length (RFC 6455, 5.2). */
function nodeHelloIn(data: Buffer): Extract<Message, { type: "nodeHello" }> | undefined {
  try {
    const message = decodeMessage(new Uint8Array(data.subarray(4)));
    return message.type === "nodeHello" ? message : undefined;
  } catch {
    return undefined;
  }
}

function openMessage(fill: number): Message {
  const deviceKey = nativeSigner(new Uint8Array(32).fill(fill)).publicKey;
  const deviceNonce = new Uint8Array(32).fill(fill);
  return { type: "open", network: NETWORK, deviceKey, deviceNonce, agentVersion: "hostile" };
}

function requestText(subprotocol: string = STREAM_SUBPROTOCOL): string {
  const lines = ["GET / HTTP/1.1", "Host: node", "Connection: Upgrade", "Upgrade: websocket"];
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  return [...lines, "Sec-WebSocket-Version: 13", key, `Sec-WebSocket-Protocol: ${subprotocol}`, "", ""].join(
    "\r\n",
  );
}

function header(first: number, length: number): Buffer {
  const mask = Buffer.alloc(4);
  if (length < 126) return Buffer.concat([Buffer.from([first, 0x80 | length]), mask]);
  const long = Buffer.alloc(8);
  long.writeBigUInt64BE(BigInt(length));
  return Buffer.concat([Buffer.from([first, 0x80 | 127]), long, mask]);
}

/** A client's frame; masked with zeros, which changes nothing. */
function frame(first: number, payload: Uint8Array): Buffer {
  return Buffer.concat([header(first, payload.length), payload]);
}

function random(attackers: Attackers, length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, () => wholeBelow(attackers.target.random, 256)));
}
