import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backupCommand } from "../../agent/cli/backup.ts";
import { enrolCommand } from "../../agent/cli/enrol.ts";
import { replaceGatewayCommand } from "../../agent/cli/replace-gateway.ts";
import { restoreCommand } from "../../agent/cli/restore.ts";
import { looseConfig, privateTexts, secretsOf } from "../../agent/cli/support-bundle-config.ts";
import type { AgentConfig } from "../../agent/config/config.ts";
import { fileDeviceKey, openDeviceKey } from "../../agent/identity/device-key.ts";
import { requireReloadable } from "../../agent/reload/reloadable.ts";
import { toHex } from "../../attest/bytes.ts";
import { nativeSigner } from "../../attest/native.ts";
import { createKey, createRemoteKey, readDeviceKey, readKey, readPublicKey } from "../../runtime/key-file.ts";
import { Board, PUBLIC_KEY, SigningAgent, signingConfig } from "./coprocessor-home.ts";
import { temporaryFolder } from "./kit.ts";
import { type Outcome, runHere } from "./outlet/run-command.ts";
import { until } from "./uplink-kit.ts";

const OTHER_SEED = new Uint8Array(32).fill(9);
const DEVICE = toHex(PUBLIC_KEY);

let folder = "";
let board: Board;
let closers: (() => Promise<unknown> | unknown)[] = [];
beforeEach(async () => {
  const made = temporaryFolder();
  folder = made.folder;
  board = new Board();
  await board.listen();
  closers = [made.remove, () => board.close()];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

function config(): AgentConfig {
  return signingConfig(folder, board.line).config;
}

function here(file: string): string {
  return join(folder, file);
}

describe("the key file of a key that is elsewhere", () => {
  it("holds the public key and a salt key, and no command takes it for a key of its own", () => {
    const made = createRemoteKey(here("k"), PUBLIC_KEY);
    expect(readFileSync(here("k"), "utf8")).toBe(
      `kilowitness key 1\nremote ${DEVICE}\nsalt ${toHex(made.saltKey)}\n`,
    );
    expect(statSync(here("k")).mode & 0o777).toBe(0o600);
    expect(readDeviceKey(here("k"))).toEqual(made);
    expect(readPublicKey(here("k"))).toEqual(PUBLIC_KEY);
    expect(() => readKey(here("k"))).toThrow(expect.objectContaining({ code: "key-remote" }));
    expect(() => createRemoteKey(here("k"), PUBLIC_KEY)).toThrow(
      expect.objectContaining({ code: "key-exists" }),
    );
  });

  it.each([
    ["a short key", `kilowitness key 1\nremote ${DEVICE.slice(1)}\nsalt ${DEVICE}\n`],
    ["another word", `kilowitness key 1\npublic ${DEVICE}\nsalt ${DEVICE}\n`],
    ["no salt", `kilowitness key 1\nremote ${DEVICE}\n`],
    ["a line more", `kilowitness key 1\nremote ${DEVICE}\nsalt ${DEVICE}\nseed ${DEVICE}\n`],
  ])("is none with %s", (_name, text) => {
    writeFileSync(here("k"), text, { mode: 0o600 });
    expect(() => readDeviceKey(here("k"))).toThrow(expect.objectContaining({ code: "key-format" }));
  });
});

it("is no secret in a support bundle but for its salt key, and the line's host is a name of a place", () => {
  const { saltKey } = createRemoteKey(here("k"), PUBLIC_KEY);
  const loose = looseConfig({ key: "k", signer: { coprocessor: "tcp://cellar.example.org:4001" } });
  const secrets = secretsOf(loose, here("agent.yaml")).map(({ text }) => text);
  expect(secrets).toContain(toHex(saltKey));
  expect(secrets).not.toContain(DEVICE);
  expect(privateTexts(loose).map(({ text }) => text)).toContain("cellar.example.org");
});

describe("opening the device's key", () => {
  it("needs the coprocessor at the first start only", async () => {
    const { config: wanted, terms } = signingConfig(folder, board.line);
    board.deaf = true;
    await expect(openDeviceKey(wanted, terms)).rejects.toMatchObject({
      code: "signer-silent",
      detail: { hint: expect.stringContaining("the first start needs the coprocessor") },
    });
    expect(existsSync(here("k"))).toBe(false);
    board.deaf = false;
    const first = await openDeviceKey(wanted, terms);
    await first.close();
    expect(first).toMatchObject({ created: true, assuranceTier: 2, signer: { publicKey: PUBLIC_KEY } });
    board.deaf = true;
    const second = await openDeviceKey(wanted, terms);
    closers.push(() => second.close());
    expect(second).toMatchObject({ created: false, problem: { code: "signer-silent" } });
    expect(second.saltKey).toEqual(first.saltKey);
    await expect(second.signer.sign(new Uint8Array(8))).rejects.toMatchObject({ code: "signer-silent" });
  });

  it("goes on where nothing is at the other end of the line", async () => {
    createRemoteKey(here("k"), PUBLIC_KEY);
    const { config: wanted, terms } = signingConfig(folder, board.line);
    await board.close();
    board = new Board();
    await board.listen();
    const key = await openDeviceKey(wanted, terms);
    closers.push(() => key.close());
    expect(key).toMatchObject({ problem: { code: "signer-unavailable" } });
    expect(key.problem?.message).toMatch(
      /^tcp:\S+: the coprocessor did not sign: connection refused, got [^;]*; is ser2net/,
    );
  });

  it("makes no key for a log that is there already", async () => {
    writeFileSync(here("j"), "a log");
    const place = { key: here("k"), journal: here("j") };
    expect(() => fileDeviceKey(place)).toThrow(expect.objectContaining({ code: "key-missing" }));
    const { config: wanted, terms } = signingConfig(folder, board.line);
    await expect(openDeviceKey({ ...wanted, ...place }, terms)).rejects.toMatchObject({
      code: "key-missing",
    });
    expect(existsSync(here("k"))).toBe(false);
  });

  it("refuses a key file and a configuration that do not agree, each way with what to do", async () => {
    createKey(here("k"));
    const { config: wanted, terms } = signingConfig(folder, board.line);
    await expect(openDeviceKey(wanted, terms)).rejects.toMatchObject({
      code: "signer-key-file",
      detail: { hint: expect.stringContaining("take signer out") },
    });
    createRemoteKey(here("remote"), PUBLIC_KEY);
    expect(() => fileDeviceKey({ key: here("remote") })).toThrow(
      expect.objectContaining({
        code: "signer-key-file",
        detail: expect.objectContaining({ hint: expect.stringContaining("put signer back") }),
      }),
    );
  });

  it("is not changed by a reload", () => {
    const { config: running } = signingConfig(folder, board.line);
    const again = signingConfig(folder, board.line).config;
    expect(() => requireReloadable(running, again)).not.toThrow();
    const { signer: _, ...without } = again;
    expect(() => requireReloadable(running, without)).toThrow(
      expect.objectContaining({ code: "config-restart" }),
    );
    const elsewhere = signingConfig(folder, "tcp://127.0.0.1:9").config;
    expect(() => requireReloadable(running, elsewhere)).toThrow(
      expect.objectContaining({ code: "config-restart" }),
    );
  });
});

describe("backup, restore and replacement of a gateway whose key is in a coprocessor", () => {
  async function sealed(): Promise<void> {
    const agent = await SigningAgent.start(folder, board.line);
    await until("a signature", () => agent.log.signed > 5);
    await agent.stop();
  }

  function run(command: ReturnType<typeof backupCommand>, ...args: readonly string[]): Promise<Outcome> {
    return runHere(command, "--config", here("agent.yaml"), ...args);
  }

  /** An empty gateway on another card, with the same configuration. */
  function otherCard(): string {
    const made = temporaryFolder();
    closers.push(made.remove);
    signingConfig(made.folder, board.line);
    return made.folder;
  }

  it("puts the log back on another card with the coprocessor alone, and goes on as the same device", async () => {
    await sealed();
    const out = here("home.tar");
    const made = await run(backupCommand(), "--out", out);
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(made.out).toContain(
      "the device's key is in its coprocessor: only a gateway with that coprocessor",
    );
    const card = otherCard();
    const restored = await runHere(restoreCommand(), out, "--config", join(card, "agent.yaml"), "--json");
    expect(restored).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(restored.out)).toMatchObject({ deviceKey: DEVICE, keyFile: join(card, "k") });
    expect(readPublicKey(join(card, "k"))).toEqual(PUBLIC_KEY);
    const agent = await SigningAgent.start(card, board.line);
    closers.push(() => agent.stop());
    await until("a signature", () => agent.agent.status().epoch > 1 && agent.log.signed);
    expect(toHex(agent.agent.deviceKey)).toBe(DEVICE);
  });

  it("keeps what belongs to the key where it is told to, without the key", async () => {
    await sealed();
    const out = here("home.tar");
    writeFileSync(here("words"), "correct horse battery staple\n", { mode: 0o600 });
    const withKey = ["--with-key", "--passphrase-file", here("words")];
    const made = await run(backupCommand(), "--out", out, ...withKey);
    expect(made.out).toContain("what belongs to it is here, encrypted: only a gateway with that coprocessor");
    // Nothing is asked of the coprocessor then.
    await board.close();
    board = new Board();
    await board.listen();
    const card = otherCard();
    const args = ["--config", join(card, "agent.yaml"), "--passphrase-file", here("words")];
    expect(await runHere(restoreCommand(), out, ...args)).toMatchObject({ code: 0, err: "" });
    expect(readDeviceKey(join(card, "k"))).toEqual(readDeviceKey(here("k")));
  });

  it("restores nothing where another coprocessor is there, and changes nothing", async () => {
    await sealed();
    const out = here("home.tar");
    await run(backupCommand(), "--out", out);
    board.exchange(OTHER_SEED);
    const card = otherCard();
    const { code, err } = await runHere(restoreCommand(), out, "--config", join(card, "agent.yaml"));
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("(restore-foreign)") });
    expect(["k", "journal.sqlite"].filter((name) => existsSync(join(card, name)))).toEqual([]);
  });

  it("replaces the gateway by one with another coprocessor, in a file and a log of its own", async () => {
    const old = ["--old-key", DEVICE, "--old-epoch", "1", "--old-size", "9"];
    createRemoteKey(here("k"), PUBLIC_KEY);
    config();
    board.exchange(OTHER_SEED);
    // The old key file is still there: the coprocessor is not the one that it knows.
    expect((await run(replaceGatewayCommand(), ...old)).err).toContain("(signer-key-changed)");
    const card = otherCard();
    const replaced = await runHere(
      replaceGatewayCommand(),
      "--config",
      join(card, "agent.yaml"),
      ...old,
      "--json",
    );
    expect(replaced).toMatchObject({ code: 0, err: "" });
    const deviceKey = toHex(nativeSigner(OTHER_SEED).publicKey);
    expect(JSON.parse(replaced.out)).toMatchObject({ deviceKey, created: true, oldDeviceKey: DEVICE });
    expect(toHex(readPublicKey(join(card, "k")))).toBe(deviceKey);
  });

  it("shows the device's key for an enrolment without the coprocessor", async () => {
    createRemoteKey(here("k"), PUBLIC_KEY);
    config();
    await board.close();
    board = new Board();
    await board.listen();
    const { code, out } = await run(enrolCommand(), "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ deviceKey: DEVICE, agentRuns: false });
  });
});
