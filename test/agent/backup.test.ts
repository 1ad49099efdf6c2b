import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { scryptAsync } from "@noble/hashes/scrypt.js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { backupCommand } from "../../agent/cli/backup.ts";
import { openKeyFile, sealKeyFile } from "../../agent/cli/backup-key.ts";
import { restoreCommand } from "../../agent/cli/restore.ts";
import { fromHex } from "../../attest/bytes.ts";
import { runFsck } from "../../bin/fsck/run.ts";
import { eventually } from "../kit/programs.ts";
import { temporaryFolder } from "./kit.ts";
import { type Outcome, runHere } from "./outlet/run-command.ts";
import { type RunningAgent, runAgent } from "./outlet/running-agent.ts";

const PASSPHRASE = "correct horse battery staple";

let closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

function folder(): string {
  const made = temporaryFolder();
  closers.push(made.remove);
  return made.folder;
}

/** An agent that seals ten readings a second, all the time. */
let running: RunningAgent;
beforeAll(async () => {
  running = await runAgent();
  await eventually("readings", 25_000, () => (running.agent.status().log.signed > 12 ? true : undefined));
});
afterAll(() => running.close());

function backup(out: string, ...args: readonly string[]): Promise<Outcome> {
  return runHere(backupCommand(), "--config", running.config, "--out", out, ...args);
}

function passphraseFile(into: string, text: string = PASSPHRASE): string {
  const file = join(into, "passphrase");
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  return file;
}

/** A gateway with the old one's configuration, and nothing else. */
function emptyGateway(): { readonly folder: string; readonly config: string } {
  const into = folder();
  const config = join(into, "agent.yaml");
  copyFileSync(running.config, config);
  return { folder: into, config };
}

function findings(path: string, deviceKey: string): string[] {
  const keys = { deviceKeys: [fromHex(deviceKey, "key")], nodeKeys: [], network: "test" };
  return runFsck(path, { ...keys, most: 10 }).findings.map(({ code }) => code);
}

describe("kilowitness backup", () => {
  it("copies the log while ten readings a second are sealed, and disturbs nothing", async () => {
    const out = join(folder(), "home.tar");
    const before = running.agent.status().log;
    const { code, out: said, err } = await backup(out, "--json");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const made = JSON.parse(said);
    expect(made.manifest.size).toBeGreaterThanOrEqual(before.durable);
    expect(made).toMatchObject({ checked: true, withKey: false, manifest: { network: "test", epoch: 1 } });
    const after = running.agent.status().log;
    await eventually("more", 25_000, () =>
      running.agent.status().log.signed > after.signed + 5 ? true : undefined,
    );
    expect(running.lines.filter(({ event }) => /failed|lost|damaged|discontinuity/.test(event))).toEqual([]);
    expect(findings(join(running.folder, "journal.sqlite"), running.agent.status().deviceKey)).toEqual([]);
  });

  it("is an archive that the system's own tar unpacks, without a key in it", async () => {
    const into = folder();
    const out = join(into, "home.tar");
    await backup(out);
    execFileSync("tar", ["xf", out, "-C", into]);
    const unpacked = join(into, "kilowitness-backup");
    expect(readdirSync(unpacked).sort()).toEqual(
      ["README.txt", "agent.yaml", "journal.sqlite", "journal.sqlite.epoch", "manifest.json"].sort(),
    );
    const seed = /^seed (\w+)$/m.exec(readFileSync(join(running.folder, "device.key"), "utf8"))?.[1] ?? "";
    expect(readFileSync(out).includes(seed)).toBe(false);
    expect(readFileSync(out).includes(Buffer.from(seed, "hex"))).toBe(false);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(unpacked, "agent.yaml"), "utf8")).toBe(readFileSync(running.config, "utf8"));
    expect(findings(join(unpacked, "journal.sqlite"), running.agent.status().deviceKey)).toEqual([]);
    expect(readdirSync(into).sort()).toEqual(["home.tar", "kilowitness-backup"]);
  });

  it("says once that there is no room, leaves nothing behind, and the agent seals on", async () => {
    const into = folder();
    try {
      // A file system of 64 KiB; without the right to mount one, the target is a folder that nobody may write.
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", into], { stdio: "ignore" });
      closers.push(() => execFileSync("umount", [into]));
    } catch {
      writeFileSync(join(into, "file"), "");
    }
    const mounted = readdirSync(into).length === 0;
    const out = mounted ? join(into, "home.tar") : join(into, "file", "home.tar");
    const { code, out: said, err } = await backup(out);
    expect({ code, said }).toEqual({ code: 1, said: "" });
    expect(err).toMatch(/^kilowitness backup: .*the backup cannot be written.*\(backup-write\)\n$/);
    expect(readdirSync(into)).toEqual(mounted ? [] : ["file"]);
    const { signed } = running.agent.status().log;
    await eventually("more", 25_000, () => (running.agent.status().log.signed > signed ? true : undefined));
  });

  it("never writes over a file", async () => {
    const out = join(folder(), "home.tar");
    writeFileSync(out, "somebody's");
    expect((await backup(out)).err).toContain("(backup-write)");
    expect(readFileSync(out, "utf8")).toBe("somebody's");
  });

  it("holds the key only under a passphrase that nobody else can read", async () => {
    const into = folder();
    const out = join(into, "home.tar");
    expect((await backup(out, "--with-key")).err).toContain("(backup-passphrase)");
    const file = passphraseFile(into);
    chmodSync(file, 0o644);
    const args = ["--with-key", "--passphrase-file", file];
    expect((await backup(out, ...args)).err).toContain("(passphrase-permissions)");
    writeFileSync(file, "too short\n");
    chmodSync(file, 0o600);
    expect((await backup(out, ...args)).err).toContain("(passphrase-short)");
    expect(existsSync(out)).toBe(false);
  });
});

