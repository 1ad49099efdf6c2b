import { showFields } from "./fields.ts";
import { isFields, type Json, type Vector } from "./schema.ts";

/** What a check is run with. */
export type Case = Pick<Vector, "object" | "input" | "policy">;

/** A vector as the generator makes it: a bad one comes with the same case without its fault. */
export interface Draft extends Vector {
  readonly mended?: Case;
}

/** A good vector, named for what it is: `object` or `object-variant`. Bytes may stand anywhere in the values. */
export function good(
  object: string,
  variant: string,
  says: {
    readonly about: string;
    readonly input: object;
    readonly policy?: object;
    readonly expect: object;
  },
): Draft {
  return {
    ...{ name: variant === "" ? object : `${object}-${variant}`, object, about: says.about },
    input: showFields(says.input),
    ...(says.policy && { policy: showFields(says.policy) }),
    expect: { valid: true, ...showFields(says.expect) },
  };
}

/** A bad vector, named for its one fault: the given case with what is changed in its input or in the policy. */
export function bad(
  from: Case,
  fault: string,
  says: { readonly about: string; readonly code: string; readonly input?: object; readonly policy?: object },
): Draft {
  const { object, input, policy } = from;
  const changedPolicy = { ...policy, ...showFields(says.policy ?? {}) };
  return {
    ...{ name: `bad-${object}-${fault}`, object, about: says.about },
    input: { ...input, ...showFields(says.input ?? {}) },
    ...(Object.keys(changedPolicy).length > 0 && { policy: changedPolicy }),
    expect: { valid: false, code: says.code },
    mended: { object, input, ...(policy && { policy }) },
  };
}

/** A case that is no vector of its own. */
export function caseOf(object: string, input: object, policy?: object): Case {
  return { object, input: showFields(input), ...(policy && { policy: showFields(policy) }) };
}

/** What stands in the file. */
export function vectorOf({ mended: _, ...vector }: Draft): Vector {
  return vector;
}

/** The one text of a vector, as the project's formatter would write it. */
export function writeVector(vector: Vector): string {
  return `${written({ ...vector }, "", "")}\n`;
}

const LINE = 110;

function written(value: Json, indent: string, name: string): string {
  const deeper = `${indent}  `;
  if (Array.isArray(value)) return writtenList(value, indent, name);
  if (!isFields(value)) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => {
    const before = `${JSON.stringify(key)}: `;
    return deeper + before + written(item, deeper, before);
  });
  return pairs.length === 0 ? "{}" : `{\n${pairs.join(",\n")}\n${indent}}`;
}

/** On one line where there is room, else one item a line, but numbers as many as there is room for. */
function writtenList(list: readonly Json[], indent: string, name: string): string {
  const deeper = `${indent}  `;
  const line = flat(list);
  if (line !== undefined && indent.length + name.length + line.length < LINE) return line;
  const items = list.map((item) => written(item, deeper, ""));
  const lines = list.every((item) => typeof item === "number") ? filled(items, LINE - deeper.length) : items;
  return `[\n${lines.map((text) => deeper + text).join(",\n")}\n${indent}]`;
}

/** A list without objects in it, on one line. */
function flat(value: Json): string | undefined {
  if (!Array.isArray(value)) return isFields(value) ? undefined : JSON.stringify(value);
  const items = value.map(flat);
  return items.includes(undefined) ? undefined : `[${items.join(", ")}]`;
}

/** Items joined to lines that, with the comma behind them, are not longer than the width. */
function filled(items: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const longer = `${lines.at(-1) ?? ""}, ${item}`;
    if (lines.length > 0 && longer.length < width) lines[lines.length - 1] = longer;
    else lines.push(item);
  }
  return lines;
}
