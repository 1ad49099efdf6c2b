import { describe, expect, it } from "vitest";
import { type LineScript, startScriptedLine } from "../../../drivers/kit/index.ts";
import { TcpLine } from "../../../drivers/line/tcp.ts";
import { closeLater } from "../../kit/close-later.ts";
import { Recorder, until } from "../line/kit.ts";

async function connected(script: LineScript) {
  const device = await startScriptedLine(script);
  const client = new TcpLine({ kind: "tcp", host: device.host, port: device.port });
  closeLater(device);
  closeLater(client);
  const heard = new Recorder();
  await client.open(heard);
  return { device, client, heard };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (of: Uint8Array): string => new TextDecoder().decode(of);

describe("a scripted line", () => {
  it("replies to a request that comes in pieces", async () => {
    const reply = (request: Uint8Array) =>
      text(request).endsWith("?") ? bytes(`[${text(request)}]`) : undefined;
    const { device, client, heard } = await connected({ reply, chunkBytes: 2 });
    await client.write(bytes("who"));
    await client.write(bytes("?"));
    await until("an answer", () => heard.received === "[who?]");
    await client.write(bytes("when?"));
    await until("another answer", () => heard.received === "[who?][when?]");
    expect(text(device.received())).toBe("who?when?");
  });

  it("sends its telegrams over and over again", async () => {
    const { heard } = await connected({ sends: { telegrams: [bytes("a"), bytes("b")], everyMs: 5 } });
    await until("two rounds", () => heard.received.length >= 4);
    expect(heard.received).toMatch(/^abab/);
  });

  it("hangs up when told to, and can be called again", async () => {
    const { device, heard } = await connected({});
    await until("a client", () => device.clients() === 1);
    device.hangUp();
    await until("the end", () => heard.problems.length === 1);
    const again = new TcpLine({ kind: "tcp", host: device.host, port: device.port });
    closeLater(again);
    await again.open(new Recorder());
    await until("a client", () => device.clients() === 1);
  });

  it("keeps no more than the end of what it is sent", async () => {
    const { device, client } = await connected({});
    await client.write(new Uint8Array(100_000).fill(1));
    await client.write(Uint8Array.of(2));
    await until("the last byte", () => device.received().at(-1) === 2);
    expect(device.received()).toHaveLength(65_536);
  });
});
