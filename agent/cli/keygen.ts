import { Command } from "commander";
import { toHex } from "../../attest/bytes.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { fingerprint } from "../../attest/trust-policy.ts";
import { runCommand } from "../../runtime/command.ts";
import { createKey } from "../../runtime/key-file.ts";

interface KeygenOptions {
  readonly json?: boolean;
}

const HELP = `
The public key is what others get: a node's operator lists it under \`devices\`, whoever checks a proof trusts it with
kilowitness verify FILE --trust device:KEY. Name the key file as \`key\` in the configuration.`;

/** `kilowitness keygen FILE`: a fresh key file, 0600, never over an existing one. */
export function keygenCommand(): Command {
  return new Command("keygen")
    .description(
      "create a key file (mode 0600) and print its public key; the agent does this itself on first start",
    )
    .argument("<file>", "where to write the key; must not exist")
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((file: string, options: KeygenOptions) => runCommand("keygen", () => keygen(file, options)));
}

function keygen(file: string, options: KeygenOptions): void {
  const { publicKey } = nativeSigner(createKey(file).seed);
  const print = fingerprint(nativeSuite, publicKey);
  const words = `public key  ${toHex(publicKey)}\nfingerprint ${print}\nkey file    ${file} (keep it secret; a lost key is a new device)`;
  const json = JSON.stringify({ file, publicKey: toHex(publicKey), fingerprint: print });
  process.stdout.write(`${options.json === true ? json : words}\n`);
}
