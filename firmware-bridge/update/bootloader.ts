import { Problem } from "../../attest/problem.ts";
import { smpMap } from "../smp/cbor.ts";
import type { Asking, SmpConnection, SmpRequest } from "../smp/connection.ts";
import { Fields } from "../smp/fields.ts";
import { GROUP } from "../smp/message.ts";

/** How a bootloader puts an image into place, and whether the one before it can come back. */
export interface BootloaderMode {
  readonly number: number;
  readonly name: string;
  readonly wayBack: boolean;
}

/** Source: zephyrproject-rtos/zephyr subsys/mgmt/mcumgr/grp/os_mgmt/src/os_mgmt.c, commit 0014f3d. */
const BOOTLOADER: SmpRequest = { name: "bootloader info", operation: "read", group: GROUP.os, command: 8 };

/** mcu-tools/mcuboot boot/bootutil/include/bootutil/boot_status.h, `enum mcuboot_mode`; the place is the number. */
const MODES: readonly (readonly [name: string, wayBack: boolean])[] = [
  ["single slot", false],
  ["swap using scratch", true],
  ["overwrite only", false],
  ["swap using move", true],
  ["direct XIP", false],
  ["direct XIP with revert", true],
  ["RAM load", false],
  ["firmware loader", false],
  ["single slot, RAM load", false],
  ["swap using offset", true],
];

/** Answers of firmware that does not know the question: in Zephyr it is an option (MCUMGR_GRP_OS_BOOTLOADER_INFO). */
const NOT_TOLD = new Set(["smp-not-supported", "smp-not-found", "smp-os-no-answer", "smp-unknown"]);

/** The mode of MCUboot; undefined where the firmware does not tell it. A number that is not known has no way back. */
export async function bootloaderMode(
  connection: SmpConnection,
  asking?: Asking,
): Promise<BootloaderMode | undefined> {
  try {
    const request = { ...BOOTLOADER, fields: smpMap({ query: "mode" }) };
    const fields = new Fields(await connection.ask(request, asking), connection.where(BOOTLOADER));
    const number = fields.count("mode");
    const [name, wayBack] = MODES[number] ?? [`mode ${number}`, false];
    return { number, name, wayBack };
  } catch (error) {
    if (error instanceof Problem && NOT_TOLD.has(error.code)) return undefined;
    throw error;
  }
}

/** @throws Problem `update-no-way-back` */
export function requireWayBack(mode: BootloaderMode | undefined, where: string): void {
  if (mode === undefined || mode.wayBack) return;
  throw new Problem("update-no-way-back", "this bootloader cannot bring the old image back", {
    where,
    expected: "a bootloader that swaps images",
    got: mode.name,
    hint: "where that is known and wanted: --no-way-back",
  });
}
