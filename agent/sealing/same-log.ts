import { equalBytes } from "../../attest/bytes.ts";
import type { OpenedLog } from "../journal/open-log.ts";
import type { Sealer } from "./sealer.ts";

/**
 * Whether a journal that was closed on a fault and opened again is the one that the sealer knows: every leaf that was
 * durable is there as it was sealed, and of those that waited all or none.
 */
export function continuesIn({ journal, identity, rules }: OpenedLog, sealer: Sealer): boolean {
  const { size } = rules;
  if (identity.epoch !== sealer.rules.identity.epoch) return false;
  if (size === sealer.rules.size) return equalBytes(rules.root(), sealer.rules.root());
  const signed = journal.lastCheckpoint(identity.epoch)?.size ?? 0;
  if (size !== sealer.durableSize || signed < sealer.signedSize) return false;
  // Up to what was signed the root has been compared; what is behind it is remembered, as far as it is not too much.
  const known = sealer.writer.held().leaves.filter(({ leaf }) => leaf.seq < size);
  const from = known[0]?.leaf.seq ?? size;
  const stored = journal.leaves(identity.epoch, from, size);
  return (
    stored.length === known.length &&
    stored.every((bytes, at) => equalBytes(bytes, known[at]?.bytes ?? bytes))
  );
}
