import { readFileSync, renameSync } from "node:fs";
import { z } from "zod";
import { fromHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import { replaceDurably } from "../../runtime/files.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Sealer } from "../sealing/sealer.ts";

/** Which device and log a new gateway goes on from, under a key of its own. */
export interface Replacement {
  readonly oldDeviceKey: string;
  readonly oldLogId: string;
  readonly oldEpoch: number;
  /** Entries of the old log that somebody is known to hold. */
  readonly oldSize: number;
}

const FORMAT = "kilowitness replacement 1";
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const fileSchema: z.ZodType<Replacement & { readonly format: string }> = z.strictObject({
  format: z.literal(FORMAT),
  oldDeviceKey: hex32,
  oldLogId: hex32,
  oldEpoch: z.int().min(1),
  oldSize: z.int().min(0),
});

/** Where a replacement waits for the agent's next start. */
export function replacementFile(journal: string): string {
  return `${journal}.replacement`;
}

/** Has the agent say so at its next start. Durable when it returns. */
export function writeReplacement(journal: string, replacement: Replacement): void {
  replaceDurably(replacementFile(journal), `${JSON.stringify({ format: FORMAT, ...replacement })}\n`);
}

/** What the log says of it: the subject of the leaf is the old device's key. */
export function replacementWords({ oldLogId, oldEpoch, oldSize }: Replacement): string {
  return `replaces gateway, log ${oldLogId} epoch ${oldEpoch} size ${oldSize}`;
}

/**
 * Takes a waiting replacement up into the log, as an operator's action. A power cut behind the commit has it said twice,
 * which says the same. Never throws: a file that is wrong is named and left where it is.
 */
export function takeUpReplacement(
  journal: string,
  { sealer, logger }: { readonly sealer: Sealer; readonly logger: Logger },
): void {
  const file = replacementFile(journal);
  try {
    const replacement = readReplacement(file);
    if (replacement === undefined) return;
    const action = replacementWords(replacement);
    const subject = fromHex(replacement.oldDeviceKey, file);
    sealer.append({ kind: "operatorAction", ...sealer.clock.now(), action, subject });
    sealer.commit();
    renameSync(file, `${file}.done`);
    logger.info("gateway-replaced", { ...replacement });
  } catch (cause) {
    logger.problem("replacement-failed", cause, { file });
  }
}

function readReplacement(file: string): Replacement | undefined {
  const text = textOf(file);
  if (text === undefined) return undefined;
  try {
    const { format: _, ...replacement } = fileSchema.parse(JSON.parse(text));
    return replacement;
  } catch (cause) {
    throw new Problem("replacement-file", "not a file that kilowitness replace-gateway wrote", {
      where: file,
      hint: "delete it, and run kilowitness replace-gateway again",
      cause,
    });
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw cause;
  }
}
