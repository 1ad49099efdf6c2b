import { chmodSync, existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Journal } from "../../agent/journal/journal.ts";
import { type ClockStep, type Leaf, TIME_QUALITY } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { startSunSpecInverter } from "../../drivers/simulated/sunspec-device.ts";
import { readKey } from "../../runtime/key-file.ts";
import { eventually, jsonLines, Program } from "../kit/programs.ts";
import { DAY_MS } from "./clock-kit.ts";
import { NETWORK, temporaryFolder } from "./kit.ts";

const WAIT_MS = 20_000;
const LIBRARY = "libfaketimeMT.so.1";

/** libfaketime where it is installed; elsewhere Date is moved from within, which no child process sees. */
function faketimeLibrary(): string | undefined {
  const folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].flatMap((root) =>
    existsSync(root) ? [root, ...readdirSync(root).map((name) => join(root, name))] : [],
  );
  return folders.map((folder) => join(folder, "faketime", LIBRARY)).find((path) => existsSync(path));
}

const PRELOAD = `import { readFileSync } from "node:fs";
const real = Date.now.bind(Date);
const now = () => real() + 1000 * Number(readFileSync(process.env.CLOCK_OFFSET_FILE, "utf8"));
globalThis.Date = class extends Date {
  constructor(...args) { if (args.length === 0) super(now()); else super(...args); }
  static now() { return now(); }
};
`;

