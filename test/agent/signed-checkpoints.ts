import { concatBytes, toHex } from "../../attest/bytes.ts";
import { CHECKPOINT_FIELDS } from "../../attest/checkpoint.ts";
import { OBJECT_TYPES, parseObject } from "../../attest/cose.ts";

/** What was signed of one log at one size. */
export interface SignedOfPlace {
  /** Different checkpoints. */
  readonly texts: number;
  /** Different roots among them: with more than one it is a fork. */
  readonly roots: number;
}

/** Of all messages that a key has signed, what they say of each log and size. */
export function signedCheckpoints(messages: Iterable<Uint8Array>): readonly SignedOfPlace[] {
  const found = Map.groupBy([...messages].flatMap(checkpointIn), ({ place }) => place);
  const different = (all: readonly string[]): number => new Set(all).size;
  return [...found.values()].map((each) => ({
    texts: different(each.map(({ text }) => text)),
    roots: different(each.map(({ root }) => root)),
  }));
}

interface SaidOfLog {
  /** Log and size. */
  readonly place: string;
  readonly root: string;
  readonly text: string;
}

/** What the signed part of a checkpoint says; nothing for any other object. */
function checkpointIn(message: Uint8Array): SaidOfLog[] {
  // Sig_structure: 12 bytes, the header, no additional data, the payload (docs/coprocessor-protocol.md).
  const headerEnd = 14 + (message[13] ?? 0);
  const nobody = concatBytes(Uint8Array.of(0x58, 64), new Uint8Array(64));
  const header = message.subarray(12, headerEnd);
  const payloadPart = message.subarray(headerEnd + 1);
  const object = concatBytes(Uint8Array.of(0xd2, 0x84), header, Uint8Array.of(0xa0), payloadPart, nobody);
  const { kid, payload, type } = parseObject(object);
  if (type !== OBJECT_TYPES.checkpoint) return [];
  const { size, root } = CHECKPOINT_FIELDS;
  const place = `${toHex(kid)} ${String(payload.get(size.key))}`;
  return [{ place, root: Buffer.from(String(payload.get(root.key))).toString("hex"), text: toHex(message) }];
}
