import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FAULT_FIELDS, type FaultName } from "../../attest/fault.ts";
import { RULE_WORDS } from "../../attest/fault-rule-words.ts";
import { LEAF_RULES } from "../../attest/fault-rules.ts";
import type { Field, FieldType } from "../../attest/field.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/evidence-format.md"), "utf8");
const section = text.slice(text.indexOf("## Fault proofs"));

const TYPES: Readonly<Partial<Record<FieldType, string>>> = {
  uint: "uint53",
  text: "text128",
  bytes32: "bytes32",
  bytes: "bstr",
  byteStrings: "[1*8 bstr]",
};
const NAMES: Readonly<Record<FaultName, string>> = {
  fork: "fork",
  "two-epochs": "two-epochs",
  "false-leaf": "false-leaf",
  key: "key-use",
};

/** Keys, types and which of them may be absent, as one definition says them, groups taken apart. */
function definitionOf(name: string, optional = false): [number, string][] {
  const body = new RegExp(`^${name} = [{(][^\\n]*\\n(.*?)^[})]`, "ms").exec(section)?.[1] ?? "";
  return body.split("\n").flatMap((line): [number, string][] => {
    const group = /^ {2}(\? )?([a-z-]+),/.exec(line);
    if (group !== null) return definitionOf(group[2] ?? "", group[1] !== undefined);
    const field = /^ {2}(\? )?(\d+) => (.*?),/.exec(line);
    if (field === null || Number(field[2]) < 2) return [];
    return [[Number(field[2]), `${optional || field[1] !== undefined ? "? " : ""}${field[3]}`]];
  });
}

function fieldsOf(name: FaultName): [number, string][] {
  const fields = Object.values<Field>(FAULT_FIELDS[name]);
  return fields.map(({ key, type, optional }) => [key, `${optional ? "? " : ""}${TYPES[type]}`]);
}

describe("the definitions of fault proofs", () => {
  it.each(Object.keys(NAMES) as FaultName[])("are those that the codec of %s runs on", (name) => {
    const byKey = ([a]: [number, string], [b]: [number, string]): number => a - b;
    expect(definitionOf(NAMES[name]).sort(byKey)).toEqual(fieldsOf(name).sort(byKey));
  });

  it("list every rule for leaves in the order in which they are asked", () => {
    const table = section.slice(
      section.indexOf("| Code | Broken when |"),
      section.indexOf("*In the same way*"),
    );
    const listed = [...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code);
    expect(listed).toEqual(LEAF_RULES.map(({ code }) => code));
    for (const code of Object.keys(RULE_WORDS)) expect(section).toContain(`\`${code}\``);
  });
});
