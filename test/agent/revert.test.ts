import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { revertKept } from "../../agent/cli/flex-revert.ts";
import { revertJson, revertText } from "../../agent/cli/flex-revert-text.ts";
import { loadAgentConfig } from "../../agent/config/config.ts";
import { leaseFileText, parseLeaseFile, readBootId } from "../../agent/control/lease-file.ts";
import type { KeptLease, LeaseFile } from "../../agent/control/types.ts";
import type { ControlCommand, ControlResult } from "../../drivers/control.ts";
import { lockDatabase } from "../../runtime/database-lock.ts";
import { monotonicMs } from "../../runtime/monotonic.ts";
import { ControlledSite } from "../faults/kit/controlled-site.ts";
import { rawRegisters } from "../faults/kit/raw-registers.ts";
import { TcpProxy } from "../faults/peers/tcp-proxy.ts";
import { run } from "../kit/programs.ts";
import { temporaryFolder } from "./kit.ts";

const LEASE_MS = 60_000;
const SETPOINT: ControlCommand = { kind: "powerSetpoint", powerMw: 1_000_000, leaseMs: LEASE_MS };

describe("kilowitness flex revert", () => {
  let site: ControlledSite;
  let remove = (): void => undefined;

  beforeEach(async () => {
    const made = temporaryFolder();
    remove = made.remove;
    site = await ControlledSite.start(made.folder);
    site.writeConfig();
  });
  afterEach(async () => {
    await site.close();
    remove();
  });

  /** Has a device obey, over a line that is closed again, as an agent that is gone has left it. */
  async function told(device: string, command: ControlCommand = SETPOINT): Promise<ControlResult> {
    const one = loadAgentConfig(site.config).devices.find(({ id }) => id === device);
    const meter = one?.definition.open(one.options);
    await meter?.identify();
    const result = await meter?.control?.apply(command);
    await meter?.close();
    if (result === undefined) throw new Error(`${device} takes no commands`);
    return result;
  }

  function leaseOf(device: string, more: Partial<KeptLease> = {}): KeptLease {
    return {
      ...{
        device,
        kind: "powerSetpoint",
        channel: "battery",
        reverts: device === "held" ? "holder" : "device",
      },
      ...{ untilMonotonicMs: monotonicMs() + LEASE_MS, ...more },
    };
  }

  function keep(leases: readonly KeptLease[], more: Partial<LeaseFile> = {}): void {
    const file: LeaseFile = { version: 1, bootId: readBootId(), leases, phases: {}, reverted: [], ...more };
    writeFileSync(site.leaseFile, leaseFileText(file), { mode: 0o600 });
  }

  function kept(): LeaseFile {
    return parseLeaseFile(readFileSync(site.leaseFile, "utf8"), "leases");
  }

  /** The command as a process of its own. */
  function revert(...more: string[]): ReturnType<typeof run> {
    return run(["flex", "revert", "--config", site.config, ...more]);
  }

  interface Said {
    readonly text: string;
    readonly json: object;
  }

  /** The same in this process. */
  async function reverted(seconds = 20, device?: string): Promise<Said> {
    const options = { seconds, reason: "by-hand", ...(device === undefined ? {} : { device }) };
    const report = await revertKept(loadAgentConfig(site.config), options);
    return { text: revertText(report), json: revertJson(report) };
  }

  it("has nothing to do where nothing is kept, and leaves no trace", async () => {
    const { code, stdout } = await revert();
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "nothing to revert: no device is under a command of this agent\n",
    });
    expect(existsSync(join(site.folder, "journal.sqlite.lock"))).toBe(false);
    keep([]);
    expect((await reverted()).text).toBe(stdout);
  });

  it("ends what each device was told, notes it, and leaves the rest of the file as it was", async () => {
    await told("held");
    await told("timed");
    expect(await site.commanded()).toEqual(["held", "timed"]);
    const bootId = "00000000-0000-4000-8000-000000000000";
    const phases = { held: "limited", timed: "failsafe" } as const;
    keep([leaseOf("held", { orderSeq: 17 }), leaseOf("timed")], { bootId, phases });
    const before = Date.now();
    const { code, stdout } = await revert("--reason", "agent-killed");
    expect(stdout).toBe(
      "held: power setpoint ended, and the device confirms it\n" +
        "timed: power setpoint ended, and the device confirms it\nevery command is ended\n",
    );
    expect(code).toBe(0);
    expect(await site.commanded()).toEqual([]);
    const { reverted, ...file } = kept();
    expect(file).toEqual({ version: 1, bootId, leases: [], phases });
    const note = { kind: "powerSetpoint", channel: "battery", reason: "agent-killed", readBack: "agrees" };
    const [held, timed] = ["held", "timed"].map((id) => reverted.find(({ device }) => device === id));
    expect(held).toEqual({ ...note, device: "held", orderSeq: 17, atMs: held?.atMs });
    expect(timed).toEqual({ ...note, device: "timed", atMs: timed?.atMs });
    expect(held?.atMs).toBeGreaterThanOrEqual(before);
  });

  it("reverts the named device only", async () => {
    await told("held");
    await told("timed");
    keep([leaseOf("held"), leaseOf("timed")]);
    expect((await reverted(20, "timed")).json).toEqual({
      ...{ event: "flex-revert", file: site.leaseFile, left: [] },
      reverted: [{ device: "timed", kind: "powerSetpoint", channel: "battery", reverts: "device", tries: 1 }],
    });
    expect(await site.commanded()).toEqual(["held"]);
    expect(kept().leases.map(({ device }) => device)).toEqual(["held"]);
    expect(kept().reverted).toMatchObject([{ device: "timed", reason: "by-hand" }]);
  });

  it("does not go near a device while an agent runs", async () => {
    await told("held");
    keep([leaseOf("held")]);
    const lock = lockDatabase(join(site.folder, "journal.sqlite"));
    const { code, stderr } = await revert();
    lock.release();
    expect(code).toBe(1);
    expect(stderr).toContain("an agent runs with this journal");
    expect(stderr).toContain("stop it first: systemctl stop kilowitness-agent (revert-agent-runs)");
    expect(await site.commanded()).toEqual(["held"]);
  });

  it("says which are left, why, and what to do by hand", async () => {
    await told("timed");
    keep([leaseOf("held"), leaseOf("timed")]);
    await site.devices[0]?.close();
    const { code, stdout } = await revert("--seconds", "1");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^held: power setpoint NOT ENDED, after \d tries: .*\(driver-no-answer\)$/m);
    expect(stdout).toContain(
      "  By hand: in the device's app or at its display, switch remote control off, or its operation back to automatic",
    );
    expect(stdout).toContain("timed: power setpoint ended, and the device confirms it\n");
    expect(stdout).toContain(`1 of 2 commands are NOT ended, and stay in ${site.leaseFile}`);
    expect(kept().leases.map(({ device }) => device)).toEqual(["held"]);
  });

  it("tells how long a device holds on that ends it by itself", async () => {
    keep([leaseOf("timed")]);
    await site.devices[1]?.close();
    expect((await reverted(0.1)).text).toMatch(
      /By hand: the device ends it by itself within (?:5\d|60) s; look/,
    );
    keep([leaseOf("timed")], { bootId: "of-yesterday" });
    expect((await reverted(0.1)).text).toContain("has ended it by itself by its timer");
  });

  it("goes on until a device that was away is back", async () => {
    await told("held");
    const proxy = await TcpProxy.start(site.devices[0]?.port ?? 0);
    proxy.refuse(true);
    const config = readFileSync(site.config, "utf8").replace(
      String(site.devices[0]?.port),
      new URL(proxy.url).port,
    );
    writeFileSync(site.config, config);
    keep([leaseOf("held")]);
    setTimeout(() => proxy.refuse(false), 1000);
    const { text } = await reverted();
    await proxy.close();
    expect(text).toMatch(/^held: power setpoint ended, and the device confirms it, after \d tries$/m);
    expect(await site.commanded()).toEqual([]);
  });

  it("does not take a device's word for it that does not show it", async () => {
    const { before } = await told("held", {
      kind: "stateOfChargeReserve",
      reservePpm: 400_000,
      leaseMs: LEASE_MS,
    });
    site.devices[0]?.setFaults(["wrong-readback"]);
    keep([leaseOf("held", { kind: "stateOfChargeReserve", before })]);
    expect((await reverted(0.2)).json).toMatchObject({
      left: [{ device: "held", code: "revert-unconfirmed" }],
    });
    expect(kept()).toMatchObject({ leases: [{ device: "held" }], reverted: [] });
  });

  /** Minimum state of charge of the Sungrow, number 13059, in 0.1 %. */
  const RESERVE = 13_058;

  it("sets back what was there before", async () => {
    const [register] = await rawRegisters(site.devices[0]?.port ?? 0, RESERVE, 1);
    const { before } = await told("held", {
      kind: "stateOfChargeReserve",
      reservePpm: 400_000,
      leaseMs: LEASE_MS,
    });
    expect(await rawRegisters(site.devices[0]?.port ?? 0, RESERVE, 1)).toEqual([400]);
    keep([leaseOf("held", { kind: "stateOfChargeReserve", before })]);
    expect((await reverted()).text).toContain("held: reserve of the battery ended");
    expect(await rawRegisters(site.devices[0]?.port ?? 0, RESERVE, 1)).toEqual([register]);
  });

  it("leaves as it is, and tells at once, what nobody knows the state before of", async () => {
    await told("held", { kind: "stateOfChargeReserve", reservePpm: 400_000, leaseMs: LEASE_MS });
    keep([leaseOf("held", { kind: "stateOfChargeReserve" })]);
    const { text } = await reverted();
    expect(text).toMatch(/^held: reserve of the battery NOT ENDED: .*\(control-no-before\)$/m);
    expect(text).toContain("set the battery's reserve back to what it was (it is not known here)");
    expect(await rawRegisters(site.devices[0]?.port ?? 0, RESERVE, 1)).toEqual([400]);
  });

  it("sees that a command was kept, and never given", async () => {
    keep([leaseOf("held", { kind: "exportLimit", channel: "grid" })]);
    expect((await reverted()).text).toContain("every command is ended");
    expect(kept().leases).toEqual([]);
  });

  it("tells at once that a device is not in the configuration any more", async () => {
    keep([leaseOf("gone")]);
    expect((await reverted()).text).toContain("(revert-no-device)");
  });

  it("ends with 2 where what it is told is wrong", async () => {
    keep([leaseOf("held")]);
    const codes = await Promise.all([revert("--device", "nobody"), revert("--seconds", "0")]);
    expect(codes.map(({ code }) => code)).toEqual([2, 2]);
    await expect(reverted(1, "nobody")).rejects.toMatchObject({ code: "config-device" });
  });

  it("leaves a damaged file to the agent, which reverts all that it may command", async () => {
    writeFileSync(site.leaseFile, "{", { mode: 0o600 });
    await expect(reverted()).rejects.toMatchObject({ code: "control-leases-damaged" });
    expect(readFileSync(site.leaseFile, "utf8")).toBe("{");
  });
});
