import type { IncomingMessage } from "node:http";

const MOST_BYTES = 4 * 1024 ** 2;

/** The text of an answer, UTF-8. Throws an Error when it has more than 4 MiB, and what the connection throws. */
export async function readAnswerBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new Error(`the answer has more than ${MOST_BYTES} bytes`);
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString("utf8");
}
