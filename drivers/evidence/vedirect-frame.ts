import { Problem } from "../../attest/problem.ts";
import { digestOf } from "../digest.ts";
import { present } from "../present.ts";
import { fieldsOfBlock, scanBlock } from "../vedirect/block.ts";
import { type Block, namesDevice, together } from "../vedirect/protocol.ts";
import { channelOf, type DeviceKind, deviceKind, REGISTER_LABELS, readingOf } from "../vedirect/reading.ts";
import type { DecodedChannel, DecodedFrame } from "./decoded.ts";

/**
 * The reading of a block, or of the two that a battery monitor sends; a second one whose first was lost is read by
 * itself, as the driver does. Throws the Problem with which the driver refuses it.
 */
export function decodeVedirectFrame(bytes: Uint8Array): DecodedFrame {
  const [first, second, ...more] = blocksIn(bytes);
  if (first === undefined || more.length > 0) return NOT_ONE;
  if (second !== undefined && (!namesDevice(first.fields) || namesDevice(second.fields))) return NOT_ONE;
  const { fields } = second === undefined ? first : together(first, second);
  const kind = kindOf(first);
  if (kind === undefined) return NOT_ONE;
  const { resolutionMwh, ...values } = readingOf(fields, kind).reading;
  const evidence = digestOf(bytes);
  const { role } = channelOf(fields, kind);
  return { channels: [present<DecodedChannel>({ reading: { ...values, evidence }, role, resolutionMwh })] };
}

const NOT_ONE: DecodedFrame = { cannotDecode: "the bytes are not one ve.direct block" };

/** Registers without their device's name are those of a monitor: it alone sends a second block. */
function kindOf({ fields }: Block): DeviceKind | undefined {
  if (namesDevice(fields)) return deviceKind(fields);
  return REGISTER_LABELS.some((label) => fields.has(label)) ? "battery" : undefined;
}

function blocksIn(bytes: Uint8Array): readonly Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < bytes.length; ) {
    const scan = scanBlock(bytes, at);
    if (scan.kind === "refused") throw scan.problem;
    if (scan.kind === "incomplete")
      throw new Problem("vedirect-truncated", "the bytes are not whole blocks", { where: `byte ${scan.at}` });
    const block = bytes.subarray(at, scan.end);
    blocks.push({ fields: fieldsOfBlock(block), bytes: block });
    at = scan.end;
  }
  return blocks;
}
