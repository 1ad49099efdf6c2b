import type { OutputLine } from "../gpio/line.ts";
import type { OutputSettings } from "./output-rules.ts";
import type { Position } from "./relay.ts";

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
  readonly output: string;
  readonly task: HolderTask;
}
