import { createSocket, type Socket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { describe, expect, it } from "vitest";
import type { Problem } from "../../../attest/problem.ts";
import {
  type Interfaces,
  listeningAddresses,
  MAX_DATAGRAM_BYTES,
  UdpLine,
  type UdpSettings,
} from "../../../drivers/line/udp.ts";
import { closeLater } from "../../kit/close-later.ts";
import { until } from "./kit.ts";

const GROUP = "239.12.255.254";

/** A socket of this machine that nobody else has: its port is free for multicast. */
async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

interface Sender {
  send(bytes: Uint8Array, host?: string): Promise<void>;
}

/** Sends to the group over the loopback interface, or straight to a host. */
async function senderTo(port: number): Promise<Sender> {
  const socket: Socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  socket.setMulticastInterface("127.0.0.1");
  closeLater({ close: () => new Promise<void>((resolve) => socket.close(() => resolve())) });
  return {
    send: (bytes, host = GROUP) =>
      new Promise((resolve, reject) =>
        socket.send(bytes, port, host, (error) => (error ? reject(error) : resolve())),
      ),
  };
}

interface Heard {
  readonly datagrams: string[];
  readonly problems: Problem[];
}

async function listen(settings: Partial<UdpSettings> & { readonly port: number }): Promise<Heard> {
  const heard: Heard = { datagrams: [], problems: [] };
  const line = new UdpLine({ group: GROUP, interface: "127.0.0.1", ...settings });
  closeLater(line);
  await line.open({
    onBytes: (bytes) => heard.datagrams.push(Buffer.from(bytes).toString("latin1")),
    onClosed: (problem) => heard.problems.push(problem),
  });
  return heard;
}

describe("which interfaces are listened on", () => {
  const THERE: Interfaces = {
    lo: [{ address: "127.0.0.1", family: "IPv4", internal: true }],
    eth0: [
      { address: "192.0.2.7", family: "IPv4", internal: false },
      { address: "fe80::1", family: "IPv6", internal: false },
    ],
    wlan0: [{ address: "198.51.100.9", family: "IPv4", internal: false }],
    tun0: undefined,
  };

  it.each([
    ["all but the loopback one", undefined, ["192.0.2.7", "198.51.100.9"]],
    ["one by its name", "wlan0", ["198.51.100.9"]],
    ["one by its address", "192.0.2.7", ["192.0.2.7"]],
    ["the loopback one where it is asked for", "lo", ["127.0.0.1"]],
    ["none without IPv4", "tun0", []],
    ["none that is not there", "eth1", []],
  ])("%s", (_, wanted, expected) => {
    expect(listeningAddresses(THERE, wanted)).toEqual(expected);
  });
});

describe("UDP line", () => {
  it("gives each datagram of the group as one piece, with its sender", async () => {
    const port = await freePort();
    const senders: string[] = [];
    const heard = await listen({
      port,
      onDatagram: (bytes, sender) => senders.push(`${sender} ${bytes.length}`),
    });
    const sender = await senderTo(port);
    await sender.send(Buffer.from("one"));
    await sender.send(Buffer.from("three"));
    await until("both datagrams", () => heard.datagrams.length === 2);
    expect(heard).toEqual({ datagrams: ["one", "three"], problems: [] });
    expect(senders).toEqual(["127.0.0.1 3", "127.0.0.1 5"]);
  });

  it("takes what is sent to this machine alone, too", async () => {
    const port = await freePort();
    const heard = await listen({ port });
    await (await senderTo(port)).send(Buffer.from("direct"), "127.0.0.1");
    await until("the datagram", () => heard.datagrams.length === 1);
    expect(heard.datagrams).toEqual(["direct"]);
  });

  it("shares the port: two listeners hear the same datagram", async () => {
    const port = await freePort();
    const [first, second] = [await listen({ port }), await listen({ port })];
    await (await senderTo(port)).send(Buffer.from("both"));
    await until("both listeners", () => first.datagrams.length + second.datagrams.length === 2);
    expect(first.datagrams).toEqual(second.datagrams);
  });

  it("drops datagrams that are larger than any meter's", async () => {
    const port = await freePort();
    const heard = await listen({ port });
    const sender = await senderTo(port);
    await sender.send(new Uint8Array(MAX_DATAGRAM_BYTES + 1));
    await sender.send(new Uint8Array(MAX_DATAGRAM_BYTES));
    await until("the smaller one", () => heard.datagrams.length === 1);
    expect(heard.datagrams[0]).toHaveLength(MAX_DATAGRAM_BYTES);
  });

  it("writes to the group, and only while it is open", async () => {
    const port = await freePort();
    const line = new UdpLine({ group: GROUP, port, interface: "127.0.0.1" });
    await expect(line.write(Buffer.from("early"))).rejects.toMatchObject({ code: "line-not-open" });
    const heard: string[] = [];
    await line.open({ onBytes: (bytes) => heard.push(String(bytes.length)), onClosed: () => undefined });
    closeLater(line);
    await line.write(Buffer.from("hello"));
    await until("what was written", () => heard.length === 1);
    await line.close();
    await line.close();
    await expect(line.write(Buffer.from("late"))).rejects.toMatchObject({ code: "line-not-open" });
  });

  it("names the interfaces where the wanted one is missing", async () => {
    const line = new UdpLine({ group: GROUP, port: await freePort(), interface: "none0" });
    const opening = line.open({ onBytes: () => undefined, onClosed: () => undefined });
    const [name = ""] = Object.keys(networkInterfaces());
    await expect(opening).rejects.toMatchObject({
      code: "line-interface",
      message: expect.stringMatching(new RegExp(`expected "none0", got .*${name}`)),
    });
  });

  it("says when the group is none", async () => {
    const line = new UdpLine({ group: "192.0.2.1", port: await freePort(), interface: "127.0.0.1" });
    const opening = line.open({ onBytes: () => undefined, onClosed: () => undefined });
    await expect(opening).rejects.toMatchObject({
      code: "line-interface",
      message: expect.stringContaining("192.0.2.1 is a multicast group"),
    });
  });

  it("says when another program does not share the port", async () => {
    const greedy = createSocket("udp4");
    await new Promise<void>((resolve) => greedy.bind(0, resolve));
    closeLater({ close: () => new Promise<void>((resolve) => greedy.close(() => resolve())) });
    const line = new UdpLine({ group: GROUP, port: greedy.address().port, interface: "127.0.0.1" });
    const opening = line.open({ onBytes: () => undefined, onClosed: () => undefined });
    await expect(opening).rejects.toMatchObject({
      code: "line-busy",
      message: expect.stringContaining("ss -ulpn"),
    });
  });

  it("says nothing once it was closed, also while it opens", async () => {
    const port = await freePort();
    const heard: string[] = [];
    const line = new UdpLine({ group: GROUP, port, interface: "127.0.0.1", recheckMs: 1 });
    const opening = line.open({
      onBytes: () => heard.push("bytes"),
      onClosed: () => heard.push("closed"),
    });
    await line.close();
    await expect(opening).rejects.toMatchObject({ code: "line-closed" });
    await (await senderTo(port)).send(Buffer.from("late"));
    const other = await listen({ port });
    await (await senderTo(port)).send(Buffer.from("later"));
    await until("the other line", () => other.datagrams.includes("later"));
    expect(heard).toEqual([]);
  });

  it("is lost with its last interface", async () => {
    const there: Record<string, { address: string; family: string; internal: boolean }[]> = {
      wan0: [{ address: "127.0.0.1", family: "IPv4", internal: false }],
    };
    const heard = await listen({
      port: await freePort(),
      ...{ interface: "wan0", recheckMs: 2, interfaces: () => there },
    });
    delete there["wan0"];
    await until("the loss", () => heard.problems.length > 0);
    expect(heard.problems.map(({ code }) => code)).toEqual(["line-interface"]);
  });

  it("joins anew without losing the line while its interface stays", async () => {
    const port = await freePort();
    const heard = await listen({ port, recheckMs: 2 });
    const sender = await senderTo(port);
    for (let sent = 0; sent < 5; sent += 1) {
      await sender.send(Buffer.from(`${sent}`));
      await until("the datagram", () => heard.datagrams.length === sent + 1);
    }
    expect(heard.problems).toEqual([]);
  });
});
