import { equalBytes, toHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import { type SmpMap, smpMap } from "./cbor.ts";
import type { Asking, SmpConnection, SmpRequest } from "./connection.ts";
import { Fields } from "./fields.ts";
import { GROUP } from "./message.ts";
import { fieldProblem } from "./problems.ts";

/** One image in its slot, as MCUboot's flags have it. */
export interface ImageSlot {
  /** Which of several images of one device; 0 where there is one. */
  readonly image: number;
  /** 0: primary, which runs; 1: secondary, where an update goes. */
  readonly slot: number;
  readonly version: string;
  /** The hash in the image's trailer, not that of the file. MCUboot's recovery may leave it out. */
  readonly hash: Uint8Array | undefined;
  readonly bootable: boolean;
  /** Will run after the next reset. */
  readonly pending: boolean;
  /** Stays; an active image without it gives way to the other one at the next reset. */
  readonly confirmed: boolean;
  /** Runs now. MCUboot's recovery shows none. */
  readonly active: boolean;
  /** Pending, and then confirmed without a test. */
  readonly permanent: boolean;
}

/**
 * Commands of group 1. Source: zephyrproject-rtos/zephyr doc/services/device_mgmt/smp_groups/smp_group_1.rst, commit
 * 044a759, and subsys/mgmt/mcumgr/grp/img_mgmt/src/img_mgmt_state.c, commit 0014f3d.
 */
const LIST: SmpRequest = { name: "image list", operation: "read", group: GROUP.image, command: 0 };
const STATE: SmpRequest = { name: "image state", operation: "write", group: GROUP.image, command: 0 };
const ERASE: SmpRequest = { name: "image erase", operation: "write", group: GROUP.image, command: 5 };

/**
 * SHA-256, SHA-384, SHA-512: one of them in each build. Zephyr lists 64 bytes with CONFIG_MCUBOOT_BOOTLOADER_USES_SHA512
 * (zephyrproject-rtos/zephyr pull request 95332, of 2025-09) and 32 without; MCUboot's recovery 32, 48 or 64 (mcu-tools/mcuboot
 * boot/boot_serial/src/boot_serial.c, commit 2d4bacc3, `IMAGE_HASH_SIZE`). Both refuse a hash of another length than theirs.
 */
const HASH_BYTES: readonly number[] = [32, 48, 64];

/** Answered only when the whole slot is erased. */
const ERASE_TIMEOUT_MS = 40_000;

/** The valid images and their slots; an empty slot, or one with half an image, is not told. */
export async function listImages(connection: SmpConnection, asking?: Asking): Promise<readonly ImageSlot[]> {
  return imageSlots(await connection.ask(LIST, asking), connection.where(LIST));
}

/**
 * Has the image of that hash run once after the next reset; if it is not confirmed then, the reset after brings the old
 * one back. A lost answer is made good by looking.
 *
 * @throws Problem `smp-image-…` where the microcontroller refuses, `smp-image-state` where it does not hold
 */
export async function testImage(
  connection: SmpConnection,
  hash: Uint8Array,
  asking?: Asking,
): Promise<readonly ImageSlot[]> {
  const fields = smpMap({ hash: checkedHash(hash), confirm: false });
  const slots = await setState(connection, fields, asking);
  if (slots.some((slot) => hasHash(slot, hash) && slot.pending)) return slots;
  throw stateProblem(connection, `image ${toHex(hash)} pending`, slots);
}

/**
 * Confirms the running image, which has to be the one of that hash. The hash is compared here and not sent: with it,
 * firmware that went back to the old image meanwhile would take the new one for good, untested.
 *
 * @throws Problem `smp-image-not-running` where another image runs, `smp-image-state` where it does not hold
 */
export async function confirmImage(
  connection: SmpConnection,
  hash: Uint8Array,
  asking?: Asking,
): Promise<readonly ImageSlot[]> {
  checkedHash(hash);
  requireRunning(connection, hash, await listImages(connection, asking));
  const slots = await setState(connection, smpMap({ confirm: true }), asking);
  requireRunning(connection, hash, slots);
  if (slots.some((slot) => slot.active && hasHash(slot, hash) && slot.confirmed)) return slots;
  throw stateProblem(connection, `image ${toHex(hash)} confirmed`, slots);
}

/**
 * Erases a slot that does not run and that nothing waits for.
 *
 * @param slot 1 where nothing else is said
 */
export async function eraseSlot(connection: SmpConnection, slot?: number, asking?: Asking): Promise<void> {
  await connection.ask({ ...ERASE, fields: smpMap({ slot }) }, { timeoutMs: ERASE_TIMEOUT_MS, ...asking });
}

/** Whether a slot has the image of that hash. */
export function hasHash(slot: ImageSlot, hash: Uint8Array): boolean {
  return slot.hash !== undefined && equalBytes(slot.hash, hash);
}

/** Sent once; who does not hear the answer looks at what became of it. */
async function setState(
  connection: SmpConnection,
  fields: SmpMap,
  asking?: Asking,
): Promise<readonly ImageSlot[]> {
  try {
    const answer = await connection.ask({ ...STATE, fields }, { ...asking, attempts: 1 });
    return imageSlots(answer, connection.where(STATE));
  } catch (error) {
    if (error instanceof Problem && error.code === "smp-timeout") return await listImages(connection, asking);
    throw error;
  }
}

function imageSlots(answer: SmpMap, where: string): ImageSlot[] {
  return new Fields(answer, where).list("images").map((image, index) => {
    const place = `${where}: images, item ${index}`;
    if (image instanceof Map) return imageSlot(new Fields(image, place));
    throw fieldProblem(place, "a map", image);
  });
}

function imageSlot(fields: Fields): ImageSlot {
  return {
    image: fields.countOr("image", 0),
    slot: fields.count("slot"),
    version: fields.text("version"),
    hash: fields.optionalBytes("hash"),
    bootable: fields.flag("bootable"),
    pending: fields.flag("pending"),
    confirmed: fields.flag("confirmed"),
    active: fields.flag("active"),
    permanent: fields.flag("permanent"),
  };
}

function checkedHash(hash: Uint8Array): Uint8Array {
  if (HASH_BYTES.includes(hash.length)) return hash;
  throw new Problem("smp-hash", "not the hash of an image", {
    expected: `${HASH_BYTES.join(", ")} bytes`,
    got: String(hash.length),
    hint: "take it from the image's trailer or from the list of images",
  });
}

function requireRunning(connection: SmpConnection, hash: Uint8Array, slots: readonly ImageSlot[]): void {
  if (slots.some((slot) => slot.active && hasHash(slot, hash))) return;
  throw new Problem("smp-image-not-running", "another image runs than the one to confirm", {
    where: connection.where(STATE),
    expected: toHex(hash),
    got: shown(slots),
    hint: "a test that was not confirmed ends with the next reset; begin again with the test",
  });
}

function stateProblem(connection: SmpConnection, expected: string, slots: readonly ImageSlot[]): Problem {
  return new Problem("smp-image-state", "the images are not in the state that was asked for", {
    where: connection.where(STATE),
    expected,
    got: shown(slots),
    hint: "the request was not heard, or the firmware ignores it: try once more",
  });
}

function shown(slots: readonly ImageSlot[]): string {
  const flags = ["active", "confirmed", "pending", "permanent"] as const;
  const texts = slots.map((slot) => {
    const set = flags.filter((flag) => slot[flag]).join(" ");
    return `slot ${slot.slot}: ${slot.version}${set === "" ? "" : ` ${set}`}`;
  });
  return texts.length === 0 ? "no image" : texts.join(", ");
}
