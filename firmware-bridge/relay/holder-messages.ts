import type { OutputLine } from "../gpio-output/output-line.ts";
import type { OutputSettings } from "./output-rules.ts";
import type { Position, RelayShown } from "./relay.ts";

/** An output with the lines of its contacts, the first of them bit 0 of a position. */
export interface HeldOutputSettings extends OutputSettings {
  readonly lines: readonly OutputLine[];
}

/** What a holding process is told when it begins, as JSON in its only argument. */
export interface HolderSettings {
  readonly outputs: readonly HeldOutputSettings[];
  /** Without a word for so long, every output goes to its `onLoss`. */
  readonly silenceMs: number;
}

export type HolderTask =
  | { readonly kind: "set"; readonly position: Position; readonly leaseMs: number }
  | { readonly kind: "release" }
  | { readonly kind: "show" };

export interface HolderQuestion {
  readonly ask: number;
  readonly output: string;
  readonly task: HolderTask;
}

/** What the holding process is told; every message says that somebody is there, and `beat` nothing else. */
export type HolderOrder = { readonly beat: true } | HolderQuestion;

/** What it says: `ready` or `failed` first, `shown` or `refused` for each task, `failed` at last. */
export type HolderMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "shown"; readonly ask: number; readonly shown: RelayShown }
  | { readonly kind: "refused"; readonly ask: number; readonly code: string; readonly message: string }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
