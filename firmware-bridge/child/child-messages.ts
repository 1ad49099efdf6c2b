/** What a process is told by whoever started it; every message says that somebody is there, and `beat` nothing else. */
export type ToChild<Question> = { readonly beat: true } | Asked<Question>;

export interface Asked<Question> {
  readonly ask: number;
  readonly question: Question;
}

/** What it says: `ready` or `failed` first, `answer` or `refused` for each question, `failed` at last. */
export type FromChild<Answer, Ready> =
  | { readonly kind: "ready"; readonly ready: Ready }
  | { readonly kind: "answer"; readonly ask: number; readonly answer: Answer }
  | { readonly kind: "refused"; readonly ask: number; readonly code: string; readonly message: string }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
