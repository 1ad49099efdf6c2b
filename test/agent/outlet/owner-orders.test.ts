import { chmodSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { flexCommand } from "../../../agent/cli/flex.ts";
import { until } from "../uplink-kit.ts";
import { CONTROL_KEYS, OwnedAgent } from "./owner-kit.ts";
import { type Outcome, runHere } from "./run-command.ts";

let owned: OwnedAgent | undefined;

afterEach(async () => {
  await owned?.close();
  owned = undefined;
});

async function start(keys?: string): Promise<OwnedAgent> {
  owned = await OwnedAgent.start(keys);
  return owned;
}

async function dispatched(gateway: OwnedAgent): Promise<number> {
  const seq = await gateway.dispatch();
  await until("the battery to obey", () => gateway.batteryMw === -1_500_000);
  await until("the answers", () => gateway.answers(seq).length === 2);
  return seq;
}

/** A device takes one setpoint in ten seconds. */
async function whenTaken(order: () => Promise<Outcome>): Promise<Outcome> {
  for (let left = 30; ; left -= 1) {
    const outcome = await order();
    if (left === 0 || !outcome.err.includes("(control-too-soon)")) return outcome;
    expect(outcome).toMatchObject({ code: 1, out: "" });
    await sleep(500);
  }
}

describe("an owner who opts out", () => {
  it("of a commitment that is not called yet is remembered after a restart", async () => {
    const gateway = await start();
    const { seq, commitmentId, fromMs } = await gateway.commit();
    expect(await gateway.owner("opt-out", String(seq))).toEqual({
      ...{ code: 0, err: "" },
      out: `Opted out of entry ${seq}: what devices were told because of it ends, and nothing more follows from it.\n`,
    });
    await until("the word of it", () => gateway.answers(seq).length > 0);
    expect(gateway.answers(seq)).toEqual(["optedOut: owner"]);
    const call = { commitmentId, fromMs, toMs: fromMs + 30_000 };
    const first = await gateway.dispatch(call);
    await until("its answer", () => gateway.answers(first).length > 0);
    expect(gateway.answers(first)).toEqual(["optedOut: owner"]);
    await gateway.stop();
    await gateway.run();
    expect(gateway.agent.status().control?.flexibility.commitments).toMatchObject([{ seq, optedOut: true }]);
    const second = await gateway.dispatch(call);
    await until("its answer", () => gateway.answers(second).length > 0);
    expect(gateway.answers(second)).toEqual(["optedOut: owner"]);
    expect(await gateway.owner("opt-out", String(seq))).toMatchObject({ code: 0 });
    expect(gateway.answers(seq)).toHaveLength(1);
  });

  it("and is remembered where nothing was called before the restart either", async () => {
    const gateway = await start();
    const { seq, commitmentId, fromMs } = await gateway.commit();
    await gateway.owner("opt-out", String(seq));
    await gateway.stop();
    await gateway.run();
    const called = await gateway.dispatch({ commitmentId, fromMs, toMs: fromMs + 30_000 });
    await until("its answer", () => gateway.answers(called).length > 0);
    expect(gateway.answers(called)).toEqual(["optedOut: owner"]);
  });

  it("of one dispatch leaves its commitment as it is, after a restart, too", async () => {
    const gateway = await start();
    const { commitmentId, fromMs } = await gateway.commit();
    const one = await gateway.dispatch({ commitmentId, fromMs, toMs: fromMs + 20_000 });
    await until("its answer", () => gateway.answers(one).length > 0);
    expect(await gateway.owner("opt-out", String(one))).toMatchObject({ code: 0 });
    await until("the answer", () => gateway.answers(one).length === 2);
    expect(gateway.answers(one)).toEqual(["accepted", "optedOut: owner"]);
    await gateway.stop();
    await gateway.run();
    const other = await gateway.dispatch({ commitmentId, fromMs: fromMs + 20_000, toMs: fromMs + 40_000 });
    await until("its answer", () => gateway.answers(other).length > 0);
    expect(gateway.answers(other)).toEqual(["accepted"]);
  });

  it("in the middle of a dispatch has the device let go", async () => {
    const gateway = await start();
    const seq = await dispatched(gateway);
    expect(await gateway.owner("opt-out", String(seq), "--json")).toEqual({
      ...{ code: 0, err: "" },
      out: `{"entry":${seq}}\n`,
    });
    await until("the answer", () => gateway.answers(seq).length === 3);
    expect(gateway.answers(seq)).toEqual(["accepted", "started", "optedOut: owner"]);
    await until("the battery to do as it likes", () => gateway.batteryMw !== -1_500_000);
    await until("the revert", () => gateway.leaves("actuation").some(({ action }) => action === 3));
    expect(gateway.leaves("actuation").at(-1)).toMatchObject({ action: 3, orderSeq: seq, reason: "owner" });
    expect(gateway.lines).toContainEqual({ event: "owner-order", order: "/flex/opt-out", entry: seq });
    expect(await gateway.owner("opt-out", String(seq))).toMatchObject({ code: 1 });
  });
});

describe("an owner who holds a device", () => {
  it("takes it from a node, keeps it, and gives it back", async () => {
    const gateway = await start();
    const seq = await dispatched(gateway);
    const held = await whenTaken(() => gateway.owner("hold", "battery", "--power", "2000.5", "--for", "30"));
    expect(held).toEqual({
      ...{ code: 0, err: "" },
      out: expect.stringMatching(
        /^battery is told to take in 2(\.0+)? kW for 30 min, whatever nodes order\.\n$/,
      ),
    });
    await until("the answer", () => gateway.answers(seq).length === 3);
    expect(gateway.answers(seq)).toEqual(["accepted", "started", "superseded: manual"]);
    await until("the battery to obey", () => gateway.batteryMw === 2_000_000);
    const later = await gateway.dispatch();
    await until("its answer", () => gateway.answers(later).length > 0);
    expect(gateway.answers(later)).toEqual(["rejected: control-outranked"]);
    const [apply] = gateway.leaves("actuation").filter(({ value }) => value === 2_000_000);
    expect(apply).toMatchObject({ action: 1 });
    expect(apply?.orderSeq).toBeUndefined();
    expect(await gateway.owner("release", "battery")).toEqual({
      ...{ code: 0, err: "" },
      out: "battery is no longer held by hand.\n",
    });
    await until("the battery to do as it likes", () => gateway.batteryMw !== 2_000_000);
    await until("the revert", () => gateway.leaves("actuation").at(-1)?.action === 3);
    expect(gateway.leaves("actuation").at(-1)).toMatchObject({ action: 3, reason: "owner" });
    expect(await gateway.owner("release", "battery")).toMatchObject({
      out: "battery was not held by hand.\n",
    });
  });

  it("is told what the desk does not allow", async () => {
    const gateway = await start();
    const hold = (...args: string[]) => gateway.owner("hold", ...args, "--for", "1");
    const refused = async (code: string, outcome: Promise<Outcome>): Promise<void> => {
      const { code: status, out, err } = await outcome;
      expect({ status, out, lines: err.split("\n").length }).toEqual({ status: 1, out: "", lines: 2 });
      expect(err).toContain(`(${code})`);
    };
    await refused("control-limit", hold("battery", "--power=3001"));
    await refused("control-unknown", hold("roof", "--power", "1"));
    await refused("control-not-supported", hold("battery", "--import-limit", "1000"));
    await refused("control-unknown", gateway.owner("release", "roof"));
    await refused("owner-entry", gateway.owner("opt-out", "99999"));
    expect(gateway.lines.filter(({ event }) => event === "owner-order-refused")).toHaveLength(5);
    await gateway.stop();
    await refused("agent-not-running", hold("battery", "--power", "1"));
  });
});

describe("a wrong command line", () => {
  it.each([
    [["hold", "battery", "--for", "5"], "got none (config-hold)"],
    [["hold", "battery", "--power", "1", "--reserve", "20", "--for", "5"], "got 2 (config-hold)"],
    [["hold", "battery", "--export-limit", "-1", "--for", "5"], "0 or more (config-hold)"],
  ])("%s is said with status 2", async (args, words) => {
    const { code, err } = await runHere(flexCommand(), ...args, "--config", "none.yaml");
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(words) });
  });

  it.each([
    [["hold", "battery", "--power", "1"]],
    [["hold", "battery", "--power", "1", "--for", "1441"]],
    [["hold", "battery", "--power", "1", "--for", "0"]],
    [["hold", "battery", "--power", "1kW", "--for", "5"]],
    [["hold", "battery", "--reserve", "101", "--for", "5"]],
    [["opt-out", "-1"]],
    [["opt-out", "1.5"]],
    [["opt-out"]],
    [["release"]],
  ])("%s is not taken", async (args) => {
    const run = runHere(flexCommand(), ...args, "--config", "none.yaml");
    await expect(run).rejects.toMatchObject({ name: "CommanderError" });
  });
});

