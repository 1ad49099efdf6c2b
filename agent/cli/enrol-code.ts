import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { normaliseEnrolmentCode } from "../../attest/enrolment-code.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { replaceDurably } from "../../runtime/files.ts";
import type { AgentConfig } from "../config/config.ts";
import type { NodeConfig } from "../config/node-schema.ts";
import { withoutSecrets } from "../outlet/shown-url.ts";

/** A one-time code as the command line has it: itself, or the file that it stands in. */
export interface GivenCode {
  readonly code?: string;
  readonly codeFile?: string;
  /** Address or key of the node that it is of, where there are several. */
  readonly node?: string;
}

/** Where a code was put, and what the configuration still lacks for it. */
export interface StoredCode {
  readonly file: string;
  readonly node: string;
  /** The line to add under the node; absent when the configuration names the file already. */
  readonly addToNode?: string;
}

const DEFAULT_NAME = "enrolment.code";

/**
 * Stores a code, mode 0600, where the node's part of the configuration says, else beside the key. Undefined when none
 * was given. Throws `enrolment-code-…` or `enrol-node`.
 */
export function storeCode(config: AgentConfig, given: GivenCode): StoredCode | undefined {
  const text = codeText(given);
  if (text === undefined) return undefined;
  const code = normaliseEnrolmentCode(text);
  const { url, enrolmentCodeFile: configured } = nodeOf(config, given.node);
  const file = configured ?? join(dirname(config.key), DEFAULT_NAME);
  writeCode(file, code);
  const stored = { file, node: withoutSecrets(url) };
  return configured === undefined ? { ...stored, addToNode: `enrolmentCodeFile: ${file}` } : stored;
}

function codeText({ code, codeFile }: GivenCode): string | undefined {
  if (codeFile === undefined) return code;
  if (code !== undefined)
    throw new Problem("enrolment-code-twice", "--code and --code-file were both given", {
      hint: "leave one of them out",
    });
  try {
    return readFileSync(codeFile, "utf8");
  } catch (cause) {
    throw new Problem("enrolment-code-read", "the file with the code cannot be read", {
      where: codeFile,
      got: describeProblem(cause).message,
      cause,
    });
  }
}

function nodeOf({ nodes }: AgentConfig, wanted: string | undefined): NodeConfig {
  const matches = nodes.filter(
    ({ url, key }) => wanted === undefined || wanted === url || wanted.toLowerCase() === key,
  );
  const [first] = matches;
  if (first !== undefined && matches.length === 1) return first;
  throw new Problem("enrol-node", "which node is the code of?", {
    expected:
      nodes.length === 0 ? "a node in the configuration" : "--node with the address or key of one of them",
    got: matches.length === 0 ? "no such node" : `${matches.length} nodes`,
    ...(nodes.length === 0 ? {} : { hint: nodes.map(({ url }) => withoutSecrets(url)).join(", ") }),
  });
}

function writeCode(file: string, code: string): void {
  try {
    replaceDurably(file, `${code}\n`);
  } catch (cause) {
    throw new Problem("enrolment-code-write", "the code cannot be stored", {
      where: file,
      got: describeProblem(cause).message,
      hint: "check that the folder exists, and that the agent's user may write it",
      cause,
    });
  }
}
