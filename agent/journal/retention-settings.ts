import { z } from "zod";

/** How long and how much the journal keeps, as the configuration says it. */
export interface RetentionConfig {
  readonly days: number;
  readonly maxMegabytes: number;
  readonly framesMegabytes: number;
}

const MEBIBYTE = 1024 ** 2;

export const retentionSchema: z.ZodType<RetentionConfig> = z.strictObject({
  days: z
    .number()
    .min(1)
    .max(36_500)
    .default(90)
    .describe("readings that every node has are kept for so long; closes and manifests are kept for good"),
  maxMegabytes: z
    .int()
    .min(64)
    .max(1_048_576)
    .default(4096)
    .describe(
      "the most that the journal may have of the disk; near it readings go sooner, then sampling slows",
    ),
  framesMegabytes: z
    .int()
    .min(0)
    .max(65_536)
    .default(16)
    .describe("room for the newest raw telegrams, for audits; 0: none are kept"),
});

/** The same in bytes. */
export function keepingOf({ days, maxMegabytes, framesMegabytes }: RetentionConfig): {
  readonly days: number;
  readonly maxBytes: number;
  readonly framesBytes: number;
} {
  return { days, maxBytes: maxMegabytes * MEBIBYTE, framesBytes: framesMegabytes * MEBIBYTE };
}
