/** One vector file, as `attest/vectors/README.md` describes it for implementers in other languages. */

export type Json = number | string | boolean | readonly Json[] | JsonFields;
export interface JsonFields {
  readonly [name: string]: Json;
}

export interface Vector {
  /** The file's name without `.json`. */
  readonly name: string;
  /** Which check the vector is for: a key of the table in run.ts. */
  readonly object: string;
  /** One plain sentence. */
  readonly about: string;
  readonly input: JsonFields;
  /** What the verifier trusts; only where the check asks for it. */
  readonly policy?: JsonFields;
  readonly expect: JsonFields;
}

/** Reads one vector's JSON. Throws an Error that names what is wrong with the file. */
export function parseVector(text: string): Vector {
  const json: unknown = JSON.parse(text);
  if (!isFields(json)) throw new Error("a vector is a JSON object");
  const { name, object, about, input, policy, expect, ...rest } = json;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new Error(`a vector has no "${unknown}"`);
  if (typeof name !== "string" || typeof object !== "string" || typeof about !== "string")
    throw new Error("a vector has a name, an object and says what it is about");
  if (!isFields(input) || !isFields(expect) || typeof expect["valid"] !== "boolean")
    throw new Error("a vector has an input, and says what to expect");
  if (policy === undefined) return { name, object, about, input, expect };
  if (!isFields(policy)) throw new Error("the policy of a vector is an object");
  return { name, object, about, input, policy, expect };
}

/** Whether a value is a JSON object. What stands inside is told apart where it is read. */
export function isFields(value: unknown): value is JsonFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
