import { Problem } from "../../attest/problem.ts";
import type { ControlSurface, RegisterWrite } from "./surface.ts";

/** Answers with which a device says that it has written nothing. */
const REFUSED: ReadonlySet<string> = new Set([
  "modbus-illegal-function",
  "modbus-illegal-address",
  "modbus-illegal-value",
  "modbus-device-failure",
  "modbus-exception",
]);

const REASONS: Readonly<Record<string, string>> = {
  "modbus-illegal-function": "the device cannot be written; is control switched on in it, and allowed?",
  "modbus-illegal-address": "the device does not have this register, or does not let it be written",
  "modbus-illegal-value": "the device does not take this value",
  "modbus-device-failure": "the device could not do it in its present state",
};

/** Somebody was in the middle of writing. */
interface Interrupted {
  readonly error: unknown;
  readonly at: number;
}

/**
 * Writes one after the other. Where one fails after others may have taken effect, the device is reverted with
 * `undo`, so that it is in a state that is known.
 *
 * @throws Problem `control-refused`, `control-interrupted`, `control-uncertain`, or the line's own before anything was sent
 */
export async function writeAll(
  surface: ControlSurface,
  writes: readonly RegisterWrite[],
  undo: readonly RegisterWrite[],
): Promise<void> {
  const failed = await firstFailure(surface, writes);
  if (failed === undefined) return;
  if (failed.at === 0 && leftNothing(failed.error)) throw refusedOf(surface, writes[0], failed.error);
  const again = await firstFailure(surface, undo, insistently);
  throw again === undefined
    ? interrupted(surface, writes, failed)
    : uncertain(surface, writes, { failed, again });
}

/** As {@link writeAll} for writes that end a command: all of them are tried, whatever becomes of the first ones. */
export async function writeEach(surface: ControlSurface, writes: readonly RegisterWrite[]): Promise<void> {
  const failures: unknown[] = [];
  for (const write of writes) {
    try {
      await insistently(surface, write);
    } catch (error) {
      failures.push(error);
    }
  }
  const [first] = failures;
  if (first === undefined) return;
  if (failures.length === writes.length && leftNothing(first)) throw refusedOf(surface, writes[0], first);
  throw new Problem("control-uncertain", "the command could not be ended", {
    where: surface.where,
    expected: `${writes.length} writes`,
    got: `${failures.length} failed, the first with "${textOf(first)}"`,
    hint: "revert again; until then what the device does is not known",
    cause: first,
  });
}

/** What ends a command does the same twice: a lost connection is no reason to leave it on. */
async function insistently(surface: ControlSurface, write: RegisterWrite): Promise<void> {
  try {
    await surface.write(write);
  } catch (error) {
    if (leftNothing(error)) throw error;
    await surface.write(write);
  }
}

async function once(surface: ControlSurface, write: RegisterWrite): Promise<void> {
  await surface.write(write);
}

async function firstFailure(
  surface: ControlSurface,
  writes: readonly RegisterWrite[],
  attempt: typeof once = once,
): Promise<Interrupted | undefined> {
  for (const [at, write] of writes.entries()) {
    try {
      await attempt(surface, write);
    } catch (error) {
      return { error, at };
    }
  }
  return undefined;
}

/** After a timeout or a lost connection nobody knows whether the device has taken the write. */
function leftNothing(error: unknown): boolean {
  return error instanceof Problem && REFUSED.has(error.code);
}

function refusedOf(surface: ControlSurface, write: RegisterWrite | undefined, error: unknown): Problem {
  const code = error instanceof Problem ? error.code : "";
  return new Problem("control-refused", "the device refuses the command", {
    where: `${surface.where} register ${write?.start ?? "unknown"}`,
    got: textOf(error),
    hint: REASONS[code] ?? "nothing was changed",
    cause: error,
  });
}

function interrupted(
  surface: ControlSurface,
  writes: readonly RegisterWrite[],
  { error, at }: Interrupted,
): Problem {
  return new Problem("control-interrupted", "the command failed in the middle, and was reverted", {
    where: surface.where,
    expected: `${writes.length} writes`,
    got: `"${textOf(error)}" at number ${at + 1}`,
    cause: error,
  });
}

function uncertain(
  surface: ControlSurface,
  writes: readonly RegisterWrite[],
  { failed, again }: { readonly failed: Interrupted; readonly again: Interrupted },
): Problem {
  return new Problem("control-uncertain", "the command failed in the middle and could not be reverted", {
    where: surface.where,
    expected: `${writes.length} writes`,
    got: `"${textOf(failed.error)}" at number ${failed.at + 1}, then "${textOf(again.error)}"`,
    hint: "revert again; until then what the device does is not known",
    cause: failed.error,
  });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