describe("what is posted to the agent", () => {
  const value = { kind: "powerSetpoint", powerMw: 1 };

  it("is refused at the socket where it is no order", async () => {
    const gateway = await start();
    const bodies: [string, unknown][] = [
      ["/flex/hold", { device: "battery", minutes: 5 }],
      ["/flex/hold", { device: "battery", minutes: 1441, value }],
      ["/flex/hold", { device: "battery", minutes: 0.5, value }],
      ["/flex/hold", { device: "battery", minutes: 5, value, authority: "gridOperator" }],
      ["/flex/hold", { device: "battery", minutes: 5, value: { ...value, limitMw: 1 } }],
      ["/flex/hold", { device: "battery", minutes: 5, value: { kind: "importLimit", limitMw: -1 } }],
      ["/flex/hold", { device: "battery", minutes: 5, value: { kind: "mode", mode: "full" } }],
      ["/flex/opt-out", { entry: "1" }],
      ["/flex/release", []],
    ];
    for (const [path, body] of bodies)
      expect(await gateway.post(path, JSON.stringify(body))).toMatchObject({
        ...{ status: 400, body: { code: "owner-body" } },
      });
    expect(await gateway.post("/flex/release", "{")).toMatchObject({ status: 400 });
    expect(await gateway.post("/flex/release", "x".repeat(100_000))).toMatchObject({
      ...{ status: 413, body: { code: "owner-size" } },
    });
    expect(await gateway.post("/flex/other", "{}")).toMatchObject({ status: 404 });
    expect(await gateway.post("/flex/release", '{"device":"roof"}')).toMatchObject({ status: 404 });
    expect(gateway.leaves("actuation")).toEqual([]);
  });

  it("is refused where others could post it, too", async () => {
    const gateway = await start();
    expect(statSync(gateway.socket).mode & 0o777).toBe(0o600);
    chmodSync(gateway.socket, 0o660);
    expect(await gateway.post("/flex/release", '{"device":"battery"}')).toMatchObject({
      ...{ status: 403, body: { code: "owner-socket", message: expect.stringContaining("got 660") } },
    });
    chmodSync(gateway.socket, 0o600);
    expect(await gateway.post("/flex/release", '{"device":"battery"}')).toMatchObject({ status: 200 });
  });

  it("is refused over HTTP", async () => {
    const gateway = await start(`${CONTROL_KEYS} http: {host: 127.0.0.1, port: 0},`);
    await until("http", () => gateway.lines.some(({ event }) => event === "http-listening"));
    const address = gateway.lines.find(({ event }) => event === "http-listening")?.["address"];
    const way = { host: "127.0.0.1", port: Number(String(address).split(":").at(-1)) };
    for (const path of ["/flex/opt-out", "/flex/hold", "/flex/release", "/status"])
      expect(await gateway.post(path, '{"entry":1}', way)).toMatchObject({
        ...{ status: 405, body: { code: "method" } },
      });
  });

  it("is refused where no device may be told anything", async () => {
    const gateway = await start("");
    expect(await gateway.post("/flex/opt-out", '{"entry":1}')).toMatchObject({
      ...{ status: 409, body: { code: "owner-no-control" } },
    });
  });
});
