import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MeterDriver, PushMeter } from "../../../drivers/driver.ts";
import { dsmrP1Driver } from "../../../drivers/dsmr/driver.ts";
import { decodeEvidence } from "../../../drivers/evidence/decode.ts";
import { conformance } from "../../../drivers/kit/index.ts";
import { startP1Meter } from "../../../drivers/simulated/p1-meter.ts";
import { encodeP1Telegram, p1Speaker } from "../../../drivers/simulated/p1-telegram.ts";
import { until, unusedPort } from "../line/kit.ts";
import { listenedTo } from "../telegram/push-log.ts";
import { AUTHENTICATION_KEY, codeOf, frameOf, KEY, SHOWN, STATE } from "./kit.ts";

const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;

let folder = "";
const open: { close(): Promise<void> }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "p1-"));
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  rmSync(folder, { recursive: true });
});

function keyFile(name: string, key: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, `${Buffer.from(key).toString("hex")}\n`);
  chmodSync(path, 0o600);
  return path;
}

/** What a meter with an encrypted port says next; its import grows by 1 Wh each time. */
function encryptedTelegrams(authenticationKey?: Uint8Array): () => Uint8Array {
  const speaker = p1Speaker({ key: KEY, ...(authenticationKey === undefined ? {} : { authenticationKey }) });
  let said = 0;
  return () => {
    said += 1;
    return frameOf(speaker, { ...SHOWN, importT1Mwh: SHOWN.importT1Mwh + said * 1_000 });
  };
}

async function simulate(telegram: () => Uint8Array): Promise<string> {
  const meter = await startP1Meter({
    ...{ host: "127.0.0.1", port: 0, periodMs: 20 },
    ...{ state: () => STATE, telegram },
  });
  open.push(meter);
  return `tcp://127.0.0.1:${meter.port}`;
}

function driver(options: Readonly<Record<string, string | number>>): PushMeter {
  const meter: MeterDriver = dsmrP1Driver.open(dsmrP1Driver.schema.parse(options));
  open.push(meter);
  if (meter.mode !== "push") throw new Error("not a push meter");
  return meter;
}

describe("the P1 driver on an encrypted port", () => {
  it.each([
    ["of Luxembourg", undefined],
    ["with an authentication key of its own", AUTHENTICATION_KEY],
  ])("%s reads, and leaves evidence that decodes without the key", async (_what, authenticationKey) => {
    const line = await simulate(encryptedTelegrams(authenticationKey));
    const own = authenticationKey;
    const second = own === undefined ? {} : { authenticationKeyFile: keyFile("authentication", own) };
    const meter = driver({ line, keyFile: keyFile("key", KEY), ...second });
    expect((await meter.identify()).serial).toBe(SHOWN.serial);
    const { snapshots, problems } = listenedTo(meter);
    await until("three telegrams", () => snapshots.length >= 3);
    expect(problems).toEqual([]);
    for (const { readings, frames } of snapshots) {
      const [reading] = readings;
      const [frame] = frames ?? [];
      if (reading === undefined || frame === undefined) throw new Error("no reading");
      const importT1Mwh = (reading.importMwh ?? 0) - SHOWN.importT2Mwh;
      expect(frame.bytes).toEqual(encodeP1Telegram({ ...SHOWN, importT1Mwh }));
      expect(Buffer.from(reading.evidence)).toEqual(createHash("sha256").update(frame.bytes).digest());
      const again = decodeEvidence("dsmr-p1", { make: "KWS", winterOffsetMinutes: 60 }, frame.bytes);
      expect("channels" in again && again.channels[0]?.reading).toEqual(reading);
    }
  });

  it("says at once that it has no key", async () => {
    const meter = driver({ line: await simulate(encryptedTelegrams()) });
    await expect(meter.identify()).rejects.toMatchObject({
      code: "dsmr-encrypted",
      message: expect.stringContaining("keyFile"),
    });
  });

  it("says in the end that the key is another one, and never shows it", async () => {
    const line = await simulate(encryptedTelegrams());
    const other = keyFile("other", new Uint8Array(16).fill(0x5a));
    const meter = driver({ line, keyFile: other, identifyTimeoutMs: 2_000 });
    const failed = await meter.identify().catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "driver-no-answer", cause: { code: "dsmr-key" } });
    expect(String(failed)).not.toContain("5a5a");
  });

  it("does not open with a key file that others may change", async () => {
    const path = keyFile("open", KEY);
    chmodSync(path, 0o666);
    expect(codeOf(() => driver({ line: "tcp://127.0.0.1:1", keyFile: path }))).toMatch(/^key-file/);
  });

  it("reports a telegram that comes again, and reads on", async () => {
    const telegrams = encryptedTelegrams();
    let last = telegrams();
    let count = 0;
    const line = await simulate(() => {
      count += 1;
      if (count % 3 !== 0) last = telegrams();
      return last;
    });
    const { snapshots, problems } = listenedTo(driver({ line, keyFile: keyFile("key", KEY) }));
    await until("a repetition and more", () => problems.length >= 2 && snapshots.length >= 4);
    expect(new Set(problems)).toEqual(new Set(["dsmr-replay"]));
    const imports = snapshots.map(({ readings }) => readings[0]?.importMwh ?? 0);
    expect(imports).toEqual([...new Set(imports)].sort((one, other) => one - other));
  });

  it("keeps the contract of drivers", async () => {
    const line = await simulate(encryptedTelegrams());
    const keys = { keyFile: keyFile("key", KEY) };
    const unreachable = { line: `tcp://127.0.0.1:${await unusedPort()}`, ...keys };
    const results = await conformance(dsmrP1Driver, { line, ...keys }, { unreachable });
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
    expect(results.length).toBeGreaterThan(10);
  });

  it.skipIf(!HAS_SOCAT)(`reads from a pseudo terminal${HAS_SOCAT ? "" : " (no socat)"}`, async () => {
    const [near, far] = [join(folder, "near"), join(folder, "far")];
    const socat: ChildProcess = spawn("socat", [`pty,raw,echo=0,link=${near}`, `pty,raw,echo=0,link=${far}`]);
    const gone = new Promise<void>((resolve) => socat.once("exit", () => resolve()));
    open.push({
      close: () => {
        socat.kill();
        return gone;
      },
    });
    await until("the pseudo terminals", () => existsSync(near) && existsSync(far));
    const telegram = encryptedTelegrams();
    open.push(await startP1Meter({ path: far, periodMs: 50, state: () => STATE, telegram }));
    const meter = driver({ line: `serial://${near}`, keyFile: keyFile("key", KEY) });
    expect((await meter.identify()).serial).toBe(SHOWN.serial);
  });
});
