import { Command, InvalidArgumentError } from "commander";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { logIdOf } from "../../attest/identity.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { fingerprint } from "../../attest/trust-policy.ts";
import { runCommand } from "../../runtime/command.ts";
import { type AgentConfig, loadAgentConfig } from "../config/config.ts";
import { openDeviceKey } from "../identity/device-key.ts";
import { withoutSecrets } from "../outlet/shown-url.ts";
import { type Replacement, writeReplacement } from "../reload/replacement.ts";
import { openBackup } from "./backup-manifest.ts";

interface ReplaceOptions {
  readonly config: string;
  readonly from?: string;
  readonly oldKey?: string;
  readonly oldEpoch?: number;
  readonly oldSize?: number;
  readonly json?: boolean;
}

interface Replaced extends Replacement {
  readonly deviceKey: string;
  readonly fingerprint: string;
  readonly created: boolean;
  readonly nodes: readonly string[];
}

const HELP = `
For a gateway that takes the place of one whose key is lost. This gateway gets a key of its own, made now where there is none, or
that of the coprocessor which the configuration names as signer, and its log names the old key and log when the agent next starts. Where the old key can be had, put it and the log back instead
(kilowitness restore): then it stays the same device.

Name the old gateway by a backup of it (--from), or as a node shows it: --old-key, --old-epoch, --old-size.

Exit status: 0 done, 1 nothing was changed, 2 the command line or the configuration is wrong.`;

/** `kilowitness replace-gateway --config FILE --from BACKUP`: a new device that names the one before it. */
export function replaceGatewayCommand(): Command {
  return new Command("replace-gateway")
    .description("give this gateway a key of its own and have its log name the gateway that it replaces")
    .requiredOption("--config <file>", "configuration of the agent")
    .option("--from <backup>", "a backup of the old gateway, .tar")
    .option("--old-key <hex>", "the old device's public key, where there is no backup", hexKey)
    .option("--old-epoch <number>", "the epoch of its last log", wholeNumber)
    .option("--old-size <entries>", "entries of that log that a node holds", wholeNumber)
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((options: ReplaceOptions) => runCommand("replace-gateway", () => replaceGateway(options)));
}

async function replaceGateway(options: ReplaceOptions): Promise<void> {
  const config = loadAgentConfig(options.config);
  const replacement = oldGateway(options, config);
  const key = await openDeviceKey(config);
  await key.close();
  const { created } = key;
  const deviceKey = key.signer.publicKey;
  if (toHex(deviceKey) === replacement.oldDeviceKey)
    throw new Problem("replace-same-key", "this gateway has the old gateway's key", {
      where: config.key,
      hint: "then it is the same device: put its log back with kilowitness restore",
    });
  writeReplacement(config.journal, replacement);
  const replaced: Replaced = {
    ...replacement,
    ...{ deviceKey: toHex(deviceKey), fingerprint: fingerprint(nativeSuite, deviceKey), created },
    nodes: config.nodes.map(({ url }) => withoutSecrets(url)),
  };
  const lines = options.json === true ? [JSON.stringify(replaced)] : words(replaced, options.config);
  process.stdout.write(`${lines.join("\n")}\n`);
}

function oldGateway({ from, oldKey, oldEpoch, oldSize }: ReplaceOptions, config: AgentConfig): Replacement {
  const given = [oldKey, oldEpoch, oldSize].filter((option) => option !== undefined).length;
  if (from !== undefined && given === 0) return ofBackup(from, config.network);
  if (from !== undefined || oldKey === undefined || oldEpoch === undefined || oldSize === undefined)
    throw new Problem("replace-which", "which gateway is replaced?", {
      expected: "--from BACKUP, or --old-key, --old-epoch and --old-size together",
      hint: "a node's GET /devices shows key, epoch and size of every device",
    });
  const identity = { network: config.network, deviceKey: fromHex(oldKey, "--old-key"), epoch: oldEpoch };
  const oldLogId = toHex(logIdOf(nativeSuite, identity));
  return { oldDeviceKey: oldKey, oldLogId, oldEpoch, oldSize };
}

function ofBackup(path: string, network: string): Replacement {
  const { manifest } = openBackup(path);
  if (manifest.network !== network)
    throw new Problem("replace-network", "the backup is of another network", {
      where: path,
      expected: JSON.stringify(network),
      got: JSON.stringify(manifest.network),
      hint: "a device of another network is no device of this one",
    });
  const { deviceKey, logId, epoch, signedSize } = manifest;
  return { oldDeviceKey: deviceKey, oldLogId: logId, oldEpoch: epoch, oldSize: signedSize };
}

function words(
  { deviceKey, fingerprint: print, created, nodes, ...old }: Replaced,
  config: string,
): string[] {
  return [
    `this gateway  ${deviceKey} (${print})${created ? ", key made now" : ""}`,
    `it replaces   ${old.oldDeviceKey}, epoch ${old.oldEpoch}, ${old.oldSize} entries`,
    "Its log will name the old one when the agent next starts.",
    "",
    nodes.length === 0 ? "No node is configured." : `Ask the operator of each node (${nodes.join(", ")}):`,
    ...(nodes.length === 0
      ? []
      : [
          `  1. to take this gateway's key; kilowitness enrol --config ${config} shows it as a QR code`,
          `  2. to retire the old key, so that nobody can go on with the old gateway's card: ${old.oldDeviceKey}`,
        ]),
    "",
    "What the old gateway sealed stays proven by its own key: keep the backup. The two logs are not one: an interval during",
    "which the gateway was exchanged is not covered, and readings that nobody received from the old one are gone.",
  ];
}

function hexKey(text: string): string {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError("expected 64 hexadecimal digits");
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^[1-9][0-9]*$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("expected a whole number, 1 or more");
}
