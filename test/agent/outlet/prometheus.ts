import { readFileSync } from "node:fs";

/** One line of an answer in Prometheus' text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^{}]*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/g;

/**
 * The samples of an answer, read as strictly as Prometheus' text format 0.0.4 says: each has a type that was declared
 * before it, none comes twice, and every value is a number.
 */
export function samplesOf(text: string): Sample[] {
  const types = new Map<string, string>();
  const seen = new Set<string>();
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    const declared = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (declared !== null) types.set(declared[1] ?? "", declared[2] ?? "");
    if (line === "" || line.startsWith("#")) continue;
    const sample = sampleOf(line);
    requireDeclared(sample, types);
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (seen.has(key)) throw new Error(`twice: ${line}`);
    seen.add(key);
    samples.push(sample);
  }
  return samples;
}

function sampleOf(line: string): Sample {
  const [whole, name = "", labels = "", value = ""] = LINE.exec(line) ?? [];
  const number = value === "" ? Number.NaN : Number(value);
  if (whole === undefined || Number.isNaN(number)) throw new Error(`not a sample: ${line}`);
  const pairs = [...labels.matchAll(LABEL)];
  if (pairs.map(([pair]) => pair).join("") !== labels) throw new Error(`not labels: ${line}`);
  return {
    name,
    labels: Object.fromEntries(pairs.map(([, key, text]) => [key ?? "", text ?? ""])),
    value: number,
  };
}

function requireDeclared({ name }: Sample, types: ReadonlyMap<string, string>): void {
  const family = name.replace(/_(?:bucket|sum|count)$/, "");
  if (types.has(name) || types.get(family) === "histogram") return;
  throw new Error(`no type: ${name}`);
}

/** The rows "| `name` | type | …" of a section of docs/operations.md, as "name type". */
export function documentedMetrics(section: string): string[] {
  const page = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");
  const part = page.split(/^#+ /m).find((text) => text.startsWith(`${section}\n`)) ?? "";
  return [...part.matchAll(/^\| `(kilowitness_\w+)(?:\{[^`]*\})?` \| (\w+) \|/gm)]
    .map(([, name, type]) => `${name} ${type}`)
    .sort();
}
