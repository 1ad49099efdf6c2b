import { hostname } from "node:os";
import { resolve } from "node:path";
import { toHex } from "../../attest/bytes.ts";
import { nativeSigner } from "../../attest/native.ts";
import type { TelegramPlace } from "../../drivers/simulated/telegram-place.ts";
import type { SwapType } from "../../firmware-bridge/simulated/image-slots.ts";
import { powerWords, registerWords } from "../words.ts";
import type { MicrocontrollerDevice } from "./simulate-microcontroller-device.ts";
import { folderPaths, type MicrocontrollerFolder } from "./simulate-microcontroller-folder.ts";

const NEXT_RESET: Readonly<Record<SwapType, string>> = {
  none: "stays at the next reset",
  test: "slot 1 starts once at the next reset",
  permanent: "slot 1 starts at the next reset and stays",
  revert: "not confirmed: slot 1 comes back at the next reset",
};

interface Ready {
  readonly folder: MicrocontrollerFolder;
  readonly place: TelegramPlace;
  readonly port: number;
  readonly faults: readonly string[];
}

/** What is printed first: what it is and where, how firmware gets onto it, and what an agent reads it with. */
export function microcontrollerReadyText({ folder, place, port, faults }: Ready): string {
  const { signerPublic, update } = folderPaths(folder.path);
  const wrong = faults.length === 0 ? "" : `, with ${faults.join(", ")}`;
  const variant = folder.variant === "pure" ? " --variant pure" : "";
  const line = lineText(place, port);
  return [
    `a simulated microcontroller is on ${line}, process ${process.pid}${wrong}`,
    `it signs with the key ${toHex(nativeSigner(folder.seed).publicKey)}`,
    "",
    `kilowitness firmware list --port ${line}`,
    `kilowitness firmware upload ${update} --key ${signerPublic}${variant} --port ${line}`,
    "",
    `devices:\n  - id: simulated\n    driver: coprocessor\n    line: ${line}\n`,
    "# and its key as the device's own, decided before the agent's first start:",
    `# signer: { coprocessor: "${line}" }\n`,
  ].join("\n");
}

function lineText(place: TelegramPlace, port: number): string {
  switch (place.kind) {
    case "tcp": {
      const host = place.host === "0.0.0.0" || place.host === "::" ? hostname() : place.host;
      return `tcp://${host.includes(":") ? `[${host}]` : host}:${port}`;
    }
    case "pty":
      return `serial://${resolve(place.link)}`;
    case "serial":
      return "serial:///dev/serial/by-id/NAME";
    case "datagrams":
      return `udp://${place.group}:${place.port}`;
  }
}

/** One line: what runs, and what the front end shows. */
export function microcontrollerShownText(device: Pick<MicrocontrollerDevice, "state" | "shown">): string {
  const { versions, swap, requests } = device.state();
  const { activePowerMw = 0, importMwh = 0, exportMwh = 0 } = device.shown();
  const [running = "nothing", stored = "nothing"] = versions;
  return [
    requests === 1 ? "1 request" : `${requests} requests`,
    `slot 0: ${running}, slot 1: ${stored}; ${NEXT_RESET[swap]}`,
    `grid: ${powerWords(activePowerMw, "grid")}, ${registerWords("import", importMwh)}, ${registerWords("export", exportMwh)}`,
  ].join(" | ");
}

/** Behind the time of day. */
export function stamped(text: string): string {
  return `${new Date().toTimeString().slice(0, 8)} ${text}`;
}
