import type { Literal, ProfileValue, Ratio } from "./profile.ts";

/** A point with its sign in a sum. */
export interface Term {
  readonly name: string;
  readonly negative: boolean;
}

export function termsOf(value: ProfileValue): readonly Term[] {
  return [value]
    .flat()
    .map((term) =>
      term.startsWith("-") ? { name: term.slice(1), negative: true } : { name: term, negative: false },
    );
}

export function isLiteral(value: ProfileValue | Literal): value is Literal {
  return typeof value === "object" && "value" in value;
}

/** The points among the two parts of a ratio. */
export function ratioPoints(ratio: Ratio): readonly string[] {
  return [ratio].flat().filter((part) => typeof part === "string");
}
