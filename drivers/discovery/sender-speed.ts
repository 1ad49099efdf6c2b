import type { SerialFormat } from "../line/address.ts";
import type { ListenStop } from "./listen-plan.ts";

/** The start bit of a sender that is at most a quarter as fast fills the first three bits, too. */
const FILLED_BITS = 0b111;

/**
 * The stops in the order in which a sender is likely there of whom these bytes were heard at other settings: the slower
 * ones first if it sends at a quarter of their speed or less, else the faster ones.
 */
export function bySenderSpeed(
  stops: readonly ListenStop[],
  { baudRate }: SerialFormat,
  bytes: Uint8Array,
): readonly ListenStop[] {
  const filled = bytes.filter((byte) => (byte & FILLED_BITS) === 0).length;
  const isSlower = filled > bytes.length * 0.75;
  const isLikely = ({ format }: ListenStop): boolean => format.baudRate < baudRate === isSlower;
  // A sort is stable: what is as likely stays in the order of how frequent it is.
  return stops.toSorted((a, b) => Number(isLikely(b)) - Number(isLikely(a)));
}
