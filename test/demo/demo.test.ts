import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { fromHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { type EnergyVerdict, judge, type Verdict } from "../../attest/verdict.ts";
import { CORPORA, DemoProcess, HAS_PROC, type Result } from "./kit.ts";

const LONG_MS = 120_000;
const running: DemoProcess[] = [];

afterEach(async () => {
  for (const demo of running.splice(0)) await demo.dispose();
});

describe("kilowitness demo", () => {
  it("seals, streams, loses nothing and proves an interval", { timeout: LONG_MS }, async () => {
    const demo = started("--seconds", "8", "--json");
    expect(await demo.ended(), demo.stderr).toBe(0);
    const result = demo.result();
    expect(result).toMatchObject({ lost: 0, unserved: 0, verdict: "valid" });
    expect(result.receipted).toBeGreaterThan(0);
    expect([result.stored, result.accepted]).toEqual([result.sealed, result.sealed]);
    expect(result.channels.map(({ name }) => name).sort()).toEqual([
      "battery",
      "battery cells",
      "grid",
      "solar",
    ]);
    const verdict = verified(demo, result, result.proof);
    expect(verdict).toMatchObject({ trust: "device", standing: "single witness", coarse: false });
    if (verdict.claim !== "energy") throw new Error("not a proof of energy");
    expect(verdict.toMs - verdict.fromMs).toBe(5000);
    expect(demo.stdout.split("\n").filter((line) => line !== "" && !line.startsWith("{"))).toEqual([]);
    expect(demo.leftFiles()).toEqual([]);
  });

  it("ends with a proof at the first Ctrl-C, and says how to check it", { timeout: LONG_MS }, async () => {
    const demo = started();
    await demo.said("sealed");
    demo.child.kill("SIGINT");
    expect(await demo.ended(), demo.stderr).toBe(0);
    expect(demo.stdout).toContain("Lost: 0.");
    expect(demo.stdout).toContain("valid: signed by the device you trust");
    expect(demo.stdout).toMatch(
      /npx kilowitness verify \S+\.kwp --trust device:\w{64} --trust node:\w{64}\n/,
    );
    expectNothingLeft(demo);
  });

  it("ends at once at the second Ctrl-C and leaves nothing behind", { timeout: LONG_MS }, async () => {
    const demo = started();
    await demo.said("sealed");
    demo.child.kill("SIGINT");
    await demo.said("Ending");
    demo.child.kill("SIGINT");
    expect(await demo.ended()).toBe(130);
    expect(demo.stderr).toContain("demo-interrupted");
    expectNothingLeft(demo);
  });

  it("leaves nothing behind when it is ended while it starts", { timeout: LONG_MS }, async () => {
    const demo = started();
    await demo.said("Shortened");
    demo.child.kill("SIGTERM");
    expect(await demo.ended()).toBe(130);
    expectNothingLeft(demo);
  });

  it.runIf(HAS_PROC)("says so when a child dies, and ends the other", { timeout: LONG_MS }, async () => {
    const demo = started();
    await demo.said("sealed");
    const [agent] = demo.children("agent");
    expect(agent).toBeDefined();
    process.kill(agent ?? 0, "SIGKILL");
    expect(await demo.ended()).toBe(1);
    expect(demo.stderr).toContain("the agent process ended by SIGKILL (demo-child)");
    expectNothingLeft(demo);
  });

  it("keeps its folder when asked to, and never takes one that holds something", {
    timeout: LONG_MS,
  }, async () => {
    const demo = started("--seconds", "1", "--json", "--keep", "kept");
    expect(await demo.ended(), demo.stderr).toBe(0);
    const kept = readdirSync(join(demo.folder, "kept"));
    expect(kept).toEqual(
      expect.arrayContaining(["agent.yaml", "node.yaml", "journal.sqlite", "node.sqlite"]),
    );
    const again = started("--seconds", "1", "--keep", join(demo.folder, "kept"));
    expect(await again.ended()).toBe(1);
    expect(again.stderr).toContain("demo-keep");
  });

  it("refuses at the start what could only fail at the end", { timeout: LONG_MS }, async () => {
    const demo = started("--seconds", "1", "--out", "no-such-folder/proof.kwp");
    expect(await demo.ended()).toBe(1);
    expect(demo.stderr).toContain("demo-out");
    const absent = started("--seconds", "1", "--corpus", "no-such-folder");
    expect(await absent.ended()).toBe(1);
    expect(absent.stderr).toMatch(/^kilowitness demo: .*no-such-folder.*\(demo-corpus\)\n$/);
  });
});

const absent = existsSync(CORPORA) ? "" : " (skipped: ../shared/corpora is not beside the project)";

describe.skipIf(absent !== "")(`kilowitness demo --corpus${absent}`, () => {
  it("seals the registers that the captures print, and proves each", { timeout: LONG_MS }, async () => {
    const demo = started("--seconds", "6", "--json", "--corpus", CORPORA);
    expect(await demo.ended(), demo.stderr).toBe(0);
    const result = demo.result();
    expect(result).toMatchObject({ lost: 0, unserved: 0, verdict: "valid" });
    const expected = [...expectedOfTelegrams(), SUNNY_BOY];
    expect(result.channels).toHaveLength(expected.length);
    for (const { file, ...values } of expected) {
      const channel = result.channels.find((each) => each.file === file);
      expect(channel, file).toMatchObject(values);
      const proof = result.proofs.find((each) => each.channel === channel?.name);
      const verdict = verified(demo, result, proof?.path ?? "");
      if (verdict.claim !== "energy") throw new Error("not a proof of energy");
      expectStanding(verdict, values);
    }
    process.stdout.write(`${expected.length} captures replayed\n`);
  });
});

interface Expected {
  readonly file: string;
  readonly make: string;
  readonly importMwh?: number;
  readonly exportMwh?: number;
  readonly tariffSum: boolean;
}

/** Model 101 of the capture: WH is 0x002E5E85 with scale factor 1. */
const SUNNY_BOY: Expected = {
  file: "DeviceSMASunnyBoy36Dated20250518.json",
  make: "SMA",
  exportMwh: (46 * 65_536 + 24_197) * 10 * 1000,
  tariffSum: false,
};

function expectedOfTelegrams(): Expected[] {
  const folder = join(CORPORA, "dsmr-p1");
  const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));
  return files.map((file) => {
    const lines = readFileSync(join(folder, file), "latin1").split("\r\n");
    const make = lines.find((line) => line.startsWith("/"))?.slice(1, 4) ?? "";
    const importMwh = register(lines, "1-0:1.8.");
    const exportMwh = register(lines, "1-0:2.8.");
    const tariffSum = !lines.some((line) => line.startsWith("1-0:1.8.0("));
    return { file, make, importMwh, exportMwh, tariffSum };
  });
}

