import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { dlmsSpeaker } from "../../../drivers/simulated/dlms-telegram.ts";
import { p1Speaker } from "../../../drivers/simulated/p1-telegram.ts";
import { smlSpeaker } from "../../../drivers/simulated/sml-telegram.ts";
import { startSimulatedMeter } from "../../../drivers/simulated/telegram-device.ts";
import { METER_KINDS } from "../../../drivers/simulated/telegram-kinds.ts";
import { until } from "../../drivers/line/kit.ts";
import { SHOWN } from "./decode-kit.ts";

const MAIN = fileURLToPath(new URL("./decode-main.ts", import.meta.url));
const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;
const KEY = "00112233445566778899aabbccddeeff";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "decode-"));
  writeFileSync(join(folder, "key"), KEY, { mode: 0o600 });
});
afterAll(() => rmSync(folder, { recursive: true }));

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

interface Started {
  readonly child: ChildProcess;
  out: string;
  err: string;
  ended(): Promise<number | null>;
}

function started(...args: readonly string[]): Started {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: "pipe" });
  running.push(child);
  const exit = once(child, "close");
  const seen: Started = { child, out: "", err: "", ended: async () => (await exit)[0] };
  child.stdout.on("data", (bytes: Uint8Array) => {
    seen.out += Buffer.from(bytes).toString();
  });
  child.stderr.on("data", (bytes: Uint8Array) => {
    seen.err += Buffer.from(bytes).toString();
  });
  return seen;
}

async function run(...args: readonly string[]): Promise<Started & { readonly code: number | null }> {
  const one = started(...args);
  one.child.stdin?.end();
  return { ...one, code: await one.ended(), out: one.out, err: one.err };
}

function file(name: string, bytes: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes, { mode: 0o600 });
  return path;
}

