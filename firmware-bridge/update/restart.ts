import { Problem } from "../../attest/problem.ts";
import type { ImageSlot } from "../smp/image-group.ts";
import { reset } from "../smp/os-group.ts";
import { abortedProblem } from "../smp/problems.ts";
import { reasonOf } from "./problems.ts";
import { slotsText } from "./stage.ts";
import type { Target } from "./target.ts";

export interface RestartTimes {
  /**
   * Silence after a reset. Zephyr answers first and resets 250 ms later; MCUboot built with BOOT_SERIAL_WAIT_FOR_DFU takes
   * a question that comes while it boots for a call into its recovery (mcu-tools/mcuboot boot/zephyr/main.c).
   */
  readonly settleMs: number;
  /** Between two looks. */
  readonly pollMs: number;
  /** After so long in the state from before the reset, it is taken for lost and sent again. */
  readonly repeatMs: number;
  /** Until it has to be back; a swap of large slots takes a minute. */
  readonly returnMs: number;
}

export const RESTART_TIMES: RestartTimes = {
  settleMs: 5_000,
  pollMs: 1_000,
  repeatMs: 15_000,
  returnMs: 180_000,
};

export interface Restarting {
  readonly times: RestartTimes;
  /** Whether the list is one from before the reset. A reset is repeated only while it is. */
  readonly isBefore: (slots: readonly ImageSlot[]) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Resets the microcontroller and waits until it answers again.
 *
 * @returns the list after the reset
 * @throws Problem `update-no-return`, `update-no-reset`, `smp-aborted`, and what the microcontroller refuses a reset with
 */
export async function restart(target: Target, restarting: Restarting): Promise<readonly ImageSlot[]> {
  const { times, isBefore, signal } = restarting;
  const endMs = performance.now() + times.returnMs;
  let last: readonly ImageSlot[] | undefined;
  let sentMs = await sendReset(target, restarting);
  // Once in any case: whoever slept meanwhile has not looked yet.
  do {
    const slots = await target.look(signal);
    if (slots !== undefined && !isBefore(slots)) return slots;
    last = slots ?? last;
    const isLost = slots !== undefined && performance.now() - sentMs > times.repeatMs;
    if (isLost) sentMs = await sendReset(target, restarting);
    else await pause(times.pollMs, target, signal);
  } while (performance.now() < endMs);
  throw noReturn(target, times, last);
}

/** When it was sent. A line that breaks over it is what some ports do, and an answer may be lost. */
async function sendReset(target: Target, { times, signal }: Restarting): Promise<number> {
  try {
    await reset(target.connection, { signal });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code === "smp-not-supported") throw noReset(target, error);
    if (!error.code.startsWith("line-")) throw error;
  }
  const sentMs = performance.now();
  await pause(times.settleMs, target, signal);
  return sentMs;
}

function pause(durationMs: number, { name }: Target, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(abortedProblem(name));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, durationMs);
    if (signal?.aborted === true) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

function noReset({ name }: Target, cause: Problem): Problem {
  return new Problem("update-no-reset", "this firmware knows no command for a reset", {
    where: name,
    expected: "CONFIG_REBOOT in the firmware",
    got: cause.message,
    hint: "take its power away and give it back, then run this again",
    cause,
  });
}

function noReturn(
  target: Target,
  { returnMs }: RestartTimes,
  last: readonly ImageSlot[] | undefined,
): Problem {
  const cause = target.lastProblem;
  return new Problem("update-no-return", "the microcontroller did not come back from a reset", {
    where: target.name,
    expected: `another list of images within ${Math.ceil(returnMs / 1000)} s`,
    got: last === undefined ? (cause === undefined ? "no answer" : reasonOf(cause)) : slotsText(last),
    hint: "take its power away and give it back, which undoes an image that was not confirmed; then run this again",
    ...(cause === undefined ? {} : { cause }),
  });
}
