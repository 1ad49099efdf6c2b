import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nativeSuite } from "../../attest/native.ts";
import type { CheckResult } from "../../drivers/kit/checklist.ts";
import { lineSchema } from "../../drivers/line/address.ts";
import { createLine } from "../../drivers/line/create.ts";
import { checkCoprocessor } from "../../firmware-bridge/coprocessor/conformance/conformance.ts";
import { SmpConnection } from "../../firmware-bridge/smp/connection.ts";

const FORMAT = { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 } as const;
/** Distributions keep their Python packages out of reach of other interpreters; the system's one goes last. */
const python = ["python3", "/usr/bin/python3"].find(
  (candidate) =>
    spawnSync(candidate, ["-c", "import cbor2, sys; assert sys.version_info >= (3, 11)"]).status === 0,
);

describe("a coprocessor in Python, written from docs/coprocessor-protocol.md alone", () => {
  if (python === undefined) return void it.skip("Python 3.11 with cbor2 is not installed");

  const folder = mkdtempSync(join(tmpdir(), "python-coprocessor-"));
  let program: ChildProcess;
  let place = "";
  beforeAll(async () => {
    const script = join(import.meta.dirname, "coprocessor.py");
    program = spawn(python, [script, "127.0.0.1:0", join(folder, "state")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    place = await new Promise((resolve, reject) => {
      program.once("exit", (code) => reject(new Error(`it ended with ${code}`)));
      if (program.stdout !== null)
        createInterface(program.stdout).once("line", (said) => resolve(said.replace("ready ", "tcp://")));
    });
  });
  afterAll(() => {
    program?.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  async function checked(version: 1 | 2): Promise<readonly CheckResult[]> {
    const connection = await SmpConnection.over(createLine(lineSchema.parse(place), FORMAT), { version });
    try {
      return await checkCoprocessor(connection, {
        ...{ suite: nativeSuite, snapshots: 5, pauseMs: 300, settleMs: 0, restart: true },
      });
    } finally {
      await connection.close();
    }
  }

  it.each([1, 2] as const)("has nothing wrong by SMP version %d, restart included", async (version) => {
    const results = await checked(version);
    expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
    const skipped = results.filter(({ outcome }) => outcome === "skipped").map(({ name }) => name);
    // Each read is of another instant there; and a Python's signature may take its time.
    expect(skipped.filter((name) => !name.startsWith("sign: within a second"))).toEqual([
      "read: one number, one content",
      "read: registers go with power",
    ]);
    expect(results.length).toBeGreaterThan(40);
  });
});
