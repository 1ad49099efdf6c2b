import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BACKUP_FOLDER, BACKUP_FORMAT } from "../../agent/cli/backup-manifest.ts";
import { TarWriter } from "../../agent/cli/backup-tar.ts";
import { replaceGatewayCommand } from "../../agent/cli/replace-gateway.ts";
import { type Replacement, takeUpReplacement, writeReplacement } from "../../agent/reload/replacement.ts";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { logIdOf } from "../../attest/identity.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { createKey, readKey } from "../../runtime/key-file.ts";
import { openBench, recordingLogger, sealReadings, temporaryFolder } from "./kit.ts";
import { type Outcome, runHere } from "./outlet/run-command.ts";

const NODE_KEY = "0a".repeat(32);
const OLD = nativeSigner(new Uint8Array(32).fill(9)).publicKey;

let folder = "";
let remove = (): void => undefined;
beforeEach(() => {
  ({ folder, remove } = temporaryFolder());
  const devices = [{ id: "roof", driver: "sunspec", host: "127.0.0.1" }];
  const nodes = [{ url: "wss://node.example.org", key: NODE_KEY }];
  const config = { network: "test", key: "device.key", journal: "journal.sqlite", devices, nodes };
  writeFileSync(join(folder, "agent.yaml"), JSON.stringify(config));
});
afterEach(() => remove());

function replace(...args: readonly string[]): Promise<Outcome> {
  return runHere(replaceGatewayCommand(), "--config", join(folder, "agent.yaml"), ...args);
}

function logId(epoch: number): string {
  return toHex(logIdOf(nativeSuite, { network: "test", deviceKey: OLD, epoch }));
}

/** A backup that says who it is of, and holds nothing else. */
function backupOf(network: string): string {
  const path = join(folder, `${network}.tar`);
  const tar = new TarWriter(path, BACKUP_FOLDER, 0);
  const about = { network, deviceKey: toHex(OLD), epoch: 4, logId: logId(4), size: 120, signedSize: 117 };
  tar.addText(
    "manifest.json",
    JSON.stringify({ format: BACKUP_FORMAT, version: "0", madeAtMs: 1, ...about, files: {} }),
  );
  tar.end();
  tar.close();
  return path;
}

function waiting(): unknown {
  return JSON.parse(readFileSync(join(folder, "journal.sqlite.replacement"), "utf8"));
}

describe("kilowitness replace-gateway", () => {
  it("makes a key, has the log name the old gateway, and says what the node's operator has to do", async () => {
    const { code, out, err } = await replace("--from", backupOf("test"));
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const made = toHex(nativeSigner(readKey(join(folder, "device.key")).seed).publicKey);
    expect(out).toContain(`this gateway  ${made}`);
    expect(out).toContain(
      `to retire the old key, so that nobody can go on with the old gateway's card: ${toHex(OLD)}`,
    );
    expect(out).toContain("wss://node.example.org");
    expect(waiting()).toEqual({
      format: "kilowitness replacement 1",
      ...{ oldDeviceKey: toHex(OLD), oldLogId: logId(4), oldEpoch: 4, oldSize: 117 },
    });
  });

  it("takes the old gateway as a node shows it, and keeps a key that is there", async () => {
    createKey(join(folder, "device.key"));
    const before = readFileSync(join(folder, "device.key"), "utf8");
    const old = ["--old-key", toHex(OLD).toUpperCase(), "--old-epoch", "2", "--old-size", "55"];
    const { code, out } = await replace(...old, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ oldLogId: logId(2), oldSize: 55, created: false });
    expect(readFileSync(join(folder, "device.key"), "utf8")).toBe(before);
  });

  it("refuses what would be the same device, another network's, or nobody's", async () => {
    expect((await replace()).err).toContain("(replace-which)");
    expect((await replace("--old-key", toHex(OLD))).err).toContain("(replace-which)");
    expect((await replace("--from", backupOf("other"))).err).toContain("(replace-network)");
    expect(existsSync(join(folder, "device.key"))).toBe(false);
    const salt = "0a".repeat(32);
    writeFileSync(join(folder, "device.key"), `kilowitness key 1\nseed ${"09".repeat(32)}\nsalt ${salt}\n`, {
      mode: 0o600,
    });
    expect((await replace("--from", backupOf("test"))).err).toContain("(replace-same-key)");
    expect(existsSync(join(folder, "journal.sqlite.replacement"))).toBe(false);
  });
});

describe("a replacement at the agent's start", () => {
  const replacement: Replacement = {
    ...{ oldDeviceKey: toHex(OLD), oldLogId: logId(999_999_999), oldEpoch: 999_999_999 },
    oldSize: Number.MAX_SAFE_INTEGER,
  };

  it("is said once in the log, durably, and signed with the rest", async () => {
    const path = join(folder, "journal.sqlite");
    const bench = openBench(path);
    const { logger, lines } = recordingLogger();
    takeUpReplacement(path, { sealer: bench.sealer, logger });
    expect(bench.log.journal.size(1)).toBe(0);
    writeReplacement(path, replacement);
    takeUpReplacement(path, { sealer: bench.sealer, logger });
    takeUpReplacement(path, { sealer: bench.sealer, logger });
    const said = bench.log.journal.leaves(1, 0, bench.log.journal.size(1)).map(decodeLeaf);
    expect(said.map(({ kind }) => kind)).toEqual(["logManifest", "operatorAction"]);
    expect(said[1]).toMatchObject({
      action: `replaces gateway, log ${replacement.oldLogId} epoch 999999999 size 9007199254740991`,
      subject: fromHex(replacement.oldDeviceKey, "key"),
    });
    expect(lines).toMatchObject([{ event: "gateway-replaced", oldDeviceKey: replacement.oldDeviceKey }]);
    expect(existsSync(`${path}.replacement`)).toBe(false);
    sealReadings(bench, 2);
    expect(await bench.sealer.checkpoint()).toBe(bench.sealer.rules.size);
    bench.log.journal.close();
  });

  it("that nobody can read is named and kept, and the agent goes on", () => {
    const path = join(folder, "journal.sqlite");
    const bench = openBench(path);
    const { logger, lines } = recordingLogger();
    writeFileSync(`${path}.replacement`, '{"format":"another"}');
    takeUpReplacement(path, { sealer: bench.sealer, logger });
    expect(lines).toMatchObject([{ event: "replacement-failed", code: "replacement-file" }]);
    expect(existsSync(`${path}.replacement`)).toBe(true);
    expect(bench.sealer.rules.size).toBe(1);
    bench.log.journal.close();
  });
});
