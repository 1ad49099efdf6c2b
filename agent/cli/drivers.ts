import { Command } from "commander";
import { Problem } from "../../attest/problem.ts";
import { bundledProfile, bundledProfiles } from "../../drivers/profile/bundled.ts";
import { verificationOf } from "../../drivers/profile/verification.ts";
import { gatewayCatalogue } from "../../firmware-bridge/catalogue.ts";
import { runCommand } from "../../runtime/command.ts";

interface DriversOptions {
  readonly json?: boolean;
}

const HELP = `
The name is what a configuration says after "driver:". A device that is not here may speak SunSpec (driver "sunspec"), or
can be added by a profile of your own (driver "profile"; see docs/add-a-device.md).`;

/** `kilowitness drivers [WORD]`: the devices that can be read, with how well each is verified. */
export function driversCommand(): Command {
  return new Command("drivers")
    .description("list the devices that can be read")
    .argument("[word]", "only those with this word in name or description")
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((word: string | undefined, options: DriversOptions) =>
      runCommand("drivers", () => list(word ?? "", options)),
    );
}

interface Listed {
  readonly name: string;
  readonly summary: string;
  /** Captures of real devices that a test decodes; absent where it is no profile. */
  readonly captures?: number;
}

function list(word: string, { json }: DriversOptions): void {
  const profiles = new Set(bundledProfiles());
  const all = gatewayCatalogue.definitions.map(({ name, summary }): Listed => {
    if (!profiles.has(name)) return { name, summary };
    return { name, summary, captures: verificationOf(bundledProfile(name).profile).captures };
  });
  const wanted = all.filter(({ name, summary }) =>
    `${name} ${summary}`.toLowerCase().includes(word.toLowerCase()),
  );
  if (wanted.length === 0)
    throw new Problem("driver-unknown", "no driver has this word", {
      got: JSON.stringify(word),
      hint: "leave the word out to see all; relays, lids and lamps: docs/firmware-bridge.md; how to add a device: docs/add-a-device.md",
    });
  process.stdout.write(json === true ? `${JSON.stringify({ drivers: wanted })}\n` : table(wanted));
}

function table(drivers: readonly Listed[]): string {
  const width = Math.max(...drivers.map(({ name }) => name.length));
  return drivers
    .map(({ name, summary, captures }) => `${name.padEnd(width)}  ${summary}${stateWords(captures)}\n`)
    .join("");
}

function stateWords(captures: number | undefined): string {
  if (captures === undefined) return "";
  return captures === 0
    ? "  [from documents: compare with the display]"
    : "  [checked on a real device's registers]";
}
