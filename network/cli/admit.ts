import { Command, InvalidArgumentError } from "commander";
import { Problem } from "../../attest/problem.ts";
import { runCommand } from "../../runtime/command.ts";
import { readConfigFile } from "../../runtime/config-file.ts";
import { type NodeConfig, nodeConfigSchema } from "../config.ts";
import { DEFAULT_CODE_HOURS, MAX_CODE_HOURS } from "../enrolment/operator.ts";
import { ENROLMENT_STATES } from "../enrolment/records.ts";
import { ENCLOSURE_STATES } from "../store/enclosure-book.ts";
import {
  codesOf,
  type DeviceEnclosures,
  type DevicesPage,
  devicesOf,
  type EnrolmentsPage,
  enrolmentsOf,
  type ListedEnrolment,
  newCodeOf,
  type QuarantinedKey,
  type QuarantinePage,
  quarantinedOf,
} from "./admit-answers.ts";
import {
  codesWords,
  codeWords,
  decisionWords,
  enclosuresWords,
  enrolmentsWords,
  quarantinedWords,
} from "./admit-words.ts";
import { askNode, doorOf, type NodeDoor, type NodeQuestion } from "./ask-node.ts";

interface AdmitOptions {
  readonly config: string;
  readonly tokens?: string;
  readonly json?: boolean;
}

interface CodeOptions extends AdmitOptions {
  readonly label?: string;
  readonly hours: number;
}

interface ReleaseOptions extends AdmitOptions {
  readonly by: string;
}

interface ApproveOptions extends AdmitOptions {
  readonly label?: string;
}

const HELP = `
Asks the running node over HTTP, with a token of the file that http.tokens names (or --tokens). Codes and keys matter where the
node's configuration says "devices: enrolled"; quarantined, release and enclosures everywhere.

A KEY is 64 hexadecimal digits, as the device prints them, or what its QR code says. It must be whole: somebody can make a key
that begins as another one does.

Exit status: 0 done, 1 it failed, 2 the configuration is wrong.`;

/** `kilowitness admit …`: the operator's side of enrolling. */
export function admitCommand(): Command {
  const command = new Command("admit")
    .description("let devices in at a running node: one-time codes, and keys that wait for approval")
    .addHelpText("after", HELP);
  const codes = [codeCommand(), codesCommand(), removeCodeCommand()];
  const keys = [listCommand(), ...keyCommands(), quarantinedCommand(), releaseCommand()];
  for (const sub of [...codes, ...keys, enclosuresCommand()]) command.addCommand(sub);
  return command;
}

function common(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption("--config <file>", "configuration of the node")
    .option("--tokens <file>", "file of tokens, in place of the node's own")
    .option("--json", "print the node's answer as JSON");
}

function codeCommand(): Command {
  return common("code", "make a one-time code; it is shown here and nowhere else")
    .option("--label <text>", "what the code is for, for your own eyes")
    .option("--hours <number>", "how long it can be used", hoursOf, DEFAULT_CODE_HOURS)
    .action((options: CodeOptions) =>
      run(options, async (door, config) => {
        const { label = "", hours } = options;
        const answer = await askNode(door, {
          ...{ method: "POST", path: "/enrolment-codes" },
          body: { label, hours },
        });
        return { answer, lines: codeWords(newCodeOf(answer), config.network) };
      }),
    );
}

function codesCommand(): Command {
  return common("codes", "list codes that nobody has used").action((options: AdmitOptions) =>
    run(options, async (door) => {
      const answer = await askNode(door, { method: "GET", path: "/enrolment-codes" });
      return { answer, lines: codesWords(codesOf(answer)) };
    }),
  );
}

function removeCodeCommand(): Command {
  return common("remove-code", "make a code useless")
    .argument("<number>", "number of the code, as the list has it", codeNumberOf)
    .action((number: number, options: AdmitOptions) =>
      run(options, async (door) => {
        const answer = await askNode(door, { method: "DELETE", path: `/enrolment-codes/${number}` });
        return { answer, lines: [`code ${number} is removed`] };
      }),
    );
}

function listCommand(): Command {
  return common("list", "list keys that wait, and those that were decided on")
    .argument("[state]", `only these: ${ENROLMENT_STATES.join(", ")}`, stateOf)
    .action((state: string | undefined, options: AdmitOptions) =>
      run(options, async (door) => {
        const answer = await allEnrolments(door, state);
        return { answer, lines: enrolmentsWords(answer.enrolments) };
      }),
    );
}

/** All pages as one. */
async function allEnrolments(
  door: NodeDoor,
  state: string | undefined,
): Promise<{ readonly enrolments: readonly ListedEnrolment[] }> {
  const enrolments: ListedEnrolment[] = [];
  let path: string | null = state === undefined ? "/enrolments" : `/enrolments?state=${state}`;
  while (path !== null) {
    const page: EnrolmentsPage = enrolmentsOf(await askNode(door, { method: "GET", path }));
    enrolments.push(...page.enrolments);
    path = page.next;
  }
  return { enrolments };
}

