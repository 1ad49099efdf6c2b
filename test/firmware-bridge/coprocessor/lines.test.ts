import { describe, expect, it } from "vitest";
import { lineSchema } from "../../../drivers/line/address.ts";
import type { ByteLine } from "../../../drivers/line/line.ts";
import { describeCoprocessor } from "../../../firmware-bridge/coprocessor/describe.ts";
import { CoprocessorLines } from "../../../firmware-bridge/coprocessor/lines.ts";
import { joinLines } from "../../../firmware-bridge/simulated/joined-lines.ts";
import { attachMicrocontroller } from "../../../firmware-bridge/simulated/microcontroller.ts";
import { closeLater } from "../../kit/close-later.ts";
import { bench, PLACE, QUICK } from "./kit.ts";

const ADDRESS = lineSchema.parse(PLACE);

describe("the line of a coprocessor", () => {
  it("is opened anew after it was lost", async () => {
    const { mcu } = bench();
    const far: ByteLine[] = [];
    const lines = new CoprocessorLines(() => {
      const [near, end] = joinLines("test");
      far.push(end);
      void attachMicrocontroller(mcu, end);
      return near;
    }, QUICK);
    const line = lines.lease(ADDRESS);
    closeLater({ close: () => line.release() });
    expect(await line.talk((connection) => describeCoprocessor(connection))).toMatchObject({
      channels: [{}],
    });
    await far[0]?.close();
    expect(await line.talk((connection) => describeCoprocessor(connection))).toMatchObject({
      channels: [{}],
    });
    expect(far).toHaveLength(2);
  });

  it("is nobody's who gave it back, and stays open for the others", async () => {
    const { lines, opened } = bench();
    const [one, other] = [lines.lease(ADDRESS), lines.lease(ADDRESS)];
    closeLater({ close: () => other.release() });
    await other.talk(async () => undefined);
    await one.release();
    await one.release();
    await expect(one.talk(async () => undefined)).rejects.toMatchObject({ code: "driver-closed" });
    expect(await other.talk((connection) => describeCoprocessor(connection))).toMatchObject({
      channels: [{}],
    });
    expect(opened()).toBe(1);
  });

  it("goes on after a conversation that failed", async () => {
    const { lines, opened } = bench();
    const line = lines.lease(ADDRESS);
    closeLater({ close: () => line.release() });
    const failed = line.talk(() => Promise.reject(new Error("mine")));
    const after = line.talk((connection) => describeCoprocessor(connection));
    await expect(failed).rejects.toThrow("mine");
    expect(await after).toMatchObject({ identity: { serial: "4711" } });
    expect(opened()).toBe(1);
  });
});
