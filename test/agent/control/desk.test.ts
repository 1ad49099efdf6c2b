import { describe, expect, it } from "vitest";
import type { ControlledResource, SiteMeterSettings } from "../../../agent/control/settings.ts";
import type { Controllable } from "../../../drivers/control.ts";
import { DeskBench, settled } from "./kit.ts";

const METER: SiteMeterSettings = { device: "meter", channel: "grid", maxStaleMs: 30_000 };
const battery = (more: Partial<ControlledResource>): readonly ControlledResource[] => [
  { device: "battery", boundary: "device", ...more },
];
const refused = (code: string): object => ({ code });

describe("leases", () => {
  it("are renewed at half their time and end with the hold", async () => {
    const bench = new DeskBench();
    await bench.hold("manual", 1_000_000, 95);
    expect(bench.register.leases).toMatchObject([{ device: "battery", untilMonotonicMs: 60_000 }]);
    await bench.pass(29);
    expect(bench.register.leases[0]?.untilMonotonicMs).toBe(60_000);
    await bench.pass(1);
    expect(bench.register.leases[0]?.untilMonotonicMs).toBe(90_000);
    await bench.pass(30);
    // No longer than the hold, and then not renewed any more.
    expect(bench.register.leases[0]?.untilMonotonicMs).toBe(95_000);
    await bench.pass(34);
    expect(bench.battery.commandedMw).toBe(1_000_000);
    await bench.pass(1);
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(JSON.parse(bench.store.text ?? "")).toMatchObject({ leases: [] });
  });

  it("are in the file before the device is told, with what was there before", async () => {
    const texts: (string | undefined)[] = [];
    const bench = new DeskBench({ onBegin: () => texts.push(bench.store.text) });
    const { before } = await bench.hold("manual", { kind: "exportLimit", limitMw: 500_000 });
    expect(JSON.parse(texts[0] ?? "").leases).toMatchObject([
      { kind: "exportLimit", before: { active: false } },
    ]);
    expect(bench.register.leases[0]?.before).toEqual(before);
  });

  it("are not begun where they cannot be kept", async () => {
    const bench = new DeskBench();
    bench.store.isFull = true;
    await expect(bench.hold("manual", 1_000_000)).rejects.toMatchObject(refused("control-lease-file"));
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.register.leases).toEqual([]);
  });

  it("run out where they cannot be kept any more", async () => {
    const bench = new DeskBench();
    await bench.hold("manual", 1_000_000);
    bench.store.isFull = true;
    await bench.pass(59);
    expect(bench.battery.commandedMw).toBe(1_000_000);
    await bench.pass(1);
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.ended.map(([, reason]) => reason)).toEqual(["lease-over"]);
    expect(bench.events("control-renew-failed")).toHaveLength(1);
  });

  it("stay in the file until the device confirms that they are over, with one line for each cause", async () => {
    const bench = new DeskBench();
    await bench.hold("manual", { kind: "stateOfChargeReserve", reservePpm: 400_000 }, 20);
    bench.battery.setFaults(["wrong-readback"]);
    await bench.pass(12);
    bench.lose();
    await bench.pass(20);
    expect(bench.register.leases).toHaveLength(1);
    expect(bench.events("control-revert-failed").map(({ fields }) => fields["code"])).toEqual([
      "differs",
      "control-offline",
    ]);
    bench.battery.setFaults([]);
    bench.find();
    await bench.pass(1);
    expect(bench.battery.reservePpm).toBe(100_000);
    expect(bench.register.leases).toEqual([]);
    await expect(bench.hold("manual", 0)).resolves.toMatchObject({ readBack: "agrees" });
  });

  it("end by the device's own timer where nobody is there", async () => {
    const bench = new DeskBench();
    await bench.hold("manual", 1_000_000);
    bench.kill();
    bench.battery.advance(59_900);
    expect(bench.battery.commandedMw).toBe(1_000_000);
    bench.battery.advance(100);
    expect(bench.battery.commandedMw).toBe(undefined);
  });

  it("begin anew on a line that was opened anew", async () => {
    const bench = new DeskBench();
    await bench.hold("manual", 1_000_000);
    await bench.pass(15);
    bench.lose();
    await bench.pass(5);
    bench.find();
    await bench.pass(2);
    expect(bench.battery.commandedMw).toBe(1_000_000);
    expect(bench.actuated.at(-1)).toMatchObject({ action: "apply", reason: "line-opened-anew" });
    await bench.pass(100);
    expect(bench.battery.commandedMw).toBe(1_000_000);
  });
});