function keyCommands(): Command[] {
  const approve = common("approve", "let a key in when it next connects").option(
    "--label <text>",
    "what the device is, for your own eyes",
  );
  return [
    onKey(approve, (path, { label }: ApproveOptions) => ({
      ...{ method: "POST", path: `${path}/approve` },
      body: label === undefined ? {} : { label },
    })),
    onKey(common("reject", "turn a key away from now on"), (path) => ({
      method: "POST",
      path: `${path}/reject`,
    })),
    onKey(common("remove", "forget a key, and end its connection; it has to ask anew"), (path) => ({
      method: "DELETE",
      path,
    })),
  ];
}

function quarantinedCommand(): Command {
  return common("quarantined", "list keys that opened more epochs in a day than one device does").action(
    (options: AdmitOptions) =>
      run(options, async (door) => {
        const keys: QuarantinedKey[] = [];
        for (let path: string | null = "/quarantine"; path !== null; ) {
          const page: QuarantinePage = quarantinedOf(await askNode(door, { method: "GET", path }));
          keys.push(...page.keys);
          path = page.next;
        }
        return { answer: { keys }, lines: quarantinedWords(keys) };
      }),
  );
}

function releaseCommand(): Command {
  const command = common("release", "let a quarantined key go on: only one device holds it").requiredOption(
    "--by <name>",
    "who has made sure of that; it is kept",
  );
  return command
    .argument("<key>", "the device's key, or what its QR code says")
    .action((key: string, options: ReleaseOptions) =>
      run(options, async (door, config) => {
        const name = keyOf(key, config.network);
        const answer = await askNode(door, {
          ...{ method: "POST", path: `/quarantine/${name}/release` },
          body: { by: options.by },
        });
        return { answer, lines: [`${name} may go on: two further epochs within a day`] };
      }),
    );
}

function enclosuresCommand(): Command {
  return common("enclosures", "list what devices say of their enclosures")
    .argument("[state]", `only these: ${Object.keys(ENCLOSURE_STATES).join(", ")}`, enclosureStateOf)
    .action((state: string | undefined, options: AdmitOptions) =>
      run(options, async (door) => {
        const devices = await allEnclosures(door, state);
        return { answer: { devices }, lines: enclosuresWords(devices) };
      }),
    );
}

/** Of all devices, those that have one. What is not kept may be in any state. */
async function allEnclosures(door: NodeDoor, state: string | undefined): Promise<DeviceEnclosures[]> {
  const found: DeviceEnclosures[] = [];
  for (let path: string | null = "/devices"; path !== null; ) {
    const page: DevicesPage = devicesOf(await askNode(door, { method: "GET", path }));
    for (const { key, enclosures } of page.devices) {
      const inputs = enclosures.inputs.filter((one) => state === undefined || one.state === state);
      const { further } = enclosures;
      if (inputs.length + further.inputs + further.leaves > 0)
        found.push({ key, enclosures: { inputs, further } });
    }
    path = page.next;
  }
  return found;
}

function onKey<Options extends AdmitOptions>(
  command: Command,
  question: (path: string, options: Options) => NodeQuestion,
): Command {
  return command
    .argument("<key>", "the device's key, or what its QR code says")
    .action((key: string, options) =>
      run(options, async (door, config) => {
        const name = keyOf(key, config.network);
        const answer = await askNode(door, question(`/enrolments/${name}`, options));
        return { answer, lines: [decisionWords(answer, name)] };
      }),
    );
}

function run(
  options: AdmitOptions,
  ask: (
    door: NodeDoor,
    config: NodeConfig,
  ) => Promise<{ readonly answer: unknown; readonly lines: string[] }>,
): Promise<void> {
  return runCommand("admit", async () => {
    const config = readConfigFile(options.config, nodeConfigSchema);
    const { answer, lines } = await ask(doorOf(config, options.tokens), config);
    process.stdout.write(`${options.json === true ? JSON.stringify(answer) : lines.join("\n")}\n`);
  });
}

/** Throws `device-key` and `device-network`. */
function keyOf(text: string, network: string): string {
  const scanned = /^kilowitness:enrol\?network=([^&]*)&device=([0-9a-f]{64})$/i.exec(text.trim());
  const key = (scanned?.[2] ?? text.trim()).toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(key))
    throw new Problem("device-key", "not a device key", {
      expected: "64 hexadecimal digits, or kilowitness:enrol?…",
      got: text.slice(0, 100),
    });
  const of = scanned?.[1] === undefined ? network : decodeURIComponent(scanned[1]);
  if (of === network) return key;
  throw new Problem("device-network", "the device is of another network", { expected: network, got: of });
}

function hoursOf(text: string): number {
  const hours = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (hours >= 1 && hours <= MAX_CODE_HOURS) return hours;
  throw new InvalidArgumentError(`expected 1 to ${MAX_CODE_HOURS}`);
}

function codeNumberOf(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("expected a number");
}

function enclosureStateOf(text: string): string {
  if (Object.hasOwn(ENCLOSURE_STATES, text)) return text;
  throw new InvalidArgumentError(`expected one of ${Object.keys(ENCLOSURE_STATES).join(", ")}`);
}

function stateOf(text: string): string {
  if (ENROLMENT_STATES.some((state) => state === text)) return text;
  throw new InvalidArgumentError(`expected one of ${ENROLMENT_STATES.join(", ")}`);
}