describe("a key under a passphrase", () => {
  const text = "kilowitness key 1\nseed …\n";
  const sealed = sealKeyFile(text, PASSPHRASE, "ab".repeat(32));

  it("opens with it, and with nothing else", () => {
    expect(openKeyFile(sealed, PASSPHRASE)).toBe(text);
    expect(() => openKeyFile(sealed, `${PASSPHRASE}.`)).toThrow(/passphrase does not open/);
    const other = sealed.replace("ab".repeat(32), "ac".repeat(32));
    expect(() => openKeyFile(other, PASSPHRASE)).toThrow(/passphrase does not open/);
    expect(() => openKeyFile(sealed.replace('"p": 1', '"p": 2'), PASSPHRASE)).toThrow(/not as this program/);
  });

  it("is what another scrypt and another AES-256-GCM make of it", async () => {
    const { salt, iv, tag, ciphertext, n, r, p, format, deviceKey } = JSON.parse(sealed);
    const bytes = (hex: string): Buffer<ArrayBuffer> => Buffer.from(hex, "hex");
    const raw = await scryptAsync(PASSPHRASE, bytes(salt), { N: n, r, p, dkLen: 32 });
    const key = await crypto.subtle.importKey("raw", Buffer.from(raw), "AES-GCM", false, ["decrypt"]);
    const additionalData = Buffer.from(`${format}\n${deviceKey}\n`);
    const algorithm = { name: "AES-GCM", iv: bytes(iv), additionalData, tagLength: 128 };
    const opened = await crypto.subtle.decrypt(algorithm, key, bytes(ciphertext + tag));
    expect(Buffer.from(opened).toString()).toBe(text);
  });
});

