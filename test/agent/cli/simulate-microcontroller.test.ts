import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { MicrocontrollerFolder } from "../../../agent/cli/simulate-microcontroller-folder.ts";
import { toHex } from "../../../attest/bytes.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { lineSchema } from "../../../drivers/line/address.ts";
import { createLine } from "../../../drivers/line/create.ts";
import { checkCoprocessor } from "../../../firmware-bridge/coprocessor/conformance/conformance.ts";
import { coprocessorDriver } from "../../../firmware-bridge/coprocessor/driver.ts";
import { coprocessorLines } from "../../../firmware-bridge/coprocessor/lines.ts";
import { CoprocessorSigner } from "../../../firmware-bridge/coprocessor/signer.ts";
import { MICROCONTROLLER_FAULTS } from "../../../firmware-bridge/simulated/microcontroller-faults.ts";
import { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { listImages, testImage } from "../../../firmware-bridge/smp/image-group.ts";
import { learnParameters, reset } from "../../../firmware-bridge/smp/os-group.ts";
import { uploadImage } from "../../../firmware-bridge/smp/upload.ts";
import { problemOf } from "../../firmware-bridge/image/refused.ts";

const SIMULATE = fileURLToPath(new URL("./simulate-main.ts", import.meta.url));
const FIRMWARE = new URL("../../../agent/cli/firmware.ts", import.meta.url).href;
const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;
const FORMAT = { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 } as const;
const QUICK = ["--tcp", "127.0.0.1:0", "--baud", "4000000"] as const;

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "simulate-mcu-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const running: ChildProcess[] = [];
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

interface Started {
  readonly child: ChildProcess;
  out: string;
  err: string;
  readonly ended: Promise<number | null>;
}

function started(...args: readonly string[]): Started {
  const child = spawn(process.execPath, [SIMULATE, "microcontroller", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.push(child);
  const seen: Started = { child, out: "", err: "", ended: once(child, "close").then(([code]) => code) };
  child.stdout?.on("data", (bytes: Uint8Array) => {
    seen.out += String(bytes);
  });
  child.stderr?.on("data", (bytes: Uint8Array) => {
    seen.err += String(bytes);
  });
  return seen;
}

/** Up to where it says `text`. */
async function until(one: Started, text: RegExp): Promise<void> {
  while (!text.test(one.out)) {
    if (one.child.exitCode !== null) throw new Error(one.err);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function ready(folder: string, ...args: readonly string[]): Promise<Started> {
  const one = started("--folder", join(root, folder), ...QUICK, ...args);
  await until(one, /start \d+: /);
  return one;
}

function placeOf({ out }: Started): string {
  return /is on (tcp:\S+),/.exec(out)?.[1] ?? expect.fail(out);
}

async function connected(one: Started): Promise<SmpConnection> {
  const connection = await SmpConnection.over(createLine(lineSchema.parse(placeOf(one)), FORMAT));
  open.push(connection);
  return connection;
}

function firmwareProcess(...args: readonly string[]): ChildProcess {
  const script = `const { firmwareCommand } = await import(${JSON.stringify(FIRMWARE)});
    await firmwareCommand().parseAsync(process.argv.slice(1), { from: "user" });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, "--", ...args]);
  running.push(child);
  return child;
}

async function firmware(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const child = firmwareProcess(...args);
  const said = { out: "", err: "" };
  child.stdout?.on("data", (bytes: Uint8Array) => {
    said.out += String(bytes);
  });
  child.stderr?.on("data", (bytes: Uint8Array) => {
    said.err += String(bytes);
  });
  const [code] = await once(child, "close");
  return { ...said, code };
}

/** The words of the line that it prints itself, less the program's name. */
function uploadLine({ out }: Started): readonly string[] {
  return /^kilowitness firmware (upload .*)$/m.exec(out)?.[1]?.split(" ") ?? expect.fail(out);
}

describe("kilowitness simulate microcontroller", () => {
  it("ends with one line where it cannot keep what happens to it", async () => {
    const one = await ready("stuck");
    mkdirSync(join(root, "stuck", "state.json.new"));
    one.child.kill("SIGUSR2");
    expect(await one.ended).toBe(1);
    expect(one.err).toMatch(/^kilowitness simulate microcontroller: .*state\.json.*\(simulate-folder\)\n$/);
  });

  it("is updated by the line that it prints, of the pure variant, and keeps that when it is killed", async () => {
    const one = await ready("pure", "--variant", "pure");
    const done = await firmware(...uploadLine(one), "--settle", "0");
    expect(done).toMatchObject({
      code: 0,
      out: expect.stringContaining("1.1.0 runs and is confirmed; before: 1.0.0\n"),
    });
    one.child.kill("SIGKILL");
    await one.ended;
    const again = await ready("pure");
    expect(again.out).toMatch(/start 3: 1\.1\.0 runs\n/);
    const listed = await listImages(await connected(again));
    expect(listed.map(({ version, hash, confirmed }) => [version, hash?.length, confirmed])).toEqual([
      ["1.1.0", 64, true],
      ["1.0.0", 64, false],
    ]);
  });

  it("goes back at a power cut from what was not confirmed, and starts nothing that its bootloader has no key of", async () => {
    const [one, other] = await Promise.all([ready("digest"), ready("other")]);
    const connection = await connected(one);
    await learnParameters(connection);
    const image = new Uint8Array(readFileSync(join(root, "digest/update.bin")));
    await uploadImage(connection, image);
    const stored = (await listImages(connection)).find(({ slot }) => slot === 1)?.hash ?? new Uint8Array(0);
    await testImage(connection, stored);
    await reset(connection);
    await until(one, /start 2: 1\.1\.0 runs, not confirmed/);
    one.child.kill("SIGUSR2");
    await until(one, /start 3: 1\.0\.0 runs\n/);
    // Signed by the other's signer: the same bytes, and another signature.
    await uploadImage(connection, new Uint8Array(readFileSync(join(root, "other/update.bin"))), {
      resume: false,
    });
    await testImage(connection, stored);
    await reset(connection);
    await until(one, /has no key that signed the image in slot 1: it is erased\n.*start 4: 1\.0\.0 runs\n/);
    expect((await listImages(connection)).map(({ version }) => version)).toEqual(["1.0.0"]);
    other.child.kill("SIGTERM");
    one.child.kill("SIGINT");
    expect(await Promise.all([one.ended, other.ended])).toEqual([0, 0]);
    expect([one.err, other.err]).toEqual(["", ""]);
  });

  it("meters and signs as the block says that it prints, and no register falls when it is killed", async () => {
    const reads: { importMwh: number; exportMwh: number }[] = [];
    const keys: string[] = [];
    for (const _ of [1, 2]) {
      const one = await ready("meter");
      const { line } = Object(parse(one.out.slice(one.out.indexOf("devices:")).split("\n\n")[0] ?? ""))
        .devices[0];
      const meter = coprocessorDriver.open(coprocessorDriver.schema.parse({ line }));
      if (meter.mode !== "polled") return expect.fail();
      expect(await meter.identify()).toMatchObject({
        make: "Simulated",
        serial: expect.stringMatching(/^SIMULATED-[0-9a-f]{8}$/),
      });
      const { readings } = await meter.read();
      reads.push({ importMwh: readings[0]?.importMwh ?? 0, exportMwh: readings[0]?.exportMwh ?? 0 });
      const lease = coprocessorLines.lease(lineSchema.parse(line));
      const signer = await CoprocessorSigner.open({ line: lease, suite: nativeSuite });
      keys.push(toHex(signer.publicKey));
      expect(one.out).toContain(`it signs with the key ${keys.at(-1)}\n`);
      await signer.close();
      await meter.close();
      one.child.kill("SIGKILL");
      await one.ended;
    }
    const [first, second] = reads;
    expect(second?.importMwh).toBeGreaterThanOrEqual(first?.importMwh ?? Number.NaN);
    expect(second?.exportMwh).toBeGreaterThanOrEqual(first?.exportMwh ?? Number.NaN);
    expect(first?.importMwh).toBeGreaterThan(0);
    expect(keys[0]).toBe(keys[1]);
  });

  it("is held against the protocol and has nothing wrong, also where its registers began before", async () => {
    const before = await ready("held");
    before.child.kill("SIGKILL");
    await before.ended;
    const results = await checkCoprocessor(await connected(await ready("held")), {
      ...{ suite: nativeSuite, snapshots: 10, pauseMs: 50 },
    });
    expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
    expect(results.length).toBeGreaterThan(40);
  });

  it("is MCUboot's recovery until an image was written there", async () => {
    const one = await ready("recovery", "--recovery");
    const refused = await firmware(...uploadLine(one));
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("(update-recovery)\n") });
    const done = await firmware(...uploadLine(one), "--recovery", "--settle", "0", "--json");
    expect(JSON.parse(done.out)).toMatchObject({ outcome: "confirmed", before: null });
    await until(one, /the recovery is left\n.*start 2: 1\.1\.0 runs\n/);
  });

  it.skipIf(!HAS_SOCAT)(
    "on a pseudo terminal that is pulled out in mid-upload says what is left, and goes on",
    async () => {
      const link = join(root, "port");
      const place = ["--folder", join(root, "pty"), "--pty", link, "--baud", "57600"];
      const one = started(...place);
      await until(one, /start 1: /);
      const upload = firmwareProcess(...uploadLine(one), "--settle", "0");
      const exit = once(upload, "close");
      let err = "";
      upload.stderr?.on("data", (bytes: Uint8Array) => {
        // At the first of its percentages.
        if (err === "") one.child.kill("SIGTERM");
        err += String(bytes);
      });
      const [code] = await exit;
      expect(code).toBe(1);
      expect(err).toMatch(
        /\/port: the line was lost.*; the old image runs, and what was stored stays; .*\(line-[a-z-]+\)\n$/,
      );
      await one.ended;
      const again = started(...place.slice(0, 4), "--baud", "4000000");
      await until(again, /start 2: 1\.0\.0 runs/);
      expect(await firmware(...uploadLine(again), "--settle", "0")).toMatchObject({ code: 0 });
      again.child.kill("SIGTERM");
      expect(await again.ended).toBe(0);
    },
  );

  it("has a row in the document for each of its faults", () => {
    const document = readFileSync(new URL("../../../docs/simulate.md", import.meta.url), "utf8");
    const names = Object.keys(MICROCONTROLLER_FAULTS);
    expect(names.length).toBeGreaterThan(30);
    expect(names.filter((name) => !document.includes(`| \`${name}\` |`))).toEqual([]);
  });

  const WRONG: readonly (readonly [args: readonly string[], code: number, said: string])[] = [
    [["--fault", "rollover"], 1, "simulate-fault"],
    [["--key", "/no/such/key"], 1, "simulate-key"],
    [["--path", "/dev/no-such-line"], 1, "line-not-found"],
    [["--slot-bytes", "12"], 2, "32768"],
  ];

  it("says in one line what is wrong", async () => {
    const all = WRONG.map(([args], at) => started("--folder", join(root, `wrong-${at}`), ...args));
    const codes = await Promise.all(all.map((one) => one.ended));
    for (const [at, [args, code, said]] of WRONG.entries()) {
      const { out = "", err = "" } = all[at] ?? {};
      expect({ args, code: codes[at], out }).toEqual({ args, code, out: "" });
      expect(err).toContain(said);
    }
  });
});

