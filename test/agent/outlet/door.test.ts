import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Door, type DoorOptions } from "../../../agent/outlet/door.ts";
import type { AccessRules } from "../../../agent/outlet/http-answers.ts";
import { Problem } from "../../../attest/problem.ts";
import { eventually } from "../../kit/programs.ts";
import { type Line, recordingLogger, temporaryFolder } from "../kit.ts";
import { deviceReport, report, unitStatistics } from "./kit.ts";

const LOOPBACK: AccessRules = { hosts: { loopbackOnly: true, names: [] } };
const TOKEN = "0123456789abcdef0123";

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe("the door", () => {
  let folder = "";
  let lines: Line[] = [];
  let closers: (() => Promise<unknown> | unknown)[] = [];
  beforeEach(() => {
    const made = temporaryFolder();
    folder = made.folder;
    closers = [made.remove];
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
  });

  async function open(options: Partial<DoorOptions> = {}): Promise<Door> {
    const recording = recordingLogger();
    lines = recording.lines;
    const door = new Door({
      ...{ name: "http", place: { host: "127.0.0.1", port: 0 }, rules: () => LOOPBACK, retryMs: 20 },
      ...{ questions: { report: () => report() }, logger: recording.logger },
      ...options,
    });
    closers.push(() => door.stop());
    await door.start();
    return door;
  }

  function ask(
    door: Door | { readonly socketPath: string },
    path: string,
    options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Reply> {
    const way =
      "socketPath" in door
        ? door
        : { host: "127.0.0.1", port: Number(door.report.address.split(":").at(-1)) };
    return new Promise((resolve, reject) => {
      const sent = request({ ...way, path, ...options }, (response) => {
        let body = "";
        response.on("data", (chunk) => {
          body += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      });
      sent.on("error", reject).end();
    });
  }

  it("answers what it is asked, and nothing else", async () => {
    const door = await open();
    const status = await ask(door, "/status");
    expect(status).toMatchObject({
      status: 200,
      headers: {
        "content-type": "application/json",
        "cache-control": "no-store",
        "kilowitness-attention": "0",
      },
    });
    expect(JSON.parse(status.body)).toEqual(JSON.parse(JSON.stringify(report())));
    expect((await ask(door, "/status.txt?x=1")).body).toMatch(/^All is well: /);
    expect((await ask(door, "/metrics")).headers["content-type"]).toBe(
      "text/plain; version=0.0.4; charset=utf-8",
    );
    expect(await ask(door, "/healthz", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    expect(await ask(door, "/log")).toMatchObject({ status: 404 });
    expect(await ask(door, "/")).toMatchObject({ status: 404 });
    expect(await ask(door, "/status", { method: "POST" })).toMatchObject({ status: 405 });
  });

  it("leaves nothing out of what is a map", async () => {
    const bus = { connections: 2, connectFailures: 1, recoveries: 3, drainedBytes: 0, waiting: 4 };
    const lines = [{ line: "/dev/ttyUSB0", ...bus, units: new Map([[7, unitStatistics()]]) }];
    const door = await open({ questions: { report: () => report({ lines }) } });
    expect(JSON.parse((await ask(door, "/status")).body)).toMatchObject({
      lines: [{ waiting: 4, units: { 7: { requests: 9, errors: { "modbus-timeout": 2 } } } }],
    });
  });

  it("tells a watchdog with 503 what is wrong", async () => {
    const devices = [deviceReport({ online: false }), deviceReport({ id: "roof" })];
    const door = await open({ questions: { report: () => report({ devices }) } });
    const { status, body } = await ask(door, "/healthz");
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({
      ...{ status: "failing", uptimeSeconds: 10_800, devices: 2, answering: 1 },
      reasons: [{ code: "device-offline", what: "meter has not answered yet" }],
    });
  });

  it("keeps to itself on loopback: a name that somebody made point here is refused", async () => {
    const door = await open();
    const asked = async (host: string) => (await ask(door, "/healthz", { headers: { host } })).status;
    expect(await Promise.all(["localhost:8789", "127.0.0.1", "[::1]:1"].map(asked))).toEqual([200, 200, 200]);
    const strangers = ["evil.example", "127.0.0.1.evil.example:80", "192.168.1.2", "localhost.evil"];
    expect(await Promise.all(strangers.map(asked))).toEqual([403, 403, 403, 403]);
  });

  it("is asked by address and by its own names where it was opened to others", async () => {
    const rules = { hosts: { loopbackOnly: false, names: ["Meter.Example.org"] } };
    const door = await open({ rules: () => rules });
    const asked = async (host: string) => (await ask(door, "/healthz", { headers: { host } })).status;
    expect(await Promise.all(["192.168.1.2:8789", "meter.example.org", "[fe80::1]"].map(asked))).toEqual([
      ...[200, 200, 200],
    ]);
    expect(await asked("rebound.example")).toBe(403);
  });

  it("answers with a token only who bears it", async () => {
    const door = await open({ rules: () => ({ ...LOOPBACK, token: TOKEN }) });
    const asked = (authorization: string) => ask(door, "/metrics", { headers: { authorization } });
    expect(await asked(`Bearer ${TOKEN}`)).toMatchObject({ status: 200 });
    for (const wrong of ["", `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, "Bearer "]) {
      const { status, headers, body } = await asked(wrong);
      expect({ status, ask: headers["www-authenticate"] }).toEqual({ status: 401, ask: "Bearer" });
      expect(body).not.toContain(TOKEN);
    }
  });

  it("tries again when the port is taken, and says so once", async () => {
    const other: Server = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    let attempts = 0;
    const rules = (): AccessRules => {
      attempts += 1;
      return LOOPBACK;
    };
    const door = await open({ place: { host: "127.0.0.1", port }, rules });
    expect(door.report).toMatchObject({ working: false, problem: expect.stringContaining("in use") });
    await eventually("three attempts", 25_000, () => (attempts >= 3 ? true : undefined));
    other.close();
    await eventually("listening", 25_000, () => (door.report.working ? true : undefined));
    expect(lines.map(({ event }) => event)).toEqual(["http-failed", "http-listening"]);
    expect((await ask(door, "/healthz")).status).toBe(200);
  });

  it("tries again when its token cannot be read", async () => {
    let token: string | undefined;
    const rules = (): AccessRules => {
      if (token === undefined) throw new Problem("secret-read", "file with a secret cannot be read");
      return { ...LOOPBACK, token };
    };
    const door = await open({ rules });
    expect(door.report).toMatchObject({ working: false });
    token = TOKEN;
    await eventually("listening", 25_000, () => (door.report.working ? true : undefined));
    expect((await ask(door, "/healthz")).status).toBe(401);
  });

  it("opens a socket for its owner alone, in place of one that a killed agent left", async () => {
    const path = join(folder, "journal.sock");
    const log = () => ['{"event":"a"}', '{"event":"b"}'];
    const options = { name: "socket", place: { path }, rules: () => ({}) } as const;
    const questions = { report: () => report(), log };
    const listen = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    expect(spawnSync(process.execPath, ["-e", listen]).signal).toBe("SIGKILL");
    expect(existsSync(path)).toBe(true);
    const left = await open({ ...options, questions });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await ask({ socketPath: path }, "/log")).toMatchObject({
      ...{ status: 200, body: '{"event":"a"}\n{"event":"b"}\n' },
      headers: { "content-type": "application/jsonl" },
    });
    await left.stop();
    expect(existsSync(path)).toBe(false);
  });

  it("takes no file away, and says when a path is too long", async () => {
    const path = join(folder, "journal.sock");
    writeFileSync(path, "somebody's");
    const options = { name: "socket", rules: () => ({}) } as const;
    expect((await open({ ...options, place: { path } })).report.working).toBe(false);
    expect(lines[0]).toMatchObject({ event: "socket-failed", code: "listen" });
    expect(readFileSync(path, "utf8")).toBe("somebody's");
    const long = await open({ ...options, place: { path: join(folder, "x".repeat(100)) } });
    expect(long.report.problem).toContain("at most 107 bytes");
  });

  it("stops although somebody never finishes his question", async () => {
    const door = await open();
    const port = Number(door.report.address.split(":").at(-1));
    const slow = connect(port, "127.0.0.1").on("error", () => undefined);
    await once(slow, "connect");
    slow.write("GET /status HTTP/1.1\r\nHost: ");
    const cut = new Promise((resolve) => slow.once("close", resolve));
    await door.stop();
    await cut;
    expect(door.report.working).toBe(false);
  });
});
