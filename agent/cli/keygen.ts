import { Command } from "commander";
import { toHex } from "../../attest/bytes.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { describeProblem } from "../../attest/problem.ts";
import { fingerprint } from "../../attest/verdict.ts";
import { createKey } from "../../runtime/key-file.ts";

/** `kilowitness keygen FILE`: a fresh key file, 0600, never over an existing one. */
export function keygenCommand(): Command {
  return new Command("keygen")
    .description(
      "create a key file (mode 0600) and print its public key; the agent does this itself on first start",
    )
    .argument("<file>", "where to write the key; must not exist")
    .option("--json", "print one JSON object")
    .action((file: string, options: { readonly json?: boolean }) => {
      try {
        const { publicKey } = nativeSigner(createKey(file).seed);
        const print = fingerprint(nativeSuite, publicKey);
        const words = `public key  ${toHex(publicKey)}\nfingerprint ${print}\nkey file    ${file} (keep it secret; a lost key is a new device)`;
        const json = JSON.stringify({ file, publicKey: toHex(publicKey), fingerprint: print });
        process.stdout.write(`${options.json === true ? json : words}\n`);
      } catch (cause) {
        process.stderr.write(`kilowitness keygen: ${describeProblem(cause).message}\n`);
        process.exitCode = 1;
      }
    });
}
