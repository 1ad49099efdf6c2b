import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { lockRegister } from "../../../firmware-bridge/pulse/register-lock.ts";

const MODULE = new URL("../../../firmware-bridge/pulse/register-lock.ts", import.meta.url).href;

let folder = "";
let path = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pulse-lock-"));
  path = join(folder, "register");
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** From here on flock is this shell script. */
function installFlock(script: string): void {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "flock"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, "flock"), 0o755);
  vi.stubEnv("PATH", bin);
}

describe("the lock of a register file", () => {
  it("is had by one, and by the next when that one has released it", async () => {
    const lock = await lockRegister(path);
    expect(readdirSync(folder)).toEqual(["register.lock"]);
    expect(statSync(`${path}.lock`).mode & 0o777).toBe(0o600);
    await expect(lockRegister(path, 0)).rejects.toMatchObject({ code: "pulse-register-busy" });
    const other = await lockRegister(`${path}-2`, 0);
    const waiting = lockRegister(path, 60_000);
    await lock.release();
    await (await waiting).release();
    await other.release();
  });

  it("goes with its process, also where that one is killed", async () => {
    const script = `
      import { lockRegister } from ${JSON.stringify(MODULE)};
      await lockRegister(${JSON.stringify(path)});
      console.log("locked");
      setInterval(() => globalThis.gc(), 10);`;
    const other = spawn(process.execPath, ["--expose-gc", "--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(other.stdout, "data");
    await expect(lockRegister(path, 300)).rejects.toMatchObject({ code: "pulse-register-busy" });
    const closed = once(other, "close");
    other.kill("SIGKILL");
    await closed;
    await (await lockRegister(path, 0)).release();
  });

  it("is said to be out of reach where there is no folder, no flock, or a file system without locks", async () => {
    await expect(lockRegister(join(folder, "gone", "register"))).rejects.toMatchObject({
      code: "pulse-register-file",
    });
    installFlock("echo 'flock: 3: No locks available' >&2; exit 71");
    await expect(lockRegister(path)).rejects.toMatchObject({
      ...{ code: "pulse-register-file", detail: { got: "flock: 3: No locks available (flock: 71)" } },
    });
    vi.stubEnv("PATH", join(folder, "gone"));
    await expect(lockRegister(path)).rejects.toMatchObject({ code: "pulse-flock-missing" });
  });
});
