import { z } from "zod";
import type { UsedPort } from "../driver.ts";
import type { LineAddress } from "../line/address.ts";

/** What every driver for a meter that speaks by itself can be told. */
export interface ListeningOptions {
  readonly silenceMs: number;
  readonly identifyTimeoutMs: number;
  readonly staleAfterMs?: number | undefined;
}

/** How long a meter of some protocol may be silent and how long it takes to name itself. */
export interface UsualTimes {
  readonly silenceMs: number;
  readonly identifyTimeoutMs: number;
}

/** The shape of {@link ListeningOptions}, for a driver's own strict schema. */
interface ListeningShape {
  readonly silenceMs: z.ZodDefault<z.ZodInt>;
  readonly identifyTimeoutMs: z.ZodDefault<z.ZodInt>;
  readonly staleAfterMs: z.ZodOptional<z.ZodInt>;
}

/** {@link ListeningOptions} with the protocol's own defaults. */
export function listeningOptions({ silenceMs, identifyTimeoutMs }: UsualTimes): ListeningShape {
  return {
    silenceMs: z
      .int()
      .min(1_000)
      .max(3_600_000)
      .default(silenceMs)
      .describe("reopen the line after this long without a byte, report after this long without a telegram"),
    identifyTimeoutMs: z
      .int()
      .min(1_000)
      .max(600_000)
      .default(identifyTimeoutMs)
      .describe("wait this long for a telegram"),
    staleAfterMs: z
      .int()
      .min(1_000)
      .optional()
      .describe("mark readings as stale whose meter time is older than this; left out: never"),
  };
}

/** What a meter says on a port goes to one listener: nobody else can have it. */
export function listenedPort({ line }: { readonly line: LineAddress }): readonly UsedPort[] {
  return [{ address: line }];
}
