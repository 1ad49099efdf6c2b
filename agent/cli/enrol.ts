import { existsSync } from "node:fs";
import { Command, Option } from "commander";
import { z } from "zod";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { describeProblem } from "../../attest/problem.ts";
import { fingerprint } from "../../attest/trust-policy.ts";
import { runCommand } from "../../runtime/command.ts";
import { readPublicKey } from "../../runtime/key-file.ts";
import { type AgentConfig, loadAgentConfig } from "../config/config.ts";
import { enrolmentPath } from "../identity/enrolment-record.ts";
import { withoutSecrets } from "../outlet/shown-url.ts";
import { type GivenCode, type StoredCode, storeCode } from "./enrol-code.ts";
import { enrolmentUri, QR_WAYS, type QrWay, qrLines } from "./enrol-qr.ts";
import { askAgent } from "./status-ask.ts";

interface EnrolOptions extends GivenCode {
  readonly config: string;
  readonly json?: boolean;
  readonly qr?: QrWay;
}

/** How a node stands to this device, as far as the running agent knows. */
interface NodeStanding {
  readonly url: string;
  readonly nodeKey: string;
  /** Whether this gateway holds the node's own statement that it enrolled the device. */
  readonly enrolled: boolean;
  /** Whether it takes this device's log; absent when nobody knows. */
  readonly takes?: boolean;
  readonly problem?: string;
}

interface EnrolFacts {
  readonly network: string;
  readonly deviceKey: string;
  readonly fingerprint: string;
  readonly uri: string;
  readonly agentRuns: boolean;
  readonly nodes: readonly NodeStanding[];
  readonly code?: StoredCode;
}

const HELP = `
A node that lists its devices has to be told this device's key: its operator scans the QR code, or gets the 64 digits. Where the
operator handed out a one-time code instead, give it here; the agent shows it to the node when it next connects. A code on the
command line can be seen by other users of this machine for a moment; --code-file avoids that.

Exit status: 0 shown and stored, 1 it failed, 2 the configuration is wrong.`;

/** `kilowitness enrol --config FILE`: what a node's operator needs to take this device, as text and as a QR code. */
export function enrolCommand(): Command {
  return new Command("enrol")
    .description("show the device's key as text and QR code for a node's operator, or store a one-time code")
    .requiredOption("--config <file>", "configuration of the agent")
    .option("--code <code>", "one-time code that a node's operator handed out, such as ABCD-EFGH-JKMN")
    .option("--code-file <file>", "file that the code stands in")
    .option("--node <url>", "address or key of the node that the code is of, where there are several")
    .addOption(
      new Option("--qr <way>", "colour; dark or light: without colours, for such a terminal; none").choices(
        QR_WAYS,
      ),
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((options: EnrolOptions) => runCommand("enrol", () => enrol(options)));
}

async function enrol(options: EnrolOptions): Promise<void> {
  const config = loadAgentConfig(options.config);
  const facts = await collect(config);
  const code = storeCode(config, options);
  const all = code === undefined ? facts : { ...facts, code };
  const lines = options.json === true ? [JSON.stringify(all)] : words(all, options.qr ?? usualWay());
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** Colours are for somebody who looks; a file or a pager gets none. */
function usualWay(): QrWay {
  return process.stdout.isTTY ? "colour" : "dark";
}

const reportSchema = z.looseObject({
  deviceKey: z.string().regex(/^[0-9a-f]{64}$/),
  nodes: z.array(
    z.looseObject({ nodeKey: z.string(), connected: z.boolean(), problem: z.string().optional() }),
  ),
});
type Report = z.output<typeof reportSchema>;

async function collect(config: AgentConfig): Promise<EnrolFacts> {
  const { network } = config;
  const report = await runningReport(config);
  const deviceKey = report?.deviceKey ?? toHex(readPublicKey(config.key));
  return {
    ...{ network, deviceKey, uri: enrolmentUri(network, deviceKey) },
    fingerprint: fingerprint(nativeSuite, fromHex(deviceKey, "device key")),
    agentRuns: report !== undefined,
    nodes: config.nodes.map(({ url, key }) => ({
      ...{ url: withoutSecrets(url), nodeKey: key },
      enrolled: existsSync(enrolmentPath(config.journal, fromHex(key, "nodes.key"))),
      ...standing(report, key),
    })),
  };
}

/** What the running agent says; undefined where none runs. */
async function runningReport(config: AgentConfig): Promise<Report | undefined> {
  try {
    const { status, body } = await askAgent(config, "/status");
    return status === 200 ? reportSchema.parse(JSON.parse(body)) : undefined;
  } catch (cause) {
    if (describeProblem(cause).code === "agent-not-running") return undefined;
    throw cause;
  }
}

/** A node welcomes only devices whose log it takes. */
function standing(report: Report | undefined, key: string): Pick<NodeStanding, "takes" | "problem"> {
  const node = report?.nodes.find(({ nodeKey }) => nodeKey === key);
  if (node === undefined) return {};
  if (node.connected) return { takes: true };
  return node.problem === undefined ? {} : { takes: false, problem: node.problem };
}

function words(facts: EnrolFacts, way: QrWay): string[] {
  const { network, deviceKey, uri, nodes, code } = facts;
  return [
    `device key  ${deviceKey}`,
    `fingerprint ${facts.fingerprint}`,
    `network     ${network}`,
    ...nodes.map((node) => `node        ${node.url}: ${standingWords(node, facts.agentRuns)}`),
    ...(nodes.length === 0 ? ["nodes       none configured; the log stays here"] : []),
    ...(code === undefined ? [] : codeWords(code)),
    ...(way === "none" ? [] : ["", ...qrLines(uri, way), uri]),
  ];
}

function standingWords({ enrolled, takes, problem }: NodeStanding, agentRuns: boolean): string {
  const record = enrolled ? "enrolled; " : "";
  if (!agentRuns) return `${record}how it stands is not known, no agent runs`;
  if (takes === true) return `${record}connected, it takes this device's log`;
  return record + (problem === undefined ? "not connected yet" : `not connected: ${problem}`);
}

function codeWords({ file, node, addToNode }: StoredCode): string[] {
  return [
    `code        stored in ${file} (mode 0600) for ${node}`,
    ...(addToNode === undefined
      ? ["            the agent shows it when it next connects"]
      : [
          `            add to that node in the configuration: ${addToNode}`,
          "            then: sudo systemctl reload kilowitness-agent",
        ]),
  ];
}
