import type { Field, FieldType } from "../../attest/field.ts";
import { LEAF_KINDS } from "../../attest/leaf.ts";
import { COMMON_FIELDS, KIND_FIELDS } from "../../attest/leaf-fields.ts";

const TYPES: Readonly<Record<FieldType, string>> = {
  uint: "uint53",
  int: "int53",
  text: "text128",
  longText: "text1024",
  bytes16: "bytes16",
  bytes32: "bytes32",
  bytes: "bstr",
  byteStrings: "[1*8 bstr]",
  uints: "[1*8 uint53]",
  dayOfInts: "[1*100 int53]",
};

/** The CDDL (RFC 8610) of every leaf kind that has fields, from the tables that the codec runs on. */
export function leafCddl(): string {
  const kinds = Object.entries(KIND_FIELDS).map(([kind, fields]) => {
    const number = Object.entries(LEAF_KINDS).find(([name]) => name === kind)?.[1] ?? 0;
    const head = number === 0 ? [] : [`  0 => ${number},`];
    return [`${kebab(kind)} = {`, ...head, "  common,", ...lines(fields), "}"].join("\n");
  });
  return [["common = (", ...lines(COMMON_FIELDS), "  * extension", ")"].join("\n"), ...kinds].join("\n\n");
}

function lines(fields: Readonly<Record<string, Field>>): string[] {
  return Object.entries(fields)
    .sort(([, a], [, b]) => a.key - b.key)
    .map(([name, { key, type, optional }]) => `  ${optional ? "? " : ""}${key} => ${TYPES[type]}, ; ${name}`);
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
