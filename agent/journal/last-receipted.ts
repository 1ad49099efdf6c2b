import type { EpochOpen } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { openReceipt, receiptKeyHint } from "../../attest/receipt.ts";
import type { Journal } from "./journal.ts";

/** Which history an epoch continues: as a node last receipted it. Empty when the journal holds no receipt. */
export function lastReceipted(journal: Journal): Pick<EpochOpen, "oldLogId" | "oldSize" | "oldRoot"> {
  const bytes = journal.newestReceipt();
  if (bytes === undefined) return {};
  const { logId, size, root } = openReceipt(nativeSuite, bytes, receiptKeyHint(bytes));
  return { oldLogId: logId, oldSize: size, oldRoot: root };
}