describe("kilowitness decode", () => {
  const [telegram = new Uint8Array()] = smlSpeaker().telegrams(SHOWN);
  const hexText = Buffer.from(telegram)
    .toString("hex")
    .replace(/(.{64})/g, "$1\n");

  it("prints a file for people, and ends well", async () => {
    const { code, out, err } = await run("sml", file("one.bin", telegram));
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^at byte 0, \d+ bytes: meter .*1106/);
    expect(out).toMatch(/^ {2}1-0:1\.8\.0\*255 +1234560\.0 Wh$/m);
    expect(out).toMatch(/\n1 telegram, 0 refused, \d+ bytes\n$/);
  });

  it("takes hexadecimal text and prints JSON", async () => {
    const { code, out } = await run("sml", file("one.hex", `# a meter\n${hexText}`), "--hex", "--json");
    expect(code).toBe(0);
    const [line, ...more] = out.trim().split("\n");
    expect(more).toEqual([]);
    expect(JSON.parse(line ?? "")).toMatchObject({
      offset: 0,
      bytes: telegram.length,
      values: expect.arrayContaining([
        {
          code: "1-0:1.8.0*255",
          text: "1234560.0",
          unit: "Wh",
          scaled: { digits: "12345600", exponent: -1 },
        },
      ]),
    });
  });

  it("ends with 1 where anything was refused, and says it", async () => {
    const wrong = smlSpeaker().withWrongChecksum(telegram) ?? telegram;
    const path = file("two.bin", Uint8Array.of(...wrong, ...telegram));
    const { code, out } = await run("sml", path, "--json");
    expect(code).toBe(1);
    const lines = out.trim().split("\n");
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ offset: 0, refused: { code: "sml-checksum" } });
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({ offset: wrong.length });
  });

  it("deciphers with a key that it never prints", async () => {
    const key = Uint8Array.from(Buffer.from(KEY, "hex"));
    const speaker = dlmsSpeaker({ layout: "kamstrup", framing: "hdlc", key });
    const path = file("encrypted.bin", Buffer.concat(speaker.telegrams(SHOWN)));
    const [open, other, none] = await Promise.all([
      run("dlms", path, "--key", join(folder, "key")),
      run("dlms", path, "--json", "--key", otherKey()),
      run("dlms", path),
    ]);
    expect(open.code).toBe(0);
    expect(open.out).toContain("Kamstrup_V0001");
    expect([other.code, none.code]).toEqual([1, 1]);
    for (const { out, err } of [open, other, none]) expect(`${out}${err}`).not.toMatch(/00112233|ffeeddcc/i);
  });

  function otherKey(): string {
    const path = join(folder, "other");
    writeFileSync(path, "ffeeddccbbaa99887766554433221100", { mode: 0o600 });
    return path;
  }

  it("prints each telegram as it comes, and ends at Ctrl-C", async () => {
    const one = started("sml", "--json");
    one.child.stdin?.write(telegram);
    await until("the first one", () => one.out.endsWith("}\n"));
    one.child.stdin?.write(telegram.subarray(0, 50));
    one.child.kill("SIGINT");
    expect(await one.ended()).toBe(0);
    expect(one.out.trim().split("\n")).toHaveLength(1);
    expect(one.err).toBe("");
  });

  it.skipIf(!HAS_SOCAT)("listens to a line that is a simulated meter's", async () => {
    const link = join(folder, "port");
    const kind = METER_KINDS["dsmr"] ?? expect.fail();
    const meter = await startSimulatedMeter({ kind, place: { kind: "pty", link }, periodMs: 50 });
    try {
      const one = started("dsmr", link);
      await until("two telegrams", () => one.out.split("\nat byte").length > 2);
      one.child.kill("SIGINT");
      await one.ended();
      expect(one.out).toMatch(/1-0:1\.8\.1 +\d+\.\d{3} kWh/);
      expect(one.out).toMatch(/\d+ telegrams, \d refused/);
    } finally {
      await meter.close();
    }
  });

  it("ends quietly when its reader is gone", async () => {
    const path = file("many.bin", Buffer.concat(new Array<Uint8Array>(2000).fill(telegram)));
    const one = started("sml", path);
    await once(one.child.stdout ?? expect.fail(), "data");
    one.child.stdout?.destroy();
    expect(await one.ended()).toBe(0);
    expect(one.err).toBe("");
  });

  it("names the protocol that it is instead", async () => {
    const text = file("plain.txt", p1Telegram("none"));
    const odd = file("odd.bin", p1Telegram("even"));
    const outcomes = await Promise.all([
      run("vedirect", file("sml.bin", telegram)),
      run("vedirect", file("sml.hex", hexText), "--hex"),
      run("iec62056", text),
      run("sml", odd),
      // A lone byte E5 is an acknowledgement on an M-Bus, and says nothing.
      run("mbus", file("with-e5.bin", Buffer.concat([Uint8Array.of(0xe5), telegram]))),
      run("mbus", file("e5.bin", Uint8Array.of(0xe5))),
    ]);
    expect(outcomes.map(({ code }) => code)).toEqual([1, 1, 1, 1, 1, 0]);
    expect(outcomes[0]?.err).toMatch(/of sml; run: kilowitness decode sml \(decode-nothing\)/);
    expect(outcomes[1]?.err).toMatch(/run: kilowitness decode sml \(decode-nothing\)/);
    expect(outcomes[2]?.err).toMatch(/expected iec62056, got dsmr; .*decode dsmr \(decode-protocol\)/);
    expect(outcomes[3]?.err).toMatch(/parity bits: .*7E1.*kilowitness decode dsmr \(decode-nothing\)/);
    expect(outcomes[4]?.err).toMatch(/expected mbus, got sml; .*\(decode-protocol\)/);
    expect(outcomes[5]?.err).toBe("");
  });

  /** With its checksum, as it stands in a recording; or as a port at 8N1 takes down what was sent at 7E1. */
  function p1Telegram(parity: "none" | "even"): Uint8Array {
    const [bytes = new Uint8Array()] = p1Speaker().telegrams(SHOWN);
    if (parity === "none") return bytes;
    const ones = (byte: number): number => byte.toString(2).replaceAll("0", "").length;
    return bytes.map((byte) => (ones(byte) % 2 === 0 ? byte : byte | 0x80));
  }

  const WRONG: readonly (readonly [args: readonly string[], code: number, said: string])[] = [
    [["sml", "/no/such/file"], 1, "decode-file"],
    [["sml", tmpdir()], 1, "decode-file"],
    [["sml", "ONE", "--hex"], 1, "decode-hex"],
    [["sml", "HEX"], 1, "add --hex"],
    [["dsmr", "ONE"], 1, "decode-nothing"],
    [["dlms", "ONE", "--key", "ONE"], 1, "key-file-content"],
  ];

  it("says in one line what is wrong", async () => {
    const named = new Map([
      ["ONE", file("some.bin", telegram)],
      ["HEX", file("some.hex", hexText)],
    ]);
    const outcomes = await Promise.all(
      WRONG.map(([args]) => run(...args.map((word) => named.get(word) ?? word))),
    );
    for (const [at, [args, code, said]] of WRONG.entries()) {
      const outcome = outcomes[at];
      expect({ args, code: outcome?.code, out: outcome?.out }).toEqual({ args, code, out: "" });
      expect(outcome?.err).toContain(said);
      expect(outcome?.err.trim().split("\n")).toHaveLength(1);
    }
  });
});
