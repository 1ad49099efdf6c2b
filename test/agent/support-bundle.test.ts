import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { supportBundleCommand } from "../../agent/cli/support-bundle.ts";
import { Redactor, shortenedSerial } from "../../agent/cli/support-bundle-redact.ts";
import { packTar } from "../../agent/cli/support-bundle-tar.ts";
import { eventually } from "../kit/programs.ts";
import { temporaryFolder } from "./kit.ts";
import { type Outcome, runHere } from "./outlet/run-command.ts";
import { type RunningAgent, runAgent } from "./outlet/running-agent.ts";

const SEED = "5eed".repeat(16);
const SALT = "0a1b2c3d".repeat(8);
const PASSWORD = 'swordfish "42" \\ über';
const TOKEN = "tok-0123456789-abcdef";
const QUERY = "query-token-77";
const NODE_KEY = "cd".repeat(32);

/** Everything that nobody may see, in every form in which it could stand somewhere. */
const SECRETS: readonly string[] = [
  ...[SEED, SALT].flatMap((hex) => forms(Buffer.from(hex, "hex"))),
  ...[PASSWORD, TOKEN, QUERY].flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    ...forms(Buffer.from(text)),
  ]),
  ...["swordfish", "hunter2", "opensesame"],
];

function forms(bytes: Buffer): string[] {
  const [hex, base64] = [bytes.toString("hex"), bytes.toString("base64")];
  return [hex, hex.toUpperCase(), base64, base64.replace(/=+$/, ""), bytes.toString("base64url")];
}

