import { type LogIdentity, logIdOf } from "../../attest/identity.ts";
import type { EpochOpen } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { openReceipt, receiptKeyHint } from "../../attest/receipt.ts";
import type { JournalReader } from "./journal-reader.ts";

/**
 * Which history an epoch continues: as a node last receipted it. Empty when the journal holds no receipt.
 *
 * Never with `oldSignedSize`, the largest size that the device ever signed there. The agent opens an epoch only
 * because this journal is older than what was signed, or is lost, and a checkpoint above a size that was merely
 * guessed would be held against the device (docs/evidence-format.md, "Breaks").
 */
export function lastReceipted(
  journal: JournalReader,
  device: Pick<LogIdentity, "network" | "deviceKey">,
): Pick<EpochOpen, "oldLogId" | "oldSize" | "oldRoot"> {
  const newest = journal.newestReceipt();
  if (newest === undefined) return {};
  const { epoch, bytes } = newest;
  const { size, root } = openReceipt(nativeSuite, bytes, receiptKeyHint(bytes));
  return { oldLogId: logIdOf(nativeSuite, { ...device, epoch }), oldSize: size, oldRoot: root };
}