/** The total that the lines print, or the sum of the tariffs, in mWh. */
function register(lines: readonly string[], code: string): number {
  const printed = lines.filter((line) => line.startsWith(code));
  const total = printed.filter((line) => line.startsWith(`${code}0(`));
  const chosen = total.length > 0 ? total : printed;
  return chosen.reduce((sum, line) => {
    const digits = line.slice(line.indexOf("(") + 1, line.indexOf("*"));
    // kWh are printed with three digits behind the point, Wh with none: either way a number of Wh.
    return sum + Number(digits.replace(".", "")) * 1000;
  }, 0);
}

function expectStanding(verdict: EnergyVerdict, expected: Omit<Expected, "file">): void {
  for (const quantity of ["import", "export"] as const) {
    const registerMwh = quantity === "import" ? expected.importMwh : expected.exportMwh;
    if (registerMwh === undefined) expect(verdict[quantity]).toBeUndefined();
    else expect(verdict[quantity]).toMatchObject({ openingMwh: registerMwh, closingMwh: registerMwh, wh: 0 });
  }
}

function started(...args: readonly string[]): DemoProcess {
  const demo = new DemoProcess(...args);
  running.push(demo);
  return demo;
}

/** Verifies a proof as somebody would who was told the two keys and was sent the file. */
function verified(demo: DemoProcess, result: Result, path: string): Verdict {
  const [device, node] = result.trust;
  const bytes = new Uint8Array(readFileSync(join(demo.folder, path)));
  return judge(nativeSuite, verifyProof(nativeSuite, bytes), {
    deviceKeys: [fromHex(device.replace("device:", ""), "device key")],
    nodeKeys: [fromHex(node.replace("node:", ""), "node key")],
    witnesses: 2,
  });
}

function expectNothingLeft(demo: DemoProcess): void {
  expect(demo.leftFiles()).toEqual([]);
  if (HAS_PROC) expect([...demo.children("node"), ...demo.children("agent")]).toEqual([]);
}