describe("kilowitness restore", () => {
  it("puts the log back where the key is, checked, and the agent goes on in another epoch", async () => {
    const { folder: into, config } = emptyGateway();
    const out = join(into, "home.tar");
    await backup(out);
    const { deviceKey } = running.agent.status();
    copyFileSync(join(running.folder, "device.key"), join(into, "device.key"));
    const { code, out: said, err } = await runHere(restoreCommand(), out, "--config", config);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(said).toContain(`device ${deviceKey}`);
    expect(readFileSync(join(into, "journal.sqlite.epoch"), "utf8")).toBe("2\n");
    expect(readdirSync(into).filter((name) => name.includes(".restore-"))).toEqual([]);
  });

  it("brings the key along with its passphrase, and not with another", async () => {
    const { folder: into, config } = emptyGateway();
    const out = join(into, "home.tar");
    const file = passphraseFile(into);
    const [next, record] = ["the key to rotate to", "what a node has signed"];
    writeFileSync(join(running.folder, "device.key.next"), next);
    mkdirSync(join(running.folder, "journal.sqlite.enrolments"), { recursive: true });
    writeFileSync(join(running.folder, "journal.sqlite.enrolments", "ab".repeat(32)), record);
    expect((await backup(out, "--with-key", "--passphrase-file", file)).code).toBe(0);
    expect(readFileSync(out).includes(next)).toBe(false);
    const restore = (...args: readonly string[]): Promise<Outcome> =>
      runHere(restoreCommand(), out, "--config", config, ...args);
    expect((await restore()).err).toContain("(restore-passphrase)");
    writeFileSync(file, "another passphrase\n");
    expect((await restore("--passphrase-file", file)).err).toContain("(backup-passphrase)");
    expect(readdirSync(into).sort()).toEqual(["agent.yaml", "home.tar", "journal.sqlite.lock", "passphrase"]);
    writeFileSync(file, PASSPHRASE);
    expect((await restore("--passphrase-file", file)).code).toBe(0);
    const key = join(into, "device.key");
    expect(readFileSync(`${key}.next`, "utf8")).toBe(next);
    expect(readFileSync(join(into, "journal.sqlite.enrolments", "ab".repeat(32)), "utf8")).toBe(record);
    expect(readFileSync(key, "utf8")).toBe(readFileSync(join(running.folder, "device.key"), "utf8"));
    expect(statSync(key).mode & 0o777).toBe(0o600);
  });

  it("refuses without the key, with another one, over a log, for another network, and a damaged backup", async () => {
    const { folder: into, config } = emptyGateway();
    const out = join(into, "home.tar");
    await backup(out);
    const restore = async (file = out): Promise<string> => {
      const { code, err } = await runHere(restoreCommand(), file, "--config", config);
      expect(code).toBe(1);
      return /\(([a-z-]+)\)\n$/.exec(err)?.[1] ?? err;
    };
    expect(await restore()).toBe("restore-no-key");
    const key = join(into, "device.key");
    writeFileSync(key, `kilowitness key 1\nseed ${"5e".repeat(32)}\nsalt ${"0a".repeat(32)}\n`, {
      mode: 0o600,
    });
    expect(await restore()).toBe("restore-foreign");
    copyFileSync(join(running.folder, "device.key"), key);
    const damaged = join(into, "damaged.tar");
    const bytes = readFileSync(out);
    const middle = bytes.indexOf("SQLite format 3") + 5000;
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(damaged, bytes);
    expect(await restore(damaged)).toBe("backup-format");
    writeFileSync(damaged, readFileSync(out).subarray(0, -2000));
    expect(await restore(damaged)).toBe("backup-format");
    writeFileSync(damaged, "not a tar".repeat(1000));
    expect(await restore(damaged)).toBe("backup-format");
    expect(await restore(join(into, "nothing"))).toBe("backup-read");
    const text = readFileSync(config, "utf8");
    writeFileSync(config, text.replace("network: test", "network: other"));
    expect(await restore()).toBe("restore-network");
    writeFileSync(config, text);
    expect(existsSync(join(into, "journal.sqlite"))).toBe(false);
    writeFileSync(join(into, "journal.sqlite"), "somebody's");
    expect(await restore()).toBe("restore-journal-exists");
    expect(readFileSync(join(into, "journal.sqlite"), "utf8")).toBe("somebody's");
  });
});
