import type { Readable } from "node:stream";

const MOST_WORDS = 500;

/** Reads what a program says at its standard error, and gives the end of it when asked: mostly, that says why it ended. */
export function lastWords(stream: Readable | null): () => string {
  let words = "";
  stream?.setEncoding("utf8").on("data", (text: string) => {
    words = `${words}${text}`.slice(-MOST_WORDS);
  });
  return () => words.trim();
}

/** How a process ended, as messages say it. */
export function endText(code: number | null, signal: NodeJS.Signals | null): string {
  return `ended with ${signal ?? `code ${code}`}`;
}

/** What happened, and what was said of it. */
export function withWords(how: string, words: string): string {
  return words === "" ? how : `${how}: ${words}`;
}