describe("the folder of a simulated microcontroller", () => {
  const folder = (name: string): string => join(root, name);

  it("keeps what is written, and the exchange of slots", () => {
    const made = MicrocontrollerFolder.open(folder("kept"), { slotBytes: 65_536 });
    made.onBytes(1, 100, Uint8Array.of(1, 2, 3));
    made.onExchanged("revert");
    made.onBytes(1, 65_533, Uint8Array.of(7, 8, 9));
    made.close();
    const { flash, variant, close } = opened("kept");
    expect([variant, flash.swap, flash.slots[0].subarray(100, 103)]).toEqual([
      "digest",
      "revert",
      Uint8Array.of(1, 2, 3),
    ]);
    expect(flash.slots[1].subarray(65_533)).toEqual(Uint8Array.of(7, 8, 9));
    close();
    for (const secret of ["device.key", "image-signer.pem"])
      expect(statSync(join(folder("kept"), secret)).mode & 0o077).toBe(0);
  });

  function opened(
    name: string,
  ): Pick<MicrocontrollerFolder, "flash" | "variant"> & { readonly close: () => void } {
    const one = MicrocontrollerFolder.open(folder(name), {});
    return { flash: one.flash, variant: one.variant, close: () => one.close() };
  }

  it("is free when the process that had it is dead, whether somebody has waited for that or not", async () => {
    opened("freed").close();
    const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 1000"]);
    running.push(parent);
    const [printed] = await once(parent.stdout, "data");
    const pid = String(printed).trim();
    await expect.poll(() => readFileSync(`/proc/${pid}/stat`, "latin1")).toContain(") Z ");
    writeFileSync(join(folder("freed"), "running.pid"), pid);
    opened("freed").close();
  });

  it("is refused with another wish than it was made with, with a state that is none, and while another process has it", () => {
    opened("refused").close();
    const code = (wish: object): string =>
      problemOf(() => MicrocontrollerFolder.open(folder("refused"), wish)).code;
    expect(code({ variant: "pure" })).toBe("simulate-folder");
    expect(code({ slotBytes: 40_000 })).toBe("simulate-folder");
    writeFileSync(join(folder("refused"), "running.pid"), String(process.ppid));
    expect(code({})).toBe("simulate-folder");
    rmSync(join(folder("refused"), "running.pid"));
    writeFileSync(join(folder("refused"), "image-signer.pem"), "");
    expect(() => MicrocontrollerFolder.open(folder("refused"), {})).toThrow(
      /image-signer\.pem.*the private key of the signer/,
    );
    writeFileSync(join(folder("refused"), "state.json"), "{}");
    expect(code({})).toBe("simulate-folder");
  });
});
