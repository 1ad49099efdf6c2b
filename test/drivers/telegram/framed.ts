import type { Framed, Framer } from "../../../drivers/telegram/telegram.ts";

/** Cuts a whole stream that arrives in chunks of `size` bytes, with what its end gives. */
export type CutStream = (stream: Uint8Array, size?: number) => readonly Framed[];

export function framedBy(createFramer: () => Framer): CutStream {
  return (stream, size = Math.max(stream.length, 1)) => {
    const framer = createFramer();
    const outcomes: Framed[] = [];
    for (let at = 0; at < stream.length; at += size)
      outcomes.push(...framer.push(stream.subarray(at, at + size)));
    return [...outcomes, ...framer.end()];
  };
}

export function telegrams(outcomes: readonly Framed[]): readonly Uint8Array[] {
  return outcomes.flatMap((outcome) => (outcome.kind === "telegram" ? [outcome.bytes] : []));
}

/** Code and offset of everything refused. */
export function refusals(outcomes: readonly Framed[]): readonly string[] {
  return outcomes.flatMap((outcome) =>
    outcome.kind === "refused" ? [`${outcome.problem.code} at ${outcome.offset}`] : [],
  );
}

/** What a framer says without the stacks of its problems. */
export function said(outcomes: readonly Framed[]): readonly unknown[] {
  return outcomes.map((outcome) =>
    outcome.kind === "telegram" ? outcome : { ...outcome, problem: outcome.problem.message },
  );
}
