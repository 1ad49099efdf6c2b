import { afterEach, describe, expect, it, vi } from "vitest";
import { TcpLine } from "../../../drivers/line/tcp.ts";
import { listen, Recorder, type TestServer, until, unusedPort } from "./kit.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function serve(...arguments_: Parameters<typeof listen>): Promise<TestServer> {
  const server = await listen(...arguments_);
  open.push(server);
  return server;
}

function lineTo(port: number, host = "127.0.0.1", timeoutMs = 20_000): TcpLine {
  const line = new TcpLine({ kind: "tcp", host, port }, timeoutMs);
  open.push(line);
  return line;
}

describe("TCP line", () => {
  it("carries bytes both ways", async () => {
    const server = await serve((socket) => socket.on("data", (bytes) => socket.write(bytes)));
    const recorder = new Recorder();
    const line = lineTo(server.port);
    await line.open(recorder);
    await line.write(Buffer.from("hello"));
    await until("the echo", () => recorder.received === "hello");
    expect(recorder.problems).toEqual([]);
  });

  it("says when nobody listens, and asks for ser2net", async () => {
    const port = await unusedPort();
    const opening = lineTo(port).open(new Recorder());
    await expect(opening).rejects.toMatchObject({
      code: "line-refused",
      message: expect.stringMatching(new RegExp(`tcp://127\\.0\\.0\\.1:${port}.*ser2net`)),
    });
  });

  it("gives up when its deadline passes first", async () => {
    const server = await serve(() => undefined);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const opening = lineTo(server.port, "127.0.0.1", 700).open(new Recorder());
    vi.advanceTimersByTime(700);
    vi.useRealTimers();
    await expect(opening).rejects.toMatchObject({
      code: "line-timeout",
      message: expect.stringContaining("700 ms"),
    });
  });

  it("says when the host has no name", async () => {
    const opening = lineTo(1, "no-such-host.invalid").open(new Recorder());
    await expect(opening).rejects.toMatchObject({ code: "line-host-not-found" });
  });

  it("reports once when the other side hangs up", async () => {
    const server = await serve(() => undefined);
    const recorder = new Recorder();
    const line = lineTo(server.port);
    await line.open(recorder);
    await until("the connection", () => server.sockets.size === 1);
    for (const socket of server.sockets) socket.end();
    await until("the report", () => recorder.problems.length > 0);
    expect(recorder.problems.map((problem) => problem.code)).toEqual(["line-closed"]);
    await expect(line.write(Buffer.from("x"))).rejects.toMatchObject({ code: "line-not-open" });
  });

  it("reports a reset as a closed line", async () => {
    const server = await serve(() => undefined);
    const recorder = new Recorder();
    await lineTo(server.port).open(recorder);
    await until("the connection", () => server.sockets.size === 1);
    for (const socket of server.sockets) socket.resetAndDestroy();
    await until("the report", () => recorder.problems.length > 0);
    expect(recorder.problems.map((problem) => problem.code)).toEqual(["line-closed"]);
  });

  it("is quiet after its own close, which may come twice", async () => {
    const server = await serve(() => undefined);
    const recorder = new Recorder();
    const line = lineTo(server.port);
    await line.open(recorder);
    await line.close();
    await line.close();
    await until("the server to notice", () => server.sockets.size === 0);
    expect(recorder.problems).toEqual([]);
    await expect(line.write(Buffer.from("x"))).rejects.toMatchObject({ code: "line-not-open" });
  });

  it("gives up a connection that is closed while it opens", async () => {
    const server = await serve(() => undefined);
    const line = lineTo(server.port);
    const opening = line.open(new Recorder());
    await line.close();
    await expect(opening).rejects.toMatchObject({ code: "line-closed" });
  });
});
