import { toHex } from "../../attest/bytes.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { ImageSlot } from "../smp/image-group.ts";
import { type StageName, slotsText } from "./stage.ts";

const AGAIN = "run the same again to go on from there";

/** What an update leaves behind that is stopped before the stage is over. */
const LEFT_BEHIND: Readonly<Record<StageName, string>> = {
  recovery: "the bootloader may wait for a whole image: upload one before you leave",
  upload: "the old image runs, and what was stored stays",
  test: "the old image runs; the new one is stored, and may start once at the next reset",
  restart: "the new image may be starting; unconfirmed it goes with the reset after",
  check: "the new image runs and is not confirmed: the next reset brings the old one back",
  done: "the new image runs and stays",
};

/** `update-stopped`: as asked. */
export function stoppedProblem(where: string, stage: StageName | undefined): Problem {
  const left = stage === undefined ? "nothing was changed" : LEFT_BEHIND[stage];
  return new Problem("update-stopped", `stopped as asked: ${left}`, { where, hint: AGAIN });
}

const RECOVERY_HINT =
  "reset it, without the button or pin that leads there; where it has no image any more: --recovery; firmware that runs and lists nothing was built for another hash than its image has (CONFIG_MCUBOOT_BOOTLOADER_USES_SHA512 for pure)";

/** Codes of a line or a microcontroller that is gone, in the midst of an update. */
const LOST = /^(?:line-|smp-timeout$)/;

/** A loss says what it left behind, too; everything else stays what it is. */
export function lostProblem(error: unknown, where: string, stage: StageName | undefined): unknown {
  if (!(error instanceof Problem) || !LOST.test(error.code) || stage === undefined) return error;
  const { expected, got } = error.detail;
  const isSilent = error.code === "smp-timeout";
  return new Problem(
    error.code,
    isSilent ? "the microcontroller does not answer any more" : "the line was lost",
    {
      where,
      ...(expected === undefined ? {} : { expected }),
      ...(got === undefined ? {} : { got }),
      hint: `${LEFT_BEHIND[stage]}; check cable and power, end other programs on the port, and ${AGAIN}`,
      cause: error,
    },
  );
}

/** `update-recovery`: nothing may be overwritten unasked. */
export function recoveryProblem(where: string): Problem {
  return new Problem(
    "update-recovery",
    "MCUboot's recovery answers, where an upload overwrites the image that runs",
    {
      where,
      expected: "firmware that lists the running image as active",
      hint: RECOVERY_HINT,
    },
  );
}

/** `update-hash-length`: lengths in bytes. */
export function hashLengthProblem(
  where: string,
  { running, image }: { readonly running: number; readonly image: number },
): Problem {
  return new Problem(
    "update-hash-length",
    "this firmware knows images by another kind of hash; nothing was sent",
    {
      where,
      expected: hashKind(running),
      got: hashKind(image),
      hint: "have the image signed as the running one is: pure (imgtool --pure) has SHA-512, digest has SHA-256",
    },
  );
}

function hashKind(bytes: number): string {
  return `${bytes === 32 || bytes === 48 || bytes === 64 ? `SHA-${bytes * 8}` : "a hash"}, ${bytes} bytes`;
}

/** `update-hash`: what is listed is not what was sent. */
export function hashProblem(where: string, hash: Uint8Array, slots: readonly ImageSlot[]): Problem {
  return new Problem("update-hash", "the microcontroller does not list the image that was sent", {
    where,
    expected: toHex(hash),
    got: slots.map(({ slot, hash: listed }) => `slot ${slot}: ${shownHash(listed)}`).join(", "),
    hint: "run this again; if it stays, the firmware reads another kind of image",
  });
}

/** `update-not-started`: after the reset the old image runs. */
export function notStartedProblem(where: string, slots: readonly ImageSlot[]): Problem {
  return new Problem("update-not-started", "after the reset another image runs than the new one", {
    where,
    expected: "the new image",
    got: slotsText(slots),
    hint: "the bootloader refused it, or it crashed, or the power went, or another program reset it: does the bootloader have the image's key? run this again",
  });
}

/** `update-no-room`. */
export function noRoomProblem(where: string, imageBytes: number, cause: Problem): Problem {
  return new Problem("update-no-room", "the image does not fit into the slot; nothing was overwritten", {
    where,
    expected: "an image smaller than the slot, less the bootloader's own sectors",
    got: `${imageBytes} bytes`,
    hint: "build a smaller image",
    cause,
  });
}

/** `update-check`: the old image runs again. */
export function checkProblem(where: string, running: ImageSlot | undefined, cause: unknown): Problem {
  const old = running === undefined ? "the old image" : `the old image (${running.version})`;
  return new Problem("update-check", `the new image failed its check, and ${old} runs again`, {
    where,
    expected: "an answer, the new image's hash, and the owner's check passed",
    got: reasonOf(cause),
    hint: "do not install this image again before that is understood",
    cause,
  });
}

/** `update-stays`: there is no way back. */
export function staysProblem(where: string, cause: unknown): Problem {
  return new Problem("update-stays", "the new image failed its check, and stays", {
    where,
    expected: "the old image after a reset",
    got: reasonOf(cause),
    hint: "it confirmed itself, or the bootloader cannot go back: install a good image",
    cause,
  });
}

/** `update-stuck`: whether the old image came back is not known. */
export function stuckProblem(where: string, failure: unknown, cause: unknown): Problem {
  return new Problem("update-stuck", "the new image failed its check, and a reset was not answered", {
    where,
    expected: "the old image after a reset",
    got: `${reasonOf(cause)}; then ${reasonOf(failure)}`,
    hint: "take its power away and give it back, which brings the old image back; then run: kilowitness firmware list",
    cause,
  });
}

/** What failed, without its place and without its advice: the line around it has its own. */
export function reasonOf(cause: unknown): string {
  const { message } = describeProblem(cause);
  if (!(cause instanceof Problem)) return message;
  const { where, hint } = cause.detail;
  const text =
    hint !== undefined && message.endsWith(`; ${hint}`) ? message.slice(0, -hint.length - 2) : message;
  return where !== undefined && text.startsWith(`${where}: `) ? text.slice(where.length + 2) : text;
}

function shownHash(hash: Uint8Array | undefined): string {
  return hash === undefined ? "not told" : toHex(hash);
}
