import { Command } from "commander";
import { runCommand } from "../../runtime/command.ts";
import { hasKeyFile } from "../../runtime/key-file.ts";
import { type AgentConfig, loadAgentConfig } from "../config/config.ts";
import { askForKey } from "../identity/device-key.ts";
import { hasKey } from "./backup-beside.ts";
import { readPassphrase } from "./backup-key.ts";
import { openBackup } from "./backup-manifest.ts";
import { type Restored, restoreBackup } from "./restore-place.ts";

interface RestoreOptions {
  readonly config: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

const HELP = `
Puts the log back where the configuration's \`journal\` says, checks it from end to end before, and never writes over a log or
a key. The agent must not run. The gateway must have the device's key already, in its key file or in the coprocessor that the
configuration names as signer, or the backup must hold it (made --with-key).

Never let the old gateway run again with the same key: take its card out. The agent then asks the nodes before it signs, and
goes on in a new epoch; readings since the backup that no node received are gone.

Exit status: 0 restored, 1 nothing was changed, 2 the configuration is wrong.`;

/** `kilowitness restore FILE --config FILE`: a backup's log back on an empty gateway. */
export function restoreCommand(): Command {
  return new Command("restore")
    .description("put the log of a backup back on an empty gateway that has the device's key")
    .argument("<file>", "the backup, .tar")
    .requiredOption("--config <file>", "configuration of the agent; says where log and key belong")
    .option("--passphrase-file <file>", "for a backup with the key: file whose first line is the passphrase")
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((file: string, options: RestoreOptions) => runCommand("restore", () => restore(file, options)));
}

async function restore(file: string, options: RestoreOptions): Promise<void> {
  const { passphraseFile, json } = options;
  const config = loadAgentConfig(options.config);
  const backup = openBackup(file);
  const passphrase = passphraseFile === undefined ? {} : { passphrase: readPassphrase(passphraseFile) };
  const fromBackup = hasKey(backup) && passphraseFile !== undefined;
  const restored = restoreBackup(backup, {
    ...{ config, ...passphrase },
    ...(fromBackup ? {} : await remoteKeyOf(config)),
  });
  process.stdout.write(`${json === true ? JSON.stringify(restored) : words(restored).join("\n")}\n`);
}

/** Asked only where no file knows the key. */
async function remoteKeyOf(config: AgentConfig): Promise<{ readonly remoteKey?: Uint8Array }> {
  const remoteKey = hasKeyFile(config.key) ? undefined : await askForKey(config);
  return remoteKey === undefined ? {} : { remoteKey };
}

function words({ journal, deviceKey, epoch, size, keyFile, madeAtMs }: Restored): string[] {
  return [
    `${journal}: ${size} entries of epoch ${epoch}, checked from end to end, as they were on ${new Date(madeAtMs).toISOString()}`,
    `device ${deviceKey}${keyFile === undefined ? "" : `, its key file is ${keyFile}`}`,
    "Never start the old gateway again: two with one key accuse each other.",
    "Next: sudo systemctl enable --now kilowitness-agent. It signs when its nodes have answered, in a new epoch.",
  ];
}
