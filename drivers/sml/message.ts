import { Problem } from "../../attest/problem.ts";
import { hex4 } from "../telegram/text.ts";
import { sentChecksums } from "./checksum.ts";
import { ElementReader, type SmlElement } from "./element.ts";
import type { FileContent } from "./transport.ts";

/** SML_GetList.Res, the message that carries a meter's values. */
export const GET_LIST_RESPONSE = 0x701n;

/** What a message says; the transaction, group and error handling around it say nothing of a meter. */
export interface SmlMessage {
  /** Which of SML's messages it is: 0x101 open, 0x201 close, 0x701 a list of values, 0xFF01 attention. */
  readonly tag: bigint;
  readonly body: SmlElement;
}

/** transactionId, groupNo, abortOnError, messageBody, crc16, endOfSmlMsg. */
const MESSAGE_ELEMENTS = 6;

/**
 * The messages of a file, each checked by its own checksum (BSI TR-03109-1, Annex IV part b, SML_Message).
 *
 * @throws Problem `sml-message-checksum`; `sml-element` for anything that is no message
 */
export function readMessages(content: FileContent): readonly SmlMessage[] {
  const reader = new ElementReader(content);
  const messages: SmlMessage[] = [];
  while (!reader.done) messages.push(readMessage(reader, content));
  return messages;
}

function readMessage(reader: ElementReader, content: FileContent): SmlMessage {
  const start = reader.at;
  reader.takeListHeader(MESSAGE_ELEMENTS);
  for (let skipped = 0; skipped < 3; skipped += 1) reader.take();
  const body = reader.take();
  const expected = sentChecksums(reader.since(start));
  const checksum = reader.take();
  // Some meters (ISKRA MT691) leave out a leading zero of this number too: compared by value, not by width.
  if (checksum.kind !== "unsigned" || !expected.includes(Number(checksum.value))) {
    const where = `file offset ${content.offsetOf(checksum.at)}`;
    const [x25, kermit] = expected.map(hex4);
    const got = checksum.kind === "unsigned" ? hex4(Number(checksum.value)) : checksum.kind;
    const detail = { where, expected: `${x25} (X-25) or ${kermit} (Kermit)`, got };
    throw new Problem("sml-message-checksum", "the checksum of a message is wrong", detail);
  }
  reader.takeEndOfMessage();
  return chosen(reader, body);
}

/** messageBody is a choice: a list of the number of what was chosen and that itself. */
function chosen(reader: ElementReader, choice: SmlElement): SmlMessage {
  const [tag, body, ...more] = choice.kind === "list" ? choice.elements : [];
  if (tag?.kind === "unsigned" && body !== undefined && more.length === 0) return { tag: tag.value, body };
  throw reader.problem(
    choice.at,
    "a message body is no choice",
    "a list of a number and a body",
    choice.kind,
  );
}
