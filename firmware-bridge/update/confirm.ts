import { equalBytes, toHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import type { SmpConnection } from "../smp/connection.ts";
import { confirmImage, type ImageSlot } from "../smp/image-group.ts";
import { recoveryProblem } from "./problems.ts";
import { listRunning } from "./recovery.ts";
import { selfCheck } from "./self-check.ts";

export interface ConfirmResult {
  readonly running: ImageSlot;
  /** What lies beside it and does not run. */
  readonly stored: ImageSlot | undefined;
  /** It stayed already; nothing was asked for. */
  readonly already: boolean;
}

/**
 * Confirms the running image after the same check as an update makes.
 *
 * @param hash of the image that is meant; without it, whatever runs
 * @throws Problem `update-recovery`, `update-other-image`, `update-echo`, `smp-…`, `line-…`
 */
export async function confirmRunning(connection: SmpConnection, hash?: Uint8Array): Promise<ConfirmResult> {
  const listed = await listRunning(connection);
  const running = listed.find(({ active }) => active);
  const stored = listed.find(({ image, active }) => image === running?.image && !active);
  if (running?.hash === undefined) throw recoveryProblem(connection.name);
  requireSame(running, running.hash, { hash, where: connection.name });
  if (running.confirmed) return { running, stored, already: true };
  await selfCheck(connection, running.hash, {});
  const slots = await confirmImage(connection, running.hash);
  return { running: slots.find(({ active }) => active) ?? running, stored, already: false };
}

function requireSame(
  { version }: ImageSlot,
  listed: Uint8Array,
  { hash, where }: { readonly hash: Uint8Array | undefined; readonly where: string },
): void {
  if (hash === undefined || equalBytes(listed, hash)) return;
  throw new Problem("update-other-image", "another image runs than the one to confirm", {
    where,
    expected: toHex(hash),
    got: `${toHex(listed)} (${version})`,
    hint: "a test that was not confirmed ends with a reset; run the update again",
  });
}
