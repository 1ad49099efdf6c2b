import { Command, InvalidArgumentError } from "commander";
import { fromHex } from "../../attest/bytes.ts";
import type { SmpConnection } from "../../firmware-bridge/smp/connection.ts";
import { bootloaderMode } from "../../firmware-bridge/update/bootloader.ts";
import { confirmRunning } from "../../firmware-bridge/update/confirm.ts";
import { listRunning } from "../../firmware-bridge/update/recovery.ts";
import { runCommand } from "../../runtime/command.ts";
import { firmwareCheckCommand } from "./firmware-check.ts";
import { type FirmwareTrust, readTrustedImage, withFirmwareTrust } from "./firmware-image.ts";
import { type FirmwarePlace, firmwareConnect, withFirmwarePlace } from "./firmware-place.ts";
import {
  confirmedJson,
  confirmedText,
  listedJson,
  listedText,
  verifiedJson,
  verifiedText,
} from "./firmware-text.ts";
import { firmwareUploadCommand } from "./firmware-upload.ts";

interface Printing {
  readonly json?: boolean;
}

interface ConfirmOptions extends FirmwarePlace, Printing {
  readonly hash?: Uint8Array;
}

const HELP_HINT = "(add --help for what it takes)";
const HELP = `
For microcontrollers with MCUboot that speak SMP (mcumgr) on a serial console. See docs/firmware-update.md.
  kilowitness firmware verify new.bin --key signer.pem
  kilowitness firmware list --port /dev/serial/by-id/usb-meter
  kilowitness firmware upload new.bin --key signer.pem --port /dev/serial/by-id/usb-meter`;

/** `kilowitness firmware`: what runs on a microcontroller, and how something newer gets there. */
export function firmwareCommand(): Command {
  const command = new Command("firmware")
    .description("list, verify, install and confirm the firmware of a microcontroller")
    .addHelpText("after", HELP);
  const commands = [listCommand(), verifyCommand(), firmwareUploadCommand(), confirmCommand()];
  for (const one of [...commands, firmwareCheckCommand()])
    command.addCommand(one.showHelpAfterError(HELP_HINT).exitOverride());
  return command;
}

function listCommand(): Command {
  return withFirmwarePlace(
    new Command("list").description("the images of a microcontroller, and which one runs"),
  )
    .option("--json", "print one JSON object")
    .action((options: FirmwarePlace & Printing) =>
      runCommand("firmware list", () =>
        connected(options, async (connection) => {
          const slots = await listRunning(connection);
          const mode = await bootloaderMode(connection);
          print(options, { json: listedJson(slots, mode), text: listedText(slots, mode) });
        }),
      ),
    );
}

function verifyCommand(): Command {
  const command = new Command("verify")
    .description("check an image and its signature; no device is needed")
    .argument("<file>", "the signed image");
  return withFirmwareTrust(command)
    .option("--json", "print one JSON object")
    .action((file: string, options: FirmwareTrust & Printing) =>
      runCommand("firmware verify", () => {
        const trusted = readTrustedImage(file, options);
        print(options, { json: verifiedJson(file, trusted), text: verifiedText(file, trusted) });
      }),
    );
}

function confirmCommand(): Command {
  const command = new Command("confirm").description("keep the image that runs, after a check of it");
  return withFirmwarePlace(command)
    .option("--hash <digits>", "refuse any other image, by its hash as the list shows it", imageHash)
    .option("--json", "print one JSON object")
    .action((options: ConfirmOptions) =>
      runCommand("firmware confirm", () =>
        connected(options, async (connection) => {
          const result = await confirmRunning(connection, options.hash);
          print(options, { json: confirmedJson(result), text: confirmedText(result) });
        }),
      ),
    );
}

async function connected(
  place: FirmwarePlace,
  work: (connection: SmpConnection) => Promise<void>,
): Promise<void> {
  const connection = await firmwareConnect(place)();
  try {
    await work(connection);
  } finally {
    await connection.close();
  }
}

function print(
  { json: isJson }: Printing,
  { json, text }: { readonly json: object; readonly text: string },
): void {
  process.stdout.write(`${isJson === true ? JSON.stringify(json) : text}\n`);
}

function imageHash(text: string): Uint8Array {
  if (/^(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/i.test(text))
    return fromHex(text.toLowerCase(), "--hash");
  throw new InvalidArgumentError(`expected 64, 96 or 128 hexadecimal digits, got "${text}"`);
}
