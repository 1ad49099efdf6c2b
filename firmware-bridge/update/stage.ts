import { Problem } from "../../attest/problem.ts";
import { hasHash, type ImageSlot } from "../smp/image-group.ts";

/** What is to be done next, in this order; `done`: nothing. */
export const STAGES = ["recovery", "upload", "test", "restart", "check", "done"] as const;

export type StageName = (typeof STAGES)[number];

/** How far an update has come, as the microcontroller's own list has it. */
export type UpdateStage =
  /** No image runs: MCUboot's recovery answers, and an upload overwrites what would run. */
  | { readonly name: "recovery" }
  | {
      /**
       * `upload`: the image is in no slot. `test`: stored, and nothing was asked for. `restart`: the next reset starts it,
       * once. `check`: it runs, and the next reset takes it away again. `done`: it runs and stays.
       */
      readonly name: Exclude<StageName, "recovery">;
      readonly running: ImageSlot;
    };

/** The image of a device with one; others of the same device are only looked at. */
const IMAGE = 0;

/**
 * Works out the stage of an update from the list of images and nothing else, so that an update may be begun again at any
 * point. Source of the flags: zephyrproject-rtos/zephyr subsys/mgmt/mcumgr/grp/img_mgmt/src/img_mgmt_state.c, commit
 * 0014f3d.
 *
 * @param hash of the new image, as its trailer has it
 * @throws Problem `update-other-pending`, `update-under-test`, `update-permanent` where a reset would do more than start
 *   the new image once
 */
export function stageOf(slots: readonly ImageSlot[], hash: Uint8Array, where: string): UpdateStage {
  const running = slots.find(({ image, active }) => image === IMAGE && active);
  if (running === undefined) return { name: "recovery" };
  const isOurs = (slot: ImageSlot): boolean => slot.image === IMAGE && hasHash(slot, hash);
  requireNothingElse(slots, isOurs, where);
  if (isOurs(running)) return { name: running.confirmed ? "done" : "check", running };
  const stored = slots.find((slot) => isOurs(slot));
  if (stored === undefined) return { name: "upload", running };
  if (!stored.pending) return { name: "test", running };
  if (stored.permanent) throw permanentProblem(where, stored);
  return { name: "restart", running };
}

/** Whether a reset is still to come: the image waits for it, or no image runs. */
export function awaitsReset(slots: readonly ImageSlot[], hash: Uint8Array): boolean {
  return isRecovery(slots) || slots.some((slot) => hasHash(slot, hash) && slot.pending);
}

/** An application always lists itself as active; MCUboot's recovery lists nothing as that. */
export function isRecovery(slots: readonly ImageSlot[]): boolean {
  return !slots.some(({ active }) => active);
}

/** The image that runs, unconfirmed: the next reset takes it away. */
export function isUnderTest(slots: readonly ImageSlot[], hash: Uint8Array): boolean {
  return slots.some((slot) => hasHash(slot, hash) && slot.active && !slot.confirmed);
}

/** "slot 0: 1.0.0 (running, confirmed), slot 1: 1.1.0 (starts once at the next reset)" */
export function slotsText(slots: readonly ImageSlot[]): string {
  if (slots.length === 0) return "no image";
  return slots.map(slotText).join(", ");
}

function slotText(slot: ImageSlot): string {
  const image = slot.image === IMAGE ? "" : `image ${slot.image}, `;
  return `${image}slot ${slot.slot}: ${slot.version} (${slotWords(slot)})`;
}

/** What the flags of a slot mean, in words. */
export function slotWords(slot: ImageSlot): string {
  const words = [
    ...(slot.active ? [slot.confirmed ? "running, confirmed" : "running, not confirmed"] : []),
    ...(!slot.active && slot.confirmed ? ["comes back at the next reset"] : []),
    ...(slot.pending
      ? [slot.permanent ? "stays from the next reset on" : "starts once at the next reset"]
      : []),
    ...(slot.bootable ? [] : ["not bootable, or not told"]),
  ];
  return words.length === 0 ? "stored" : words.join(", ");
}

function requireNothingElse(
  slots: readonly ImageSlot[],
  isOurs: (slot: ImageSlot) => boolean,
  where: string,
): void {
  const pending = slots.find((slot) => slot.pending && !isOurs(slot));
  if (pending !== undefined)
    throw new Problem("update-other-pending", "another image waits for the next reset already", {
      where,
      expected: "no image, or the one to install",
      got: slotText(pending),
      hint: "reset the microcontroller and confirm that image or reset once more; then run this again",
    });
  const tested = slots.find((slot) => slot.active && !slot.confirmed && !isOurs(slot));
  if (tested !== undefined)
    throw new Problem("update-under-test", "another image runs and is not confirmed", {
      where,
      expected: "a confirmed image",
      got: slotText(tested),
      hint: "confirm it (kilowitness firmware confirm), or reset the microcontroller, which takes it away; then run this again",
    });
}

function permanentProblem(where: string, slot: ImageSlot): Problem {
  return new Problem("update-permanent", "the image would stay from the next reset on, without a test", {
    where,
    expected: "an image that is tested first",
    got: slotText(slot),
    hint: "someone confirmed it before it ran, or the bootloader knows no test; a reset starts it, without a way back",
  });
}
