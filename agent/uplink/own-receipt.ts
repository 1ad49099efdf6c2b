import { equalBytes } from "../../attest/bytes.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { type LogIdentity, logIdOf } from "../../attest/identity.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import type { Receipt } from "../../attest/receipt.ts";
import type { Journal } from "../journal/journal.ts";

/** A receipt counts only over a checkpoint of ours with that very root; throws `receipt-foreign`. */
export function requireOurs(receipt: Receipt, journal: Journal, identity: LogIdentity): void {
  const logId = logIdOf(nativeSuite, identity);
  const own = journal.checkpointAt(identity.epoch, receipt.size);
  if (own === undefined) {
    throw new Problem(
      "receipt-foreign",
      "the node sent a receipt over something this device has not signed",
      { got: `size ${receipt.size}` },
    );
  }
  const checkpoint = openCheckpoint(nativeSuite, own, { deviceKey: identity.deviceKey, logId });
  const same = equalBytes(checkpoint.manifestHash, receipt.manifestHash);
  if (same && equalBytes(checkpoint.root, receipt.root)) return;
  throw new Problem(
    "receipt-foreign",
    "the node's receipt is over another log or root than the one signed here",
    {
      where: `size ${receipt.size}`,
    },
  );
}
