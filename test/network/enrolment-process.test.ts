import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { nativeSigner } from "../../attest/native.ts";
import { admitCommand } from "../../network/cli/admit.ts";
import type { RunningNode } from "../../network/node.ts";
import { type Outcome, runHere } from "../agent/outlet/run-command.ts";
import { Client, NETWORK, seedOf } from "../kit/device.ts";
import { askToEnrol, OPERATE_TOKEN, READ_TOKEN, refusalWith, tokenFile } from "./enrolment-kit.ts";
import { atEnd, temporaryFolder } from "./fixture.ts";
import { Authority } from "./tls-kit.ts";

const ENTRY = join(import.meta.dirname, "run-node.ts");
const one = nativeSigner(seedOf(1));
const other = nativeSigner(seedOf(2));

/** A node's configuration. Nobody answers at its HTTP port before {@link start}, which puts in the one that the node got. */
function configured(folder: string, http: object): string {
  const path = join(folder, "node.yaml");
  const rest = { port: 9, ...http };
  writeFileSync(
    path,
    `network: ${NETWORK}
key: ${join(folder, "node-identity.key")}
store: ${join(folder, "node.sqlite")}
devices: enrolled
log: error
listen: { port: 0 }
http: ${JSON.stringify(rest)}
`,
  );
  return path;
}

async function start(config: string): Promise<{ readonly child: ChildProcess; readonly node: RunningNode }> {
  const withPort = (port: string): void =>
    writeFileSync(config, readFileSync(config, "utf8").replace(/"port":\d+/, `"port":${port}`));
  withPort("0");
  const child = spawn(process.execPath, [ENTRY, "--config", config, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  atEnd(() => {
    child.kill("SIGKILL");
  });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const { ws, http } = JSON.parse(String(line));
  withPort(new URL(http).port);
  const gone = (): never => {
    throw new Error("a process of its own");
  };
  const node = { wsUrl: ws, httpUrl: http, nodeKey: new Uint8Array(32) };
  return { child, node: { ...node, admit: gone, reload: gone, close: gone } };
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

function admit(config: string, ...args: readonly string[]): Promise<Outcome> {
  const [sub = "", ...rest] = args;
  return runHere(admitCommand(), sub, ...rest, "--config", config);
}

function codeIn({ out }: Outcome): string {
  const code = /^one-time code {2}([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})$/m.exec(out)?.[1];
  if (code === undefined) throw new Error(`no code in ${out}`);
  return code;
}

describe("kilowitness admit", { timeout: 120_000 }, () => {
  it("makes a code, and what was done with it outlives kill -9", async () => {
    const folder = temporaryFolder();
    const config = configured(folder, { tokens: tokenFile(folder) });
    const first = await start(config);
    const made = await admit(config, "code", "--label", "number 7", "--hours", "1");
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(made.out).toContain("number 1, number 7; for one device of network test-network");
    expect((await admit(config, "codes")).out).toMatch(/^code 1 {2}until 20\S+ {2}number 7\n$/);
    expect((await askToEnrol(first.node, one, { code: codeIn(made) })).answer.type).toBe("welcome");
    await kill(first.child);
    const second = await start(config);
    expect((await Client.greeted(second.node.wsUrl, one)).welcome).toEqual({ type: "welcome" });
    expect(await refusalWith(second.node, other, { code: codeIn(made) })).toBe("enrolment-code");
    expect((await admit(config, "codes")).out).toBe("no code waits to be used\n");
  });

  it("lists, approves, rejects and forgets keys, also as a QR code has them, over TLS", async () => {
    const folder = temporaryFolder();
    const tls = new Authority(folder).issue("node.example");
    const config = configured(folder, { host: "0.0.0.0", tokens: tokenFile(folder), tls });
    const { node } = await start(config);
    const [key, otherKey] = [toHex(one.publicKey), toHex(other.publicKey)];
    await refusalWith(node, one);
    await refusalWith(node, other);
    const { out } = await admit(config, "list", "waiting");
    expect(out.trimEnd().split("\n")).toHaveLength(2);
    expect(out).toMatch(
      new RegExp(`^waiting {3}${key} {2}20\\S+ {2}from 127\\.0\\.0\\.1 {2}tier 0, software test 1$`, "m"),
    );
    const scanned = `kilowitness:enrol?network=${NETWORK}&device=${key}`;
    expect(await admit(config, "approve", scanned, "--label", "roof")).toMatchObject({
      ...{ code: 0, out: `${key} is approved; it is enrolled when it next connects\n` },
    });
    expect((await admit(config, "reject", otherKey)).out).toBe(`${otherKey} is rejected\n`);
    expect((await askToEnrol(node, one)).answer.type).toBe("welcome");
    expect(await refusalWith(node, other)).toBe("enrolment-rejected");
    const json = await admit(config, "list", "--json");
    expect(JSON.parse(json.out)).toMatchObject({
      enrolments: [{ state: "enrolled", label: "roof" }, { state: "rejected" }].sort(() =>
        key < otherKey ? 0 : -1,
      ),
    });
    expect(await admit(config, "approve", key)).toMatchObject({ code: 1, out: "" });
    expect((await admit(config, "remove", key)).out).toBe(`${key} is forgotten; it has to ask anew\n`);
    expect(await refusalWith(node, one)).toBe("enrolment-waiting");
  });

  it("does not speak to a node that shows another certificate, and never shows it the token", async () => {
    const folder = temporaryFolder();
    const authority = new Authority(folder);
    const config = configured(folder, {
      host: "0.0.0.0",
      tokens: tokenFile(folder),
      tls: authority.issue("one"),
    });
    await start(config);
    const two = authority.issue("two");
    const text = JSON.stringify({ certificate: two.certificate, key: two.key });
    writeFileSync(config, readFileSync(config, "utf8").replace(/"tls":\{[^}]*\}/, `"tls":${text}`));
    const { code, err } = await admit(config, "list");
    expect([code, err]).toEqual([1, expect.stringContaining("(node-unreachable)")]);
  });

  it.each([
    ["no node", "list", "no node answers there"],
    ["a key that is none", "approve abc", "not a device key"],
    ["a key that is cut off", `reject ${"a".repeat(63)}`, "not a device key"],
    [
      "a device of another network",
      `approve kilowitness:enrol?network=x&device=${"a".repeat(64)}`,
      "another network",
    ],
  ])("fails in one line at %s", async (_name, line, said) => {
    const folder = temporaryFolder();
    const config = configured(folder, { tokens: tokenFile(folder) });
    const { code, err } = await admit(config, ...line.split(" "));
    expect([code, err]).toEqual([1, expect.stringContaining(said)]);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(err).not.toContain(OPERATE_TOKEN);
  });

  it("says what is missing where there is no token that may operate, and takes another file", async () => {
    const folder = temporaryFolder();
    const without = configured(folder, {});
    expect((await admit(without, "codes")).err).toContain("name it as http.tokens");
    expect((await admit(without, "list")).err).toContain("no node answers there");
    const reading = configured(folder, { tokens: tokenFile(folder, `read ${READ_TOKEN}\n`) });
    expect((await admit(reading, "codes")).err).toContain("no token that may operate");
    expect((await admit(reading, "list")).err).toContain("no node answers there");
    const file = join(folder, "mine");
    writeFileSync(file, `operate ${OPERATE_TOKEN}\n`);
    chmodSync(file, 0o600);
    expect((await admit(reading, "codes", "--tokens", file)).err).toContain("no node answers there");
  });
});