describe("authority", () => {
  it("is taken by the stronger, refused to the weaker, renewed by the same", async () => {
    const bench = new DeskBench();
    await bench.hold("commitment", 1_000_000);
    await bench.pass(10);
    await expect(bench.hold("price", 0)).rejects.toMatchObject(refused("control-outranked"));
    await bench.hold("commitment", 800_000);
    await bench.pass(10);
    await bench.hold("gridOperator", { kind: "exportLimit", limitMw: 0 });
    expect(bench.battery).toMatchObject({ commandedMw: undefined, limitedMw: 0 });
    expect(bench.superseded.map(([hold, by]) => [hold.authority, by.authority])).toEqual([
      ["commitment", "commitment"],
      ["commitment", "gridOperator"],
    ]);
    await bench.pass(10);
    await expect(bench.hold("manual", 0)).rejects.toMatchObject(refused("control-outranked"));
    await bench.desk.release("battery", "commitment", "opted-out");
    expect(bench.battery.limitedMw).toBe(0);
    await bench.desk.release("battery", "gridOperator", "withdrawn");
    expect(bench.battery.limitedMw).toBe(undefined);
    expect(bench.actuated.at(-1)).toMatchObject({
      action: "revert",
      kind: "exportLimit",
      reason: "withdrawn",
    });
    expect(bench.ended).toEqual([]);
  });

  it("a hold that the device refuses leaves the earlier one as it is", async () => {
    const bench = new DeskBench();
    await bench.hold("commitment", 1_000_000);
    await bench.pass(10);
    await expect(bench.hold("manual", 3_400_000)).rejects.toMatchObject(refused("control-outside-ratings"));
    await bench.pass(60);
    expect(bench.battery.commandedMw).toBe(1_000_000);
    expect(bench.superseded).toEqual([]);
  });
});

describe("what ends everything", () => {
  it("a site meter that is silent", async () => {
    const bench = new DeskBench({ siteMeter: METER, feeds: false });
    await expect(bench.hold("manual", 0)).rejects.toMatchObject(refused("control-meter-stale"));
    bench.desk.siteMeterRead(0, 0);
    await bench.hold("manual", 1_000_000);
    await bench.pass(30);
    expect(bench.battery.commandedMw).toBe(1_000_000);
    await bench.pass(1);
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.actuated.at(-1)).toMatchObject({ action: "revert", reason: "site-meter-stale" });
    expect(bench.desk.status()).toMatchObject({ siteMeterStale: true });
  });

  it("a clock that was set", async () => {
    const bench = new DeskBench();
    await bench.hold("manual", 1_000_000);
    bench.desk.clockStepped();
    await settled();
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.ended.map(([, reason]) => reason)).toEqual(["clock-step"]);
  });

  it("the end of the agent", async () => {
    const bench = new DeskBench();
    await bench.hold("manual", 1_000_000);
    await bench.desk.stop();
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.register.leases).toEqual([]);
    await expect(bench.hold("manual", 0)).rejects.toMatchObject(refused("control-closed"));
  });

  it("a command that the device does not show, at the second look", async () => {
    const bench = new DeskBench();
    bench.battery.setFaults(["clamps-silently"]);
    await expect(bench.hold("manual", 1_000_000)).resolves.toMatchObject({ readBack: "differs" });
    const readBack = { kind: "powerSetpoint", powerMw: 500_000 };
    expect(bench.actuated[0]).toMatchObject({ action: "apply", readBack, reason: "differs" });
    await bench.pass(1);
    expect(bench.ended.map(([, reason]) => reason)).toEqual(["differs"]);
    await bench.pass(1);
    expect(bench.battery.commandedMw).toBe(undefined);
  });

  it("but not one that somebody changed and that is put right", async () => {
    const bench = new DeskBench();
    await bench.hold("manual", 1_000_000);
    await bench.pass(5);
    bench.battery.write({ start: 1, values: [300], functionCode: 16 });
    await bench.pass(6);
    expect(bench.battery.commandedMw).toBe(1_000_000);
    expect(bench.ended).toEqual([]);
  });

  it("a file of leases that is damaged, with one clear line", async () => {
    const bench = new DeskBench();
    await bench.hold("manual", 1_000_000);
    bench.kill();
    bench.store.text = '{"version":1,"bootId":';
    bench.restart();
    expect(bench.events("control-leases-damaged")).toMatchObject([
      { fields: { code: "control-leases-damaged" } },
    ]);
    expect(bench.store.aside).toContain('"bootId":');
    expect(bench.desk.phase("battery")).toBe("failsafe");
    // As durable as the leases themselves.
    expect(bench.register.leases.map(({ kind }) => kind)).toContain("powerSetpoint");
    bench.kill();
    bench.restart();
    await bench.pass(1);
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.register.leases).toEqual([]);
    expect(bench.events("control-revert-impossible").map(({ fields }) => fields["kind"])).toEqual([
      "exportLimit",
      "stateOfChargeReserve",
    ]);
  });
});