let folder = "";
let closers: (() => Promise<unknown> | unknown)[] = [];
beforeEach(() => {
  const made = temporaryFolder();
  folder = made.folder;
  closers = [made.remove];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

/** An agent whose configuration leads to secrets, and repeats them where they do not belong. */
async function careless(): Promise<RunningAgent> {
  const running = await runAgent({
    files: {
      "device.key": `kilowitness key 1\nseed ${SEED}\nsalt ${SALT}\n`,
      "mqtt.yaml": `username: meter\npassword: ${JSON.stringify(PASSWORD)}\n`,
      token: `${TOKEN}\n`,
    },
    channel: `roof ${TOKEN} ${Buffer.from(SALT, "hex").toString("base64")}`,
    keys: `site: {name: "Lane 1 ${SEED}", consentReference: consent-0042, gridZone: ${JSON.stringify(`zone ${PASSWORD}`)}, timeZone: Europe/Amsterdam},
      http: {port: 0, tokenFile: token, names: [attic.example.org]},
      mqtt: {url: mqtts://broker.example.org, credentialsFile: mqtt.yaml},
      nodes: [{url: "wss://node.example.org/stream", key: "${NODE_KEY}"}]
      # opensesame, the password of everything`,
  });
  closers.push(() => running.close());
  await eventually("readings", 25_000, () =>
    running.agent.status().channels.some(({ accepted }) => accepted > 1) ? true : undefined,
  );
  await eventually("a node problem", 25_000, () =>
    running.lines.some(({ event }) => event === "node-problem") ? true : undefined,
  );
  return running;
}

function bundle(config: string, ...args: readonly string[]): Promise<Outcome> {
  return runHere(supportBundleCommand(), "--config", config, "--out", join(folder, "out.tar.gz"), ...args);
}

/** The files of the bundle, unpacked by the system's own tar. */
function unpacked(): Map<string, string> {
  const into = join(folder, "unpacked");
  mkdirSync(into);
  execFileSync("tar", ["xzf", join(folder, "out.tar.gz"), "-C", into]);
  const [top = ""] = readdirSync(into);
  expect(top).toMatch(/^kilowitness-support-\d{4}-\d\d-\d\d$/);
  return new Map(
    readdirSync(join(into, top)).map((name) => [name, readFileSync(join(into, top, name), "utf8")]),
  );
}

function parsed(files: ReadonlyMap<string, string>, name: string): unknown {
  return JSON.parse(files.get(name) ?? "");
}

describe("kilowitness support-bundle", () => {
  it.each([[[]], [["--full"]]])("has no secret in it, wherever one was left, with %j", async (args) => {
    const running = await careless();
    const { code, err } = await bundle(running.config, ...args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const files = unpacked();
    const all = [...files].map(([name, text]) => `${name}\n${text}`).join("\n");
    expect(SECRETS.filter((secret) => all.includes(secret))).toEqual([]);
    expect(statSync(join(folder, "out.tar.gz")).mode & 0o777).toBe(0o600);
  });

  it("has what somebody far away needs", async () => {
    const running = await careless();
    const { deviceKey } = running.agent.status();
    const { out } = await bundle(running.config);
    const files = unpacked();
    expect([...files.keys()].sort()).toEqual([
      ...["README.txt", "config-check.txt", "config.yaml", "journal.json", "log.jsonl"],
      ...["status.json", "status.txt", "system.json"],
    ]);
    for (const name of files.keys()) expect(out).toContain(name);
    expect(parsed(files, "status.json")).toMatchObject({
      deviceKey,
      devices: [{ id: "roof", online: true }],
    });
    expect(files.get("status.txt")).toMatch(/^\d things? needs? attention: /);
    expect(parsed(files, "journal.json")).toMatchObject({
      epochs: [{ epoch: 1, channels: [{ name: "roof [removed] [removed]", driver: "sunspec" }] }],
    });
    expect(parsed(files, "system.json")).toMatchObject({ node: process.version, memory: {}, disk: {} });
    expect(files.get("config.yaml")).toContain(`key: ${NODE_KEY}`);
    expect(files.get("config.yaml")).toContain("driver: sunspec");
    expect(files.get("config-check.txt")).toBe("the configuration is right\n");
    const events = (files.get("log.jsonl") ?? "")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).event);
    expect(events).toEqual(
      expect.arrayContaining(["key-loaded", "agent-started", "device-online", "node-problem"]),
    );
  });

  it("keeps names, addresses and serials to itself, and tells them apart all the same", async () => {
    const running = await careless();
    await bundle(running.config);
    const files = unpacked();
    const all = [...files.values()].join("\n");
    const kept = [
      "Lane 1",
      "consent-0042",
      "node.example.org",
      "broker.example.org",
      "attic",
      "INV-4711",
      hostname(),
    ];
    expect(kept.filter((text) => all.includes(text))).toEqual([]);
    expect(files.get("config.yaml")).toMatch(/url: wss:\/\/host-\d\/stream/);
    expect(files.get("config.yaml")).toContain("host: 127.0.0.1");
    expect(parsed(files, "status.json")).toMatchObject({ devices: [{ serial: "…11" }] });
  });

  it("keeps them in it when asked to", async () => {
    const running = await careless();
    await bundle(running.config, "--full");
    const files = unpacked();
    expect(files.get("config.yaml")).toContain("Lane 1 [removed]");
    expect(files.get("config.yaml")).toContain("consentReference: consent-0042");
    expect(files.get("config.yaml")).toContain("node.example.org");
    expect(parsed(files, "status.json")).toMatchObject({ devices: [{ serial: "INV-4711" }] });
  });

  it("is written without an agent, and with a configuration that is wrong", async () => {
    const running = await careless();
    await running.stop();
    const config = join(running.folder, "wrong.yaml");
    const wrong = [
      "devices: [{id: roof, driver: sunspce, password: opensesame, key: hunter2, host: 127.0.0.1}]",
      `nodes: [{url: "wss://:hunter2@node.example.org/stream?token=${QUERY}", key: "${NODE_KEY}"}]`,
    ].join("\n");
    writeFileSync(config, `network: t\njournal: journal.sqlite\nhttp: {tokenFile: token}\n${wrong}\n`);
    expect((await bundle(config)).code).toBe(0);
    const files = unpacked();
    expect(files.get("config-check.txt")).toContain("key: required key is missing");
    expect(files.get("config.yaml")).toMatch(/password: "?\[removed\]"?\n/);
    expect(parsed(files, "status.json")).toMatchObject({ problem: expect.stringContaining("no agent runs") });
    expect(parsed(files, "journal.json")).toMatchObject({ epochs: [{ epoch: 1 }] });
    expect(SECRETS.filter((secret) => [...files.values()].join("\n").includes(secret))).toEqual([]);
  });

  it("is written although the configuration cannot be read at all", async () => {
    const config = join(folder, "none.yaml");
    expect((await bundle(config)).code).toBe(0);
    const files = unpacked();
    expect(files.get("config.yaml")).toContain("configuration cannot be read");
  });

  it("never overwrites a file", async () => {
    writeFileSync(join(folder, "out.tar.gz"), "somebody's");
    const { code, err } = await bundle(join(folder, "none.yaml"));
    expect(code).toBe(1);
    expect(err).toContain("(bundle-write)");
    expect(readFileSync(join(folder, "out.tar.gz"), "utf8")).toBe("somebody's");
  });
});

describe("the redactor", () => {
  const redactor = new Redactor({
    replacements: [
      { text: "secret", by: "[removed]" },
      { text: "secretary", by: "[job]" },
      { text: "nas", by: "host-1", word: true },
      { text: "abc", by: "never" },
    ],
    publicKeys: [NODE_KEY],
    keepAddresses: false,
  });

  it.each([
    ["a secret secretary", "a [removed] [job]"],
    ["NAS, nas.local, nasal, my-nas", "host-1, host-1.local, nasal, my-nas"],
    ["abc", "abc"],
    [`key ${NODE_KEY}, seed ${"12".repeat(32)}`, `key ${NODE_KEY}, seed [removed]`],
    [`x ${Buffer.alloc(32, "Kq7").toString("base64")} y`, "x [removed] y"],
    ["/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1B2C3D4-if00-port0", undefined],
    ["mqtt://user:pw@host/x?y", "mqtt://[removed]@host/x?[removed]"],
    ["serial:///dev/ttyUSB0?baud=9600", undefined],
    [
      "10.1.2.3 192.168.1.2 172.31.0.1 127.0.0.1 172.32.0.1 8.8.8.8",
      "10.1.2.3 192.168.1.2 172.31.0.1 127.0.0.1 [address] [address]",
    ],
    ["version 1.2.3.4000 at 12:00", undefined],
  ])("makes of %j what may be seen", (text, shown) => {
    expect(redactor.redact(text)).toBe(shown ?? text);
  });

  it("leaves of a serial its end", () => {
    expect(["E0012345678", "4711", "7"].map(shortenedSerial)).toEqual(["…678", "…1", "…"]);
  });
});

describe("the archive", () => {
  it("is what tar makes of it, with every length of content", () => {
    const files = [0, 1, 511, 512, 513, 100_000].map((bytes) => ({
      name: `f${bytes}`,
      text: "ü".repeat(bytes),
    }));
    const path = join(folder, "a.tar.gz");
    writeFileSync(path, packTar("top", files, Date.UTC(2026, 0, 2)));
    const listed = execFileSync("tar", ["tvzf", path], {
      encoding: "utf8",
      env: { ...process.env, TZ: "UTC" },
    });
    expect(
      listed
        .trim()
        .split("\n")
        .map((line) => line.replace(/\s+/g, " ")),
    ).toEqual(
      files.map(({ name, text }) => `-rw------- 0/0 ${Buffer.byteLength(text)} 2026-01-02 00:00 top/${name}`),
    );
    execFileSync("tar", ["xzf", path, "-C", folder]);
    for (const { name, text } of files) expect(readFileSync(join(folder, "top", name), "utf8")).toBe(text);
  });
});
