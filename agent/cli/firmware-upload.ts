import { basename } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { versionText } from "../../firmware-bridge/image/header.ts";
import type { UpdateEvent } from "../../firmware-bridge/update/settings.ts";
import { updateFirmware } from "../../firmware-bridge/update/update.ts";
import { runCommand, stopRequested } from "../../runtime/command.ts";
import { raiseCounter } from "./firmware-counter.ts";
import { type FirmwareTrust, readTrustedImage, withFirmwareTrust } from "./firmware-image.ts";
import { type FirmwarePlace, firmwareConnect, withFirmwarePlace } from "./firmware-place.ts";
import { FirmwareProgress } from "./firmware-progress.ts";
import { eventText, resultJson, resultText } from "./firmware-text.ts";

interface UploadOptions extends FirmwarePlace, FirmwareTrust {
  readonly testOnly?: boolean;
  readonly wayBack: boolean;
  readonly recovery?: boolean;
  readonly settle: number;
  readonly wait: number;
  readonly json?: boolean;
}

const HELP = `
Nothing is sent before the image was verified. What was done already is not done again: after a power cut, a pulled cable
or Ctrl-C run the same once more. Until the new image is confirmed, a reset brings the old one back. See
docs/firmware-update.md.
Exit status: 0 the image runs as asked, 1 it does not, 2 when the command line is wrong.`;

/** `kilowitness firmware upload FILE`: installs an image. */
export function firmwareUploadCommand(): Command {
  const command = new Command("upload")
    .description(
      "verify an image, store it, start it, check it, confirm it; any failure brings the old one back",
    )
    .argument("<file>", "the signed image");
  return withFirmwarePlace(withFirmwareTrust(command))
    .option("--test-only", "do not confirm: the reset after takes the image away again")
    .option("--no-way-back", "also where the bootloader cannot bring the old image back")
    .option("--recovery", "also where MCUboot's recovery answers; overwrites the image that would run")
    .option("--settle <seconds>", "silence after a reset", seconds, 5)
    .option("--wait <seconds>", "for it to come back from a reset", seconds, 180)
    .option("--json", "print one JSON object at the end")
    .addHelpText("after", HELP)
    .action((file: string, options: UploadOptions) =>
      runCommand("firmware upload", () => upload(file, options)),
    );
}

async function upload(file: string, options: UploadOptions): Promise<void> {
  const { image } = readTrustedImage(file, options);
  const stop = new AbortController();
  void stopRequested().then(() => stop.abort());
  const isJson = options.json === true;
  const progress = new FirmwareProgress();
  const say = (text: string): void => {
    progress.end();
    if (!isJson) process.stdout.write(`${text}\n`);
  };
  const onEvent = (event: UpdateEvent): void => {
    if (event.kind === "progress") progress.show(event);
    const text = eventText(event);
    if (text !== undefined) say(text);
  };
  say(`${basename(file)}: ${versionText(image.version)}, whole, and signed by the pinned key`);
  try {
    const result = await updateFirmware({
      connect: firmwareConnect(options),
      ...{ image, onEvent, signal: stop.signal, testOnly: options.testOnly === true },
      ...{ noWayBack: !options.wayBack, recovery: options.recovery === true },
      times: { settleMs: options.settle * 1000, returnMs: options.wait * 1000 },
    });
    if (result.outcome !== "under-test") keepCounter(options.counterFile, image.securityCounter);
    say(resultText(result));
    if (isJson) process.stdout.write(`${JSON.stringify(resultJson(result))}\n`);
  } finally {
    progress.end();
  }
}

function keepCounter(file: string | undefined, counter: number | undefined): void {
  if (file !== undefined && counter !== undefined) raiseCounter(file, counter);
}

function seconds(text: string): number {
  const value = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0) return value;
  throw new InvalidArgumentError(`expected seconds, got "${text}"`);
}