describe("a running agent on a machine whose clock is set", () => {
  let folder = "";
  let closers: (() => unknown)[] = [];
  let program: Program | undefined;

  beforeEach(async () => {
    const made = temporaryFolder();
    folder = made.folder;
    closers = [made.remove];
    const inverter = await startSunSpecInverter({
      ...{ host: "127.0.0.1", port: 0, onServed: () => undefined },
      state: () => ({ serial: "INV-1", exportMwh: Date.now(), activePowerMw: -3_600_000 }),
    });
    closers.push(() => inverter.close());
    writeFileSync(
      join(folder, "agent.yaml"),
      `{network: ${NETWORK}, key: k, journal: j, intervalSeconds: 1, commitSeconds: 0.1,
        devices: [{id: roof, driver: sunspec, host: 127.0.0.1, port: ${inverter.port}, intervalMs: 100}]}`,
    );
    writeFileSync(join(folder, "clock.mjs"), PRELOAD);
    for (const name of ["timedatectl", "ntpq", "adjtimex"]) script(name, "exit 1");
    setClock(0);
  });
  afterEach(async () => {
    await program?.kill("SIGKILL");
    for (const close of closers.reverse()) await close();
  });

  /** Moves the system clock of the agent by that much against the real one. */
  function setClock(offMs: number): void {
    const seconds = Math.trunc(offMs / 1000);
    writeFileSync(join(folder, "offset.new"), seconds < 0 ? `${seconds}` : `+${seconds}`);
    renameSync(join(folder, "offset.new"), join(folder, "offset"));
  }

  function script(name: string, text: string): void {
    const file = join(folder, `${name}.new`);
    writeFileSync(file, `#!/bin/sh\nunset LD_PRELOAD\n${text}\n`);
    chmodSync(file, 0o755);
    renameSync(file, join(folder, name));
  }

  /** A chronyd that has compared the clock just now. */
  function chronySynchronised(): void {
    const line = "A29FC87B,192.0.2.1,3,%d.000000000,0.000001,0,0,0,0,0,0.02,0.001,64.0,Normal\\n";
    script("chronyc", `printf '${line}' "$(( $(date +%s) + $(cat '${join(folder, "offset")}') ))"`);
  }

  async function start(): Promise<Program> {
    const offset = join(folder, "offset");
    const library = faketimeLibrary();
    const faked: Readonly<Record<string, string>> =
      library === undefined
        ? { CLOCK_OFFSET_FILE: offset, NODE_OPTIONS: `--import ${join(folder, "clock.mjs")}` }
        : {
            ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: offset },
            ...{ FAKETIME_NO_CACHE: "1", DONT_FAKE_MONOTONIC: "1", NO_FAKE_STAT: "1" },
          };
    const path = `${folder}${delimiter}${process.env["PATH"] ?? ""}`;
    program = new Program(["agent", "--config", join(folder, "agent.yaml"), "--json"], {
      ...faked,
      PATH: path,
    });
    await program.event("agent-ready");
    return program;
  }

  function leaves(): Leaf[] {
    const journal = new Journal(join(folder, "j"), "reader");
    const list = journal.leaves(1, 0, journal.size(1)).map(decodeLeaf);
    journal.close();
    return list;
  }

  /** Waits for that many clock steps in all, and a reading behind the last. */
  async function stepped(count: number): Promise<ClockStep> {
    return eventually(`${count} clock steps`, WAIT_MS, () => {
      const list = leaves();
      const steps = list.flatMap((leaf) => (leaf.kind === "clockStep" ? [leaf] : []));
      const last = steps[count - 1];
      return last !== undefined && list.at(-1)?.kind === "reading" && list.length > last.seq + 5
        ? last
        : undefined;
    });
  }

  async function sealedWith(quality: number): Promise<void> {
    await eventually(`a reading of quality ${quality}`, WAIT_MS, () => {
      const last = leaves().at(-1);
      return last?.kind === "reading" && last.timeQuality === quality ? true : undefined;
    });
  }

  async function stop(agent: Program): Promise<void> {
    expect(await agent.kill("SIGTERM")).toBe(0);
    const quiet = ["reading-hold", "reading-reject", "seal-refused", "clock-step-failed", "discontinuity"];
    expect(jsonLines(agent.stderr).filter(({ event }) => quiet.includes(String(event)))).toEqual([]);
  }

  function requireLawful(): void {
    const journal = new Journal(join(folder, "j"), "reader");
    const deviceKey = nativeSigner(readKey(join(folder, "k")).seed).publicKey;
    const rules = new LogRules(nativeSuite, { network: NETWORK, deviceKey, epoch: 1 });
    for (const bytes of journal.leaves(1, 0, journal.size(1))) rules.apply(decodeLeaf(bytes), bytes);
    journal.close();
  }

  it("states steps of two weeks to and fro, and a start whose clock is nothing to go by", async () => {
    chronySynchronised();
    const first = await start();
    await sealedWith(TIME_QUALITY.ntp);
    for (const [index, days] of [14, 0].entries()) {
      const before = leaves().at(-1)?.timeMs ?? 0;
      setClock(days * DAY_MS);
      const { timeMs, beforeMs } = await stepped(index + 1);
      expect(Math.abs(timeMs - beforeMs)).toBeGreaterThan(14 * DAY_MS - 2000);
      expect(Math.abs(timeMs - beforeMs)).toBeLessThan(14 * DAY_MS + 2000);
      expect(beforeMs).toBeGreaterThanOrEqual(before);
      await sealedWith(TIME_QUALITY.ntp);
    }
    await stop(first);

    script("chronyc", "exec sleep 30");
    setClock(-14 * DAY_MS);
    const second = await start();
    expect(await stepped(3)).toMatchObject({
      timeQuality: TIME_QUALITY.sinceBoot,
      beforeQuality: TIME_QUALITY.ntp,
    });
    expect((await second.event("clock-unknown"))["code"]).toBe("clock-unknown");
    script("chronyc", "printf 'A29FC87B,x,3,1,0,0,0,0,0,0,0,0,64,Normal\\n'");
    setClock(600_000 - Date.now());
    await new Promise((resolve) => setTimeout(resolve, 1500));
    chronySynchronised();
    setClock(0);
    const known = await stepped(4);
    // A machine that lists no battery clock, and may have one, believes what it shows before anybody is asked.
    expect(known.timeQuality).toBeGreaterThanOrEqual(TIME_QUALITY.batteryClock);
    expect(known.beforeQuality).toBe(TIME_QUALITY.sinceBoot);
    await sealedWith(TIME_QUALITY.ntp);
    // Days would show a wrong clock.
    expect(Math.abs(known.timeMs - Date.now())).toBeLessThan(DAY_MS);
    await stop(second);
    requireLawful();
    for (const leaf of leaves())
      if (leaf.kind === "intervalClose")
        expect(leaf.timeQuality).toBeGreaterThanOrEqual(TIME_QUALITY.batteryClock);
  }, 120_000);
});
