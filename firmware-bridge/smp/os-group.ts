import { Problem } from "../../attest/problem.ts";
import { smpMap } from "./cbor.ts";
import type { Asking, SmpConnection, SmpRequest } from "./connection.ts";
import { MAX_MESSAGE_BYTES } from "./console-frame.ts";
import { Fields } from "./fields.ts";
import { GROUP } from "./message.ts";

/** The buffer holds the length and the CRC of the console framing beside the message. */
const FRAMING_BYTES = 4;

/** The buffers of a microcontroller. */
export interface SmpParameters {
  /** Of one buffer: a message with the length and the CRC of its framing. */
  readonly bufferBytes: number;
  readonly bufferCount: number;
}

/**
 * Commands of group 0. Source: zephyrproject-rtos/zephyr doc/services/device_mgmt/smp_groups/smp_group_0.rst, commit
 * 01d38fa, and subsys/mgmt/mcumgr/grp/os_mgmt/src/os_mgmt.c, commit 0014f3d.
 */
const PARAMETERS: SmpRequest = { name: "parameters", operation: "read", group: GROUP.os, command: 6 };
const RESET: SmpRequest = { name: "reset", operation: "write", group: GROUP.os, command: 5 };
const ECHO: SmpRequest = { name: "echo", operation: "write", group: GROUP.os, command: 0 };
const INFO: SmpRequest = { name: "os info", operation: "read", group: GROUP.os, command: 7 };

/** Sends text and gives what came back: the same, where everything works. */
export async function echo(connection: SmpConnection, text: string, asking?: Asking): Promise<string> {
  const fields = await connection.ask({ ...ECHO, fields: smpMap({ d: text }) }, asking);
  return new Fields(fields, connection.where(ECHO)).text("r");
}

/**
 * What the operating system says of itself, such as "Zephyr unknown v3.7.0 arm cortex-m33". MCUboot does not know it.
 *
 * @param format letters of what is wanted, as `uname` has them; `a`: all
 */
export async function osInfo(connection: SmpConnection, format = "a", asking?: Asking): Promise<string> {
  const fields = await connection.ask({ ...INFO, fields: smpMap({ format }) }, asking);
  return new Fields(fields, connection.where(INFO)).text("output");
}

/**
 * Asks for the buffers and sets the connection's longest message to theirs. A microcontroller that does not know the
 * command, as MCUboot's recovery mostly does not, keeps a cautious length; undefined then.
 */
export async function learnParameters(
  connection: SmpConnection,
  asking?: Asking,
): Promise<SmpParameters | undefined> {
  const answer = await known(connection.ask(PARAMETERS, asking));
  if (answer === undefined) return undefined;
  const fields = new Fields(answer, connection.where(PARAMETERS));
  const bufferBytes = fields.count("buf_size");
  connection.bufferBytes = bufferBytes;
  connection.maxMessageBytes = Math.min(bufferBytes - FRAMING_BYTES, MAX_MESSAGE_BYTES);
  return { bufferBytes, bufferCount: fields.count("buf_count") };
}

/**
 * Resets the microcontroller. Asked once and never again: a second reset would end a test that the first one began. No
 * answer may mean that it reset before the answer was out; false then.
 */
export async function reset(connection: SmpConnection, asking?: Omit<Asking, "attempts">): Promise<boolean> {
  try {
    await connection.ask(RESET, { ...asking, attempts: 1 });
    return true;
  } catch (error) {
    if (error instanceof Problem && error.code === "smp-timeout") return false;
    throw error;
  }
}

/**
 * Waits until the microcontroller answers again; it says that it does not know a command just as well. After a reset
 * that swaps images it may take a minute: as many attempts as that needs.
 *
 * @throws Problem `smp-timeout` after all attempts, `smp-aborted`, `line-…`
 */
export async function awaitAnswer(connection: SmpConnection, asking?: Asking): Promise<void> {
  await known(connection.ask({ ...ECHO, fields: smpMap({ d: "" }) }, asking));
}

async function known<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Problem && error.code === "smp-not-supported") return undefined;
    throw error;
  }
}
