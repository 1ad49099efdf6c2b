import { describe, expect, it } from "vitest";
import type { ImageSlot } from "../../../firmware-bridge/smp/image-group.ts";
import { slotsText, stageOf } from "../../../firmware-bridge/update/stage.ts";
import { problemOf } from "../image/refused.ts";

const HASH = new Uint8Array(32).fill(1);
const OTHER = new Uint8Array(32).fill(2);

type Flag = "active" | "confirmed" | "pending" | "permanent";

function slot(slotNumber: number, hash: Uint8Array | undefined, ...flags: readonly Flag[]): ImageSlot {
  const has = (flag: Flag): boolean => flags.includes(flag);
  return {
    ...{ image: 0, slot: slotNumber, version: hash === HASH ? "1.1.0" : "1.0.0", hash, bootable: true },
    ...{ active: has("active"), confirmed: has("confirmed"), pending: has("pending") },
    permanent: has("permanent"),
  };
}

const RUNS = slot(0, OTHER, "active", "confirmed");

describe("the stage of an update", () => {
  it.each<readonly [string, readonly ImageSlot[], string]>([
    ["nothing is listed", [], "recovery"],
    ["the recovery lists neither hash nor flags", [slot(0, undefined)], "recovery"],
    ["it is nowhere", [RUNS], "upload"],
    ["something else is stored", [RUNS, slot(1, new Uint8Array(32))], "upload"],
    ["it is stored", [RUNS, slot(1, HASH)], "test"],
    ["it waits for the reset", [RUNS, slot(1, HASH, "pending")], "restart"],
    ["it runs for once", [slot(0, HASH, "active"), slot(1, OTHER, "confirmed")], "check"],
    ["it runs for once, from slot 1", [slot(0, OTHER, "confirmed"), slot(1, HASH, "active")], "check"],
    ["it runs and stays", [slot(0, HASH, "active", "confirmed"), slot(1, OTHER)], "done"],
    ["it runs and is stored, too", [slot(0, HASH, "active", "confirmed"), slot(1, HASH)], "done"],
    ["another processor's image is there", [RUNS, { ...slot(1, HASH), image: 1 }], "upload"],
  ])("where %s", (_, slots, stage) => {
    expect(stageOf(slots, HASH, "test").name).toBe(stage);
  });

  it.each<readonly [string, readonly ImageSlot[], string]>([
    ["another image waits", [RUNS, slot(1, new Uint8Array(32), "pending")], "update-other-pending"],
    [
      "it waits, and another processor's image, too",
      [RUNS, slot(1, HASH, "pending"), { ...slot(1, OTHER, "pending"), image: 1 }],
      "update-other-pending",
    ],
    [
      "it runs, and another image waits",
      [slot(0, HASH, "active", "confirmed"), slot(1, OTHER, "pending")],
      "update-other-pending",
    ],
    [
      "another image is under test",
      [slot(0, OTHER, "active"), slot(1, new Uint8Array(32), "confirmed")],
      "update-under-test",
    ],
    [
      "it would come back after another one's test",
      [slot(0, OTHER, "active"), slot(1, HASH, "confirmed")],
      "update-under-test",
    ],
    ["it was confirmed before it ran", [RUNS, slot(1, HASH, "pending", "permanent")], "update-permanent"],
  ])("is none where %s", (_, slots, code) => {
    expect(problemOf(() => stageOf(slots, HASH, "test"))).toEqual({ code });
  });

  it("has words for what a reset will do", () => {
    expect(slotsText([RUNS, slot(1, HASH, "pending")])).toBe(
      "slot 0: 1.0.0 (running, confirmed), slot 1: 1.1.0 (starts once at the next reset)",
    );
    expect(slotsText([slot(0, HASH, "active"), slot(1, OTHER, "confirmed")])).toBe(
      "slot 0: 1.1.0 (running, not confirmed), slot 1: 1.0.0 (comes back at the next reset)",
    );
  });
});
