import type { Asking, SmpConnection, SmpRequest } from "../smp/connection.ts";
import { type ImageSlot, listImages } from "../smp/image-group.ts";
import { GROUP } from "../smp/message.ts";
import { RefusalProblem } from "../smp/problems.ts";

/**
 * The control of the console's echo. MCUboot's recovery answers it with success, however it was built (mcu-tools/mcuboot
 * boot/boot_serial/src/boot_serial.c, commit 2d4bacc3, `boot_serial_input`); Zephyr has no such command
 * (zephyrproject-rtos/zephyr doc/services/device_mgmt/smp_groups/smp_group_0.rst, commit 01d38fa). Read, it changes nothing.
 */
const ECHO_CONTROL: SmpRequest = {
  name: "console echo control",
  operation: "read",
  group: GROUP.os,
  command: 1,
};

/**
 * The images as {@link listImages} has them, of which the recovery's own are none that runs. Built with
 * BOOT_SERIAL_IMG_GRP_IMAGE_STATE the recovery lists what it would start as active, confirmed and with its hash, as the
 * firmware does (`bs_list`): an upload would overwrite it, and a confirmation would be one of an image that never ran.
 *
 * @throws Problem `smp-…`, `line-…`
 */
export async function listRunning(connection: SmpConnection, asking?: Asking): Promise<readonly ImageSlot[]> {
  const slots = await listImages(connection, asking);
  if (!slots.some(({ active }) => active) || !(await isInRecovery(connection, asking))) return slots;
  return slots.map((slot) => ({ ...slot, active: false }));
}

async function isInRecovery(connection: SmpConnection, asking?: Asking): Promise<boolean> {
  try {
    await connection.ask(ECHO_CONTROL, asking);
    return true;
  } catch (error) {
    if (error instanceof RefusalProblem) return false;
    throw error;
  }
}
