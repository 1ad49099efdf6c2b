import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ClockBench, FakeMachine } from "./clock-kit.ts";
import { temporaryFolder } from "./kit.ts";

describe("a start of the machine", () => {
  it("is in the log whatever becomes of the program that found it out", () => {
    const { folder, remove } = temporaryFolder();
    const path = join(folder, "journal.sqlite");
    const machine = Object.assign(new FakeMachine(), { ntp: false, battery: false });
    const before = new ClockBench(path, machine);
    before.run(3);
    before.end();
    machine.reboot(machine.wall);
    // Killed at once: nothing was committed since.
    new ClockBench(path, machine, { rebooted: true }).log.journal.close();
    const after = new ClockBench(path, machine);
    expect(after.steps()).toHaveLength(1);
    after.end();
    remove();
  });
});
