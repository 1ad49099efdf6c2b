import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPty, type Pty } from "../../../drivers/simulated/telegram-pty.ts";
import { verifyImage } from "../../../firmware-bridge/image/verify-image.ts";
import { buildImage, publicKeyOf, SEED, securityCounter } from "../../firmware-bridge/image/build.ts";
import { NEW, OLD } from "../../firmware-bridge/update/kit-images.ts";
import { commandAlone, type Outcome, outcomeOf } from "../../kit/run-command.ts";

const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;
const COMMAND = new URL("../../../agent/cli/firmware.ts", import.meta.url).href;
const MCU = fileURLToPath(new URL("./firmware-mcu.ts", import.meta.url));
/** The command alone, as the launcher runs it. */
const RUN = commandAlone(COMMAND, "firmwareCommand");

const folder = mkdtempSync(join(tmpdir(), "kilowitness-firmware-"));
const file = (name: string): string => join(folder, name);
const KEY = file("key.hex");
const IMAGE = file("new.bin");
beforeAll(() => {
  writeFileSync(KEY, Buffer.from(publicKeyOf(SEED)).toString("hex"));
  writeFileSync(IMAGE, NEW);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ended(...args: readonly string[]): Promise<Outcome> {
  return outcomeOf([...RUN, ...args]);
}

describe("kilowitness firmware verify", () => {
  it("says what an image is, without a device, and keeps counters from going down", async () => {
    const counted = buildImage({ version: [2, 0, 0, 0], protectedTlvs: [securityCounter(7)] });
    writeFileSync(file("counted.bin"), counted);
    writeFileSync(file("counter"), "8\n");
    const [plain, json, lower] = await Promise.all([
      ended("verify", IMAGE, "--key", KEY),
      ended("verify", file("counted.bin"), "--key", KEY, "--min-counter", "7", "--json"),
      ended("verify", file("counted.bin"), "--key", KEY, "--counter-file", file("counter")),
    ]);
    expect(plain).toMatchObject({ code: 0, err: "" });
    expect(plain.out).toMatch(/^new\.bin: whole, and signed by the pinned key\n {2}version +1\.1\.0\n/);
    expect(JSON.parse(json.out)).toMatchObject({
      version: "2.0.0",
      securityCounter: 7,
      leastSecurityCounter: 7,
      bytes: counted.length,
    });
    expect(lower).toEqual({
      code: 1,
      out: "",
      err: expect.stringMatching(
        /^kilowitness firmware verify: .*counted\.bin: offset \d+: the image is older than one that ran before; expected at least 8, got 7; install a newer image \(image-security-counter\)\n$/,
      ),
    });
  });

  it("refuses another one's signature, a private key and a counter that is none, each in one line", async () => {
    const other = buildImage({ seed: new Uint8Array(32).fill(9) });
    writeFileSync(file("other.bin"), other);
    writeFileSync(file("key.pem"), "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n");
    writeFileSync(file("wrong"), "seven");
    const [signature, key, counter] = await Promise.all([
      ended("verify", file("other.bin"), "--key", KEY),
      ended("verify", IMAGE, "--key", file("key.pem")),
      ended("verify", IMAGE, "--key", KEY, "--counter-file", file("wrong")),
    ]);
    expect([signature.code, key.code, counter.code]).toEqual([1, 1, 1]);
    expect(signature.err).toMatch(/other\.bin: .*another key signed it.*pinned key.*\(image-key\)\n$/);
    expect(key.err).toMatch(/got a PRIVATE KEY; .*\(update-key\)\n$/);
    expect(counter.err).toMatch(/got "seven"; .*\(firmware-counter-file\)\n$/);
  });
});

interface Flash {
  readonly swap: string;
  /** Slot 0: "old", "new" or "neither"; verified, byte for byte. */
  readonly image: string;
}

describe.runIf(HAS_SOCAT)("kilowitness firmware on a serial port", () => {
  const port = file("mcu");
  let pty: Pty;
  let mcu: ChildProcess;

  beforeAll(async () => {
    pty = await openPty(port, () => undefined);
    mcu = fork(MCU, [pty.path]);
    await once(mcu, "message");
  });
  afterAll(async () => {
    mcu.kill("SIGKILL");
    await pty.close();
  });

  async function flash(ask: "state" | "restart" = "state"): Promise<Flash> {
    mcu.send(ask);
    const [said] = await once(mcu, "message");
    const bytes = Buffer.from(said.flash, "hex");
    const holds = (image: Uint8Array): boolean => {
      const stored = bytes.subarray(0, image.length);
      if (!stored.equals(image)) return false;
      verifyImage(stored, { publicKey: publicKeyOf(SEED), variant: "digest" });
      return true;
    };
    return { swap: said.swap, image: holds(OLD) ? "old" : holds(NEW) ? "new" : "neither" };
  }

  const UPLOAD = ["upload", IMAGE, "--key", KEY, "--port", port, "--settle", "0"] as const;

  /** An upload that the microcontroller sends a signal to. */
  async function doomed(doom: object): Promise<{ readonly exit: readonly unknown[]; readonly err: string }> {
    const child = spawn(process.execPath, [...RUN, ...UPLOAD], { stdio: ["ignore", "ignore", "pipe"] });
    const exit = once(child, "exit");
    let err = "";
    child.stderr.on("data", (chunk: Uint8Array) => {
      err += String(chunk);
    });
    mcu.send({ pid: child.pid, signal: "SIGKILL", ...doom });
    return { exit: await exit, err };
  }

  it("is stopped by Ctrl-C with a line that says what is left behind", async () => {
    const { exit, err } = await doomed({ signal: "SIGINT", swap: "none", piece: 5, acts: true });
    expect(exit).toEqual([1, null]);
    expect(err).toMatch(
      /: stopped as asked: the old image runs, and what was stored stays; run the same again to go on from there \(update-stopped\)\n$/,
    );
    expect(await flash()).toEqual({ swap: "none", image: "old" });
  });

  it.each([
    ["during the upload", { swap: "none", piece: 5, acts: false }, { swap: "none", image: "old" }],
    ["later in it", { swap: "none", piece: 7, acts: true }, { swap: "none", image: "old" }],
    ["before the reset", { swap: "test", piece: 1, acts: false }, { swap: "test", image: "old" }],
    ["with the new image up", { swap: "revert", piece: 1, acts: true }, { swap: "revert", image: "new" }],
    [
      "on the way to its confirmation",
      { swap: "revert", piece: 4, acts: false },
      { swap: "revert", image: "new" },
    ],
  ] as const)("killed %s leaves a verified image, and goes on", async (_, doom, left) => {
    expect((await doomed(doom)).exit).toEqual([null, "SIGKILL"]);
    expect(await flash()).toEqual(left);
  });

  it("ends confirmed in the end, keeps the counter's file alone, and then says so", async () => {
    // What was left unconfirmed falls back, and the stored image is taken up again.
    expect(await flash("restart")).toMatchObject({ image: expect.stringMatching(/^(?:old|new)$/) });
    const done = await ended(...UPLOAD, "--json");
    expect(done).toMatchObject({ code: 0 });
    expect(JSON.parse(done.out)).toMatchObject({ outcome: "confirmed", running: { version: "1.1.0" } });
    expect(await flash("restart")).toEqual({ swap: "none", image: "new" });

    const [again] = [await ended(...UPLOAD, "--counter-file", file("none"))];
    expect(again).toMatchObject({ code: 0, err: "" });
    expect(again.out).toContain("1.1.0 runs and is confirmed already: nothing was sent\n");
    expect(() => readFileSync(file("none"))).toThrow(/ENOENT/);

    const listed = await ended("list", "--port", `serial://${port}`);
    expect(listed.out).toMatch(
      /^slot 0: 1\.1\.0 {2}running, confirmed\n {2}hash [0-9a-f]{64}\nslot 1: 1\.0\.0 /,
    );
    const confirmed = await ended("confirm", "--port", port, "--hash", "00".repeat(32));
    expect(confirmed).toMatchObject({ code: 1, err: expect.stringContaining("(update-other-image)") });
  });
});
