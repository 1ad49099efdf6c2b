import { readFileSync } from "node:fs";
import { equalBytes, toHex } from "../../attest/bytes.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import { type LogRules, restoreRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { readSaved } from "../../attest/saved-rules.ts";
import { at, type Findings, guarded, placeOf, type Row, shown } from "../../runtime/fsck-rows.ts";
import type { Extent, Notes, SavedRules } from "./fsck-types.ts";

/** What each note that the agent writes looks like. A boot id is the kernel's, or a process number where it has none. */
const FORMS: ReadonlyMap<string, RegExp> = new Map([
  ["bootCount", /^[1-9]\d{0,14}$/],
  ["bootId", /^(?:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|\d{1,10})$/],
  ["epoch", /^[1-9]\d{0,9}$/],
  ["rules", /^(?:\{.*\})?$/s],
]);
/** A node's list of dispatches, by the epoch and the seq of its commitment. */
const LIST_NAME = /^dispatchList [1-9]\d{0,9} \d{1,16}$/;
const LIST_FORM = /^(?:[\da-f]{2})+$/;
const EPOCH_FILE = /^[1-9]\d{0,8}$/;
const NOTE_HINT =
  "keep the file and ask for help before the agent starts on it: it goes on where the notes say";
const SAVED_HINT =
  "nothing that was signed is lost: at its next start the agent reads all leaves, or opens an epoch where some were released";
const AHEAD_HINT =
  "the journal was put back from a copy, or lost its end: at its next start the agent opens the epoch after that";
const BEHIND_HINT =
  "the file is of another journal, or damaged: any node that knows the device shows its newest epoch";

/** The table `note`: each note once, in its form, and not at odds with the leaves that there are. */
export function* checkNotes(rows: readonly Row[], extents: readonly Extent[]): Findings<Notes> {
  const texts = new Map<string, string>();
  for (const row of rows) {
    const note = yield* guarded(() => noteOf(row));
    if (note !== undefined) texts.set(note.name, note.value);
  }
  yield* missing(texts, extents);
  const newest = extents.at(-1);
  const epoch = numberOf(texts.get("epoch"));
  const text = texts.get("rules") ?? "";
  if (epoch !== undefined) yield* guarded(() => requireNewest(epoch, newest, text));
  const size = newest?.epoch === epoch ? newest?.size : undefined;
  const rules = text === "" ? undefined : yield* guarded(() => savedOf(text, size));
  const bootCount = numberOf(texts.get("bootCount"));
  return {
    ...(epoch === undefined ? {} : { epoch }),
    ...(rules === undefined ? {} : { rules }),
    ...(bootCount === undefined ? {} : { bootCount }),
  };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function noteOf({ name, value }: Row): { readonly name: string; readonly value: string } {
  const form = typeof name === "string" ? formOf(name) : undefined;
  const where = placeOf("note", { name });
  if (typeof name !== "string" || form === undefined) {
    throw new Problem("fsck-note", "the agent writes no such note", {
      ...{ where, expected: [...FORMS.keys()].join(", "), got: shown(name), hint: NOTE_HINT },
    });
  }
  if (typeof value === "string" && form.test(value)) return { name, value };
  throw new Problem("fsck-note", "the note does not say what it should", {
    ...{ where, expected: String(form), got: shown(value), hint: NOTE_HINT },
  });
}

function formOf(name: string): RegExp | undefined {
  return LIST_NAME.test(name) ? LIST_FORM : FORMS.get(name);
}

/** A journal has both from its first commit on, and counts its starts from the first one. */
function* missing(texts: ReadonlyMap<string, string>, extents: readonly Extent[]): Findings {
  const booted = texts.has("bootCount") || texts.has("bootId");
  const wanted = [
    ...(extents.length > 0 ? ["epoch", "rules"] : []),
    ...(booted ? ["bootCount", "bootId"] : []),
  ];
  for (const name of wanted) {
    if (texts.has(name)) continue;
    yield new Problem("fsck-note", "a note is missing, or cannot be read", {
      ...{ where: placeOf("note", { name }), expected: name, got: "nothing", hint: NOTE_HINT },
    });
  }
}

/** Only an epoch that has just been started, with nothing saved in it yet, may have no leaves. */
function requireNewest(epoch: number, newest: Extent | undefined, rules: string): void {
  if (newest === undefined || newest.epoch === epoch) return;
  if (newest.epoch < epoch && rules === "") return;
  throw new Problem("fsck-note", "the journal goes on in another epoch than its newest leaves are of", {
    where: placeOf("note", { name: "epoch" }),
    expected: String(newest.epoch),
    got: String(epoch),
    hint: NOTE_HINT,
  });
}

function savedOf(text: string, size: number | undefined): SavedRules {
  const where = placeOf("note", { name: "rules" });
  const saved = at(where, SAVED_HINT, () => readSaved(text)).state.size;
  if (size === undefined || saved <= size) return { size: saved, text };
  throw new Problem("fsck-beyond", "the saved state is of leaves that are not there", {
    ...{ where, expected: `size ${size} or less`, got: `size ${saved}` },
    hint: "keep the file: leaves at the end of the epoch are missing",
  });
}

/** The saved state against that of the leaves, at its size. The order of properties is not the same. */
export function* checkSaved(saved: SavedRules, rules: LogRules): Findings {
  const [expected, got] = [rules.toText(), saved.text].map((text) => ordered(JSON.parse(text)));
  if (expected !== got) yield otherState(saved, `the state behind leaf ${saved.size - 1}`, "another one");
}

/** The rules of the saved state, where its tree is that of the leaves; undefined where it is not. */
export function* resumed(
  saved: SavedRules,
  identity: LogIdentity,
  root: Uint8Array,
): Findings<LogRules | undefined> {
  const where = placeOf("note", { name: "rules" });
  const rules = yield* guarded(() =>
    at(where, SAVED_HINT, () => restoreRules(nativeSuite, identity, saved.text)),
  );
  if (rules === undefined || equalBytes(rules.root(), root)) return rules;
  yield otherState(saved, `root ${toHex(root)}`, `root ${toHex(rules.root())}`);
  return undefined;
}

function otherState({ size }: SavedRules, expected: string, got: string): Problem {
  return new Problem("fsck-rules", "the saved state is not what the leaves lead to", {
    where: `${placeOf("note", { name: "rules" })}, size ${size}`,
    ...{ expected, got, hint: SAVED_HINT },
  });
}

/** Text that is the same for the same properties and items. */
function ordered(value: unknown): string {
  return JSON.stringify(value, (_name, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/** The epoch file beside the journal, where there is one: it is written before an epoch is used, and never goes back. */
export function* checkEpochFile(path: string, { epoch }: Notes): Findings {
  const file = `${path}.epoch`;
  const text = yield* guarded(() => epochText(file));
  if (text === undefined || epoch === undefined || text === String(epoch)) return;
  const ahead = EPOCH_FILE.test(text) && Number(text) > epoch;
  yield new Problem("fsck-epoch-file", "the epoch file and the journal name different epochs", {
    ...{ where: file, expected: String(epoch), got: shown(text), hint: ahead ? AHEAD_HINT : BEHIND_HINT },
  });
}

function epochText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    const { code, message } = describeProblem(cause);
    if (code === "ENOENT") return undefined;
    throw new Problem("fsck-epoch-file", "the epoch file cannot be read", {
      ...{ where: file, got: message, hint: "run as the user that owns it", cause },
    });
  }
}