describe("refusals", () => {
  it("of what is not there", async () => {
    const bench = new DeskBench({ resources: battery({ channel: "inverter" }) });
    const other = { ...bench.asHold("manual", 0), device: "heat-pump" };
    await expect(bench.desk.hold(other)).rejects.toMatchObject(refused("control-unknown"));
    await expect(bench.hold("manual", 0)).rejects.toMatchObject(refused("control-not-supported"));
    await expect(bench.hold("manual", 0, 0)).rejects.toMatchObject(refused("control-bad-lease"));
    bench.lose();
    await expect(bench.hold("manual", 0)).rejects.toMatchObject(refused("control-offline"));
    expect(bench.desk.phase("heat-pump")).toBe("unlimitedAutonomous");
  });

  it("of what nobody would end if the agent were gone", async () => {
    const holder = new DeskBench({ supervised: false, reverts: "holder" });
    await expect(holder.hold("manual", 0)).rejects.toMatchObject(refused("control-unsupervised"));
    const device = new DeskBench({ supervised: false, reverts: "device" });
    await expect(device.hold("manual", 0)).resolves.toMatchObject({ readBack: "agrees" });
  });
});

describe("a device that hangs", () => {
  it("holds nobody up, and is reverted when it answers", async () => {
    const bench = new DeskBench({ resources: [...battery({}), { device: "other", boundary: "device" }] });
    bench.battery.line = "hangs";
    const hung = bench.hold("manual", 1_000_000);
    const said = expect(hung).rejects.toMatchObject(refused("control-no-answer"));
    await expect(bench.desk.hold({ ...bench.asHold("manual", 0), device: "other" })).rejects.toMatchObject(
      refused("control-offline"),
    );
    await bench.pass(30);
    await said;
    await expect(bench.hold("manual", 0)).rejects.toMatchObject(refused("control-offline"));
    bench.battery.answer();
    await bench.pass(2);
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.register.leases).toEqual([]);
  });

  it("in the middle of a command is reverted, however late it answers", async () => {
    const bench = new DeskBench();
    const { control } = bench;
    if (control === undefined) throw new Error("a battery takes commands");
    const original = control.apply.bind(control);
    let go: () => void = () => undefined;
    const waits = new Promise<void>((resolve) => {
      go = resolve;
    });
    const late: Controllable["apply"] = async (command) => {
      await waits;
      return await original(command);
    };
    Object.assign(control, { apply: late });
    const said = expect(bench.hold("manual", 1_000_000)).rejects.toMatchObject(refused("control-no-answer"));
    await settled();
    await bench.pass(30);
    await said;
    // Another line, over which it is reverted; and only then the first one comes through.
    bench.control = bench.battery.open();
    const early = bench.control;
    await bench.pass(2);
    expect(bench.register.leases).toEqual([]);
    Object.assign(control, {
      apply: () => early.apply({ kind: "powerSetpoint", powerMw: 9000, leaseMs: 50_000 }),
    });
    await early.apply({ kind: "powerSetpoint", powerMw: 9000, leaseMs: 50_000 });
    go();
    await settled();
    expect(bench.register.leases).toHaveLength(1);
    await bench.pass(1);
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.actuated.at(-1)).toMatchObject({ action: "revert", reason: "answered-late" });
  });
});

describe("reports", () => {
  it("say what was done, and of renewals what is new, or one a minute", async () => {
    const bench = new DeskBench();
    await bench.desk.hold({ ...bench.asHold("manual", 1_000_000, 185), orderSeq: 7 });
    await bench.pass(186);
    const { actuated } = bench;
    expect(actuated.map(({ action }) => action)).toEqual(["apply", "renew", "renew", "revert"]);
    const common = { device: "battery", channel: "battery", kind: "powerSetpoint", orderSeq: 7 };
    const value = { kind: "powerSetpoint", powerMw: 1_000_000 };
    expect(actuated[0]).toEqual({ ...common, action: "apply", value, readBack: value, leaseMs: 60_000 });
    expect(actuated.at(-1)).toEqual({ ...common, action: "revert", reason: "over" });
  });

  it("that fail do not keep a lease from ending", async () => {
    const bench = new DeskBench();
    await bench.hold("manual", 1_000_000, 20);
    bench.actuated.push = () => {
      throw new Error("the log is full");
    };
    await bench.pass(21);
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.events("control-report-failed").length).toBeGreaterThan(0);
  });

  it("tell of what somebody else reverted, once", () => {
    const bench = new DeskBench();
    const file = JSON.parse(bench.store.text ?? "");
    const one = { device: "battery", kind: "powerSetpoint", channel: "battery", atMs: 5, readBack: "agrees" };
    bench.kill();
    bench.store.text = JSON.stringify({
      ...file,
      reverted: [{ ...one, reason: "agent-killed", orderSeq: 3 }],
    });
    bench.restart();
    expect(bench.actuated).toEqual([]);
    bench.desk.identified("battery");
    expect(bench.actuated).toEqual([
      {
        ...{ device: "battery", channel: "battery", action: "revert", kind: "powerSetpoint" },
        ...{ orderSeq: 3, reason: "agent-killed" },
      },
    ]);
    bench.desk.tick();
    bench.kill();
    bench.restart();
    bench.desk.identified("battery");
    expect(bench.actuated).toHaveLength(1);
  });
});
