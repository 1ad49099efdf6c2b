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

/** `update-recovery`: nothing may be overwritten unasked. */
export function recoveryProblem(where: string): Problem {
  return new Problem(
    "update-recovery",
    "MCUboot's recovery answers, where an upload overwrites the image that runs",
    {
      where,
      expected: "firmware that lists the running image as active",
      hint: "reset it, without the button or pin that leads there; where it has no image any more: --recovery",
    },
  );
}

/** `update-hash-length`. */
export function hashLengthProblem(where: string, digest: Uint8Array): Problem {
  return new Problem(
    "update-hash-length",
    "an image with a hash of that length cannot be set for a test here",
    {
      where,
      expected: "SHA-256, 32 bytes",
      got: `${digest.length} bytes`,
      hint: "sign it with imgtool's default digest, for a bootloader built to match",
    },
  );
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
    hint: "the bootloader refused it, or it crashed, or the power went: does the bootloader have the image's key? run this again",
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
    got: describeProblem(cause).message,
    hint: "do not install this image again before that is understood",
    cause,
  });
}

/** `update-stays`: there is no way back. */
export function staysProblem(where: string, cause: unknown): Problem {
  return new Problem("update-stays", "the new image failed its check, and stays", {
    where,
    expected: "the old image after a reset",
    got: describeProblem(cause).message,
    hint: "it confirmed itself, or the bootloader cannot go back: install a good image",
    cause,
  });
}

/** `update-stuck`: whether the old image came back is not known. */
export function stuckProblem(where: string, failure: unknown, cause: unknown): Problem {
  return new Problem("update-stuck", "the new image failed its check, and a reset was not answered", {
    where,
    expected: "the old image after a reset",
    got: `${describeProblem(cause).message}; then ${describeProblem(failure).message}`,
    hint: "take its power away and give it back, which brings the old image back; then run: kilowitness firmware list",
    cause,
  });
}

function shownHash(hash: Uint8Array | undefined): string {
  return hash === undefined ? "not told" : toHex(hash);
}
