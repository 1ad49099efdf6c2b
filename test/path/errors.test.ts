import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { Journal } from "../../agent/journal/journal.ts";
import { fromHex } from "../../attest/bytes.ts";
import { type Leaf, TIME_QUALITY } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { startModbusServer } from "../../drivers/simulated/modbus-server.ts";
import { createKey } from "../../runtime/key-file.ts";
import { eventually, jsonLines, Program, run } from "../kit/programs.ts";
import {
  complaint,
  complaints,
  configure,
  expectInOrder,
  expectRefusal,
  expectSealing,
  fakeTimeLibrary,
  logLines,
  openToAll,
  PATIENT,
  runAsNobody,
  stops,
  whyNotAsNobody,
} from "./complaints.ts";
import { eachOnFreshSite, type Site } from "./site.ts";

/** Programs are started one after the other here, and each of them has its own deadline. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

describe("what a user sees when it goes wrong", () => {
  let site: Site;
  eachOnFreshSite((fresh) => {
    site = fresh;
  });

  const config = (): string[] => ["--config", site.path("agent.yaml")];

  describe("with a device", () => {
    it("every one that cannot be read says why, once, and the others are sealed", async () => {
      const deaf = await startModbusServer({
        port: 0,
        read: ({ unit }) => (unit === 3 ? { registers: [] } : { exception: 11 }),
      });
      site.closers.push(() => deaf.close());
      configure(site, [
        "{ id: refused, driver: sunspec, host: 127.0.0.1, port: 1, intervalMs: 200 }",
        `{ id: unit, driver: sunspec, host: 127.0.0.1, port: ${site.inverterPort}, unit: 7, intervalMs: 200, ${PATIENT} }`,
        `{ id: other, driver: sunspec, host: 127.0.0.1, port: ${deaf.port}, unit: 4, intervalMs: 200, ${PATIENT} }`,
        `{ id: nohost, driver: sunspec, host: no-such-host.invalid, intervalMs: 200, ${PATIENT} }`,
        '{ id: noport, driver: dsmr-p1, line: "serial:///dev/ttyNONE0" }',
        `{ id: noserial, driver: dsmr-p1, line: "serial://${site.path("agent.yaml")}" }`,
        '{ id: noserver, driver: dsmr-p1, line: "tcp://127.0.0.1:1" }',
      ]);
      const agent = site.startAgent();
      const cases: readonly (readonly [device: string, code: string, says: readonly string[]])[] = [
        ["refused", "driver-no-answer", ["127.0.0.1:1", "connection refused", "check the port"]],
        [
          "unit",
          "driver-no-answer",
          [`127.0.0.1:${site.inverterPort} unit 7`, "exception 11", "check the unit number"],
        ],
        ["other", "driver-no-answer", [`127.0.0.1:${deaf.port} unit 4`, "check the unit number"]],
        [
          "nohost",
          "driver-no-answer",
          ["no-such-host.invalid", "host name not found", "check the host name"],
        ],
        ["noport", "line-not-found", ["/dev/ttyNONE0", "no such port", "got ENOENT", "check the cable"]],
        ["noserial", "line-not-serial", [site.path("agent.yaml"), "no serial port", "/dev/serial/by-id"]],
        [
          "noserver",
          "line-refused",
          ["tcp://127.0.0.1:1", "connection refused", "got", "is ser2net running"],
        ],
      ];
      for (const [device, code, says] of cases) {
        const line = await complaint(agent, code, { device });
        expect(line).toMatchObject({ event: "device-offline", level: "warn" });
        expectInOrder(String(line["message"]), says);
      }
      await expectSealing(site);
      for (const [device, code] of cases) expect(complaints(agent, code, { device })).toHaveLength(1);
      await stops(agent);

      const probe = await run(["probe", ...config(), "--seconds", "20"]);
      expect(probe.code).toBe(1);
      expect(probe.stdout).toContain("roof (sunspec): Kilowitness Simulated");
      expect(probe.stdout).toContain("generating 10 kW");
      for (const [device] of cases)
        expect(probe.stdout).toMatch(
          new RegExp(`^${device} \\(.*\\n(?:  .*\\n)*  PROBLEM .* \\([a-z-]+\\)$`, "m"),
        );
    });

    it("a serial port that this user may not open", async (context) => {
      const why = whyNotAsNobody();
      if (why !== undefined) context.skip(why);
      // A file that nobody may open stands for the port: the refusal comes before anything is asked of it.
      const port = site.path("ttyS9");
      writeFileSync(port, "");
      chmodSync(port, 0o600);
      configure(site, [`{ id: meter, driver: dsmr-p1, line: "serial://${port}" }`]);
      openToAll(site);
      const { code, stderr } = await runAsNobody(["agent", ...config()], {
        said: ["line-permission", '"device-online","device":"roof"'],
      });
      expect(code).toBe(0);
      const lines = jsonLines(stderr).filter((line) => line["code"] === "line-permission");
      expect(lines).toHaveLength(1);
      expectInOrder(String(lines[0]?.["message"]), [port, "may not open", "got", "dialout"]);
      expect(stderr).toContain('"device-online","device":"roof"');
    });
  });

  describe("with the journal", () => {
    async function written(): Promise<number> {
      configure(site);
      const agent = site.startAgent();
      await agent.event("agent-ready");
      await expectSealing(site);
      await stops(agent);
      return site.journalLeaves().length;
    }

    it("damaged: set aside, said where, and the next epoch begun", async () => {
      await written();
      writeFileSync(site.path("journal.sqlite"), "this is no database ".repeat(500));
      const agent = site.startAgent();
      const line = await complaint(agent, "database-damaged");
      expect(line).toMatchObject({ event: "journal-damaged", epoch: 2 });
      expectInOrder(String(line["message"]), [
        site.path("journal.sqlite"),
        "damaged",
        "expected",
        "got",
        "keep the file",
      ]);
      expect(readFileSync(String(line["movedTo"]), "utf8")).toContain("this is no database");
      await expectSealing(site);
      await stops(agent);
      expect(decodeLeaf(fromHex(site.journalLeaves()[1] ?? "", "leaf"))).toMatchObject({
        ...{ kind: "epochOpen", reason: "the journal was damaged and set aside" },
      });
    });

    it("of another key: refused and left alone", async () => {
      const leaves = await written();
      rmSync(site.path("device.key"));
      const gone = await run(["agent", ...config()]);
      const missing = [site.path("device.key"), "is gone", "got no file", "put it back from a backup"];
      expectRefusal(gone, { command: "agent", exit: 1, code: "key-missing", says: missing });
      createKey(site.path("device.key"));
      const ended = await run(["agent", ...config()]);
      const says = [
        site.path("journal.sqlite"),
        "another device",
        "expected key",
        "got key",
        "put the right key file back",
      ];
      expectRefusal(ended, { command: "agent", exit: 1, code: "journal-foreign", says });
      const kept = new Journal(site.path("journal.sqlite"), "reader");
      expect(kept.size(1)).toBe(leaves);
      kept.close();
    });

    it("in a folder that is not there, or not ours to write", async (context) => {
      configure(site);
      const path = site.path("agent.yaml");
      writeFileSync(path, readFileSync(path, "utf8").replace("journal.sqlite", "no/such/journal.sqlite"));
      const where = site.path("no/such/journal.sqlite");
      expectRefusal(await run(["agent", ...config()]), {
        ...{ command: "agent", exit: 1, code: "database-open" },
        says: [where, "cannot be opened", "got", "check that the folder exists, is writable by this user"],
      });
      const why = whyNotAsNobody();
      if (why !== undefined) context.skip(why);
      mkdirSync(site.path("no/such"), { recursive: true });
      writeFileSync(path, readFileSync(path, "utf8").replace("device.key", "nobody.key"));
      openToAll(site);
      const ended = await runAsNobody(["agent", ...config()]);
      const says = [where, "cannot be opened", "got", "is writable by this user"];
      expectRefusal(ended, { command: "agent", exit: 1, code: "database-open", says });
    });

    it("in use by another agent: the second one refuses, the first goes on, and proofs can be had", async () => {
      configure(site);
      const first = site.startAgent();
      await first.event("agent-ready");
      await expectSealing(site);
      const ended = await run(["agent", ...config()]);
      const says = [
        site.path("journal.sqlite"),
        "another program",
        "expected one writer",
        "stop the other one first",
      ];
      expectRefusal(ended, { command: "agent", exit: 1, code: "database-locked", says });
      await expectSealing(site);
      const before = site.journalLeaves();
      expect((await run(["prove", ...config()])).code).toBe(0);
      expect(logLines(first).filter(({ level }) => level !== "info")).toEqual([]);
      await first.kill("SIGKILL");
      const second = site.startAgent();
      await second.event("agent-ready");
      await expectSealing(site);
      expect(site.journalLeaves().slice(0, before.length)).toEqual(before);
      await stops(second);
    });

    it("on a full disk: said once, said when it is over, and nothing sealed is lost", async (context) => {
      if (process.getuid?.() !== 0) context.skip("only root can mount a small file system");
      const disk = site.path("disk");
      mkdirSync(disk);
      try {
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], { stdio: "ignore" });
      } catch {
        context.skip("this machine does not let a small file system be mounted");
      }
      // Before the folder goes, and after the agent has ended.
      site.closers.unshift(() => execFileSync("umount", ["-l", disk]));
      configure(site);
      const path = site.path("agent.yaml");
      writeFileSync(path, readFileSync(path, "utf8").replace("journal.sqlite", "disk/journal.sqlite"));
      const agent = site.startAgent();
      await agent.event("agent-ready");
      try {
        writeFileSync(join(disk, "fill"), new Uint8Array(4_000_000));
      } catch (full) {
        expect(String(full)).toContain("ENOSPC");
      }
      const line = await complaint(agent, "SQLITE_FULL", { event: "commit-failed" });
      expect(line["level"]).toBe("warn");
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(complaints(agent, "SQLITE_FULL", { event: "commit-failed" })).toHaveLength(1);
      rmSync(join(disk, "fill"));
      await agent.event("commit-failed-over");
      await stops(agent);
      expect(logLines(agent).filter(({ event }) => event === "seal-refused")).toEqual([]);
    });
  });

  it("a key file that others may read, or that is none", async () => {
    configure(site);
    await run(["keygen", site.path("device.key")]);
    chmodSync(site.path("device.key"), 0o644);
    const key = site.path("device.key");
    expectRefusal(await run(["agent", ...config()]), {
      ...{ command: "agent", exit: 1, code: "key-permissions" },
      says: [key, "can be read by others", "expected mode 0600", "got 0644", `chmod 600 ${key}`],
    });
    chmodSync(key, 0o600);
    writeFileSync(key, "kilowitness key 1\nseed 00\n");
    expectRefusal(await run(["agent", ...config()]), {
      ...{ command: "agent", exit: 1, code: "key-format" },
      says: [key, "not a key file", "expected the lines", "restore it from a backup"],
    });
    expect(existsSync(site.path("journal.sqlite"))).toBe(false);
  });

  it("a clock in 1970: sealed with the time since boot, no interval closed, said once", async (context) => {
    const library = fakeTimeLibrary();
    if (library === undefined) context.skip("libfaketime is not installed");
    configure(site);
    const fake = { FAKETIME: "@1970-01-01 00:01:00", FAKETIME_DONT_FAKE_MONOTONIC: "1" };
    const agent = new Program(["agent", ...config(), "--json"], { LD_PRELOAD: library ?? "", ...fake });
    site.closers.push(() => agent.kill("SIGKILL"));
    const line = await complaint(agent, "clock-unknown");
    expectInOrder(String(line["message"]), [
      "nothing stands behind the time of the system clock",
      "expected",
      "got 1970-01-01",
      "connect the gateway to a time server",
    ]);
    const sealed = (): Leaf[] => site.journalLeaves().map((hex) => decodeLeaf(fromHex(hex, "leaf")));
    // Over two intervals of 2 s, wherever they begin.
    await eventually("readings of 4.5 s", 60_000, () => {
      const times = sealed().flatMap(({ kind, timeMs }) => (kind === "reading" ? [timeMs] : []));
      const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
      return times.length > 10 && spanMs > 4500 ? true : undefined;
    });
    await stops(agent);
    expect(complaints(agent, "clock-unknown")).toHaveLength(1);
    const leaves = sealed();
    expect(leaves.filter(({ kind }) => kind === "intervalClose")).toEqual([]);
    expect(new Set(leaves.map(({ timeQuality }) => timeQuality))).toEqual(new Set([TIME_QUALITY.sinceBoot]));

    const later = site.startAgent();
    await expectSealing(site);
    await stops(later);
    const after = sealed();
    // The log never knew the time: what was counted before the start has no begin in UTC, and is a stated gap.
    expect(after.slice(leaves.length, leaves.length + 2)).toMatchObject([
      { kind: "discontinuity" },
      { kind: "clockStep", beforeQuality: TIME_QUALITY.sinceBoot },
    ]);
  });
});
