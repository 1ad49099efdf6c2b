import { basename } from "node:path";
import { toHex } from "../../attest/bytes.ts";
import { versionText } from "../../firmware-bridge/image/header.ts";
import type { VerifiedImage } from "../../firmware-bridge/image/verify-image.ts";
import type { ImageSlot } from "../../firmware-bridge/smp/image-group.ts";
import type { BootloaderMode } from "../../firmware-bridge/update/bootloader.ts";
import type { ConfirmResult } from "../../firmware-bridge/update/confirm.ts";
import type { UpdateEvent, UpdateResult } from "../../firmware-bridge/update/settings.ts";
import { isRecovery, type StageName, slotsText, slotWords } from "../../firmware-bridge/update/stage.ts";
import type { TrustedImage } from "./firmware-image.ts";

const RUNS_FROM = {
  "any-slot": "any slot",
  "fixed-address": "one address in flash",
  ram: "RAM",
} as const;

const STAGE_WORDS: Readonly<Record<StageName, string>> = {
  recovery: "the bootloader's recovery answers: overwriting the slot that runs",
  upload: "storing it beside the running image",
  test: "it is stored; to be started once",
  restart: "restarting into it, which may take some minutes",
  check: "it runs, not yet confirmed; checking it",
  done: "it runs, and stays",
};

/** What `firmware verify` prints. */
export function verifiedText(file: string, { image, leastCounter }: TrustedImage): string {
  const rows = [
    ["version", versionText(image.version)],
    ["hash", toHex(image.digest)],
    ["size", `${image.bytes.length} bytes, ${image.imageSize} of them body`],
    ["runs from", placeText(image)],
    ["security counter", counterText(image.securityCounter, leastCounter)],
  ] as const;
  const lines = rows.map(([name, value]) => `  ${name.padEnd(17)} ${value}`);
  return [`${basename(file)}: whole, and signed by the pinned key`, ...lines].join("\n");
}

export function verifiedJson(file: string, { image, leastCounter }: TrustedImage): object {
  return {
    file,
    version: versionText(image.version),
    hash: toHex(image.digest),
    bytes: image.bytes.length,
    bodyBytes: image.imageSize,
    runsFrom: image.runsFrom,
    ...(image.runsFrom === "any-slot" ? {} : { loadAddress: image.loadAddress }),
    ...(image.securityCounter === undefined ? {} : { securityCounter: image.securityCounter }),
    ...(leastCounter === undefined ? {} : { leastSecurityCounter: leastCounter }),
  };
}

/** What `firmware list` prints; `mode`: undefined where the firmware does not tell it. */
export function listedText(slots: readonly ImageSlot[], mode: BootloaderMode | undefined): string {
  const lines = slots.flatMap((slot) => {
    const place = slot.image === 0 ? `slot ${slot.slot}` : `image ${slot.image}, slot ${slot.slot}`;
    const words = isRecovery(slots) ? "" : `  ${slotWords(slot)}`;
    const hash = slot.hash === undefined ? [] : [`  hash ${toHex(slot.hash)}`];
    return [`${place}: ${slot.version}${words}`, ...hash];
  });
  if (isRecovery(slots)) lines.push("no image is told to run: this is MCUboot's recovery");
  if (slots.length === 0) lines.unshift("no image");
  const way = mode?.wayBack === true ? "" : ", without a way back";
  return [...lines, ...(mode === undefined ? [] : [`bootloader: ${mode.name}${way}`])].join("\n");
}

export function listedJson(slots: readonly ImageSlot[], mode: BootloaderMode | undefined): object {
  const bootloader = mode === undefined ? {} : { bootloader: { mode: mode.name, wayBack: mode.wayBack } };
  return { recovery: isRecovery(slots), images: slots.map(slotJson), ...bootloader };
}

export function slotJson(slot: ImageSlot): object {
  return { ...slot, hash: slot.hash === undefined ? null : toHex(slot.hash) };
}

/** What `firmware confirm` prints. An image that lies there and does not run may be the one that was meant. */
export function confirmedText({ running, stored, already }: ConfirmResult): string {
  const text = `${running.version} runs and is confirmed${already ? " already" : ""}`;
  return already && stored !== undefined ? `${text}; ${stored.version} is stored and does not run` : text;
}

export function confirmedJson({ running, stored, already }: ConfirmResult): object {
  return { running: slotJson(running), stored: stored === undefined ? null : slotJson(stored), already };
}

/** A line for an event; undefined for progress, which has a line of its own. */
export function eventText(event: UpdateEvent): string | undefined {
  if (event.kind === "progress") return undefined;
  if (event.kind === "found") return `there is ${slotsText(event.slots)}`;
  if (event.kind === "going-back") return "it failed; bringing the old image back";
  return STAGE_WORDS[event.stage];
}

/** The last line of `firmware upload`. */
export function resultText({ outcome, before, running }: UpdateResult): string {
  const old = before === undefined || before.version === running.version ? "" : `; before: ${before.version}`;
  const text = {
    confirmed: `${running.version} runs and is confirmed${old}`,
    "already-confirmed": `${running.version} runs and is confirmed already: nothing was sent`,
    "self-confirmed": `${running.version} runs, and stays without having been confirmed from here${old}`,
    "under-test": `${running.version} runs and is not confirmed: a reset takes it away; keep it with: kilowitness firmware confirm`,
  };
  return text[outcome];
}

export function resultJson({ outcome, before, running, upload }: UpdateResult): object {
  return {
    outcome,
    before: before === undefined ? null : slotJson(before),
    running: slotJson(running),
    upload: upload ?? null,
  };
}

function placeText({ runsFrom, loadAddress }: VerifiedImage): string {
  const address = runsFrom === "any-slot" ? "" : `, 0x${loadAddress.toString(16)}`;
  return `${RUNS_FROM[runsFrom]}${address}`;
}

function counterText(counter: number | undefined, least: number | undefined): string {
  const have = counter === undefined ? "none" : String(counter);
  return least === undefined ? `${have}, none asked for` : `${have}, at least ${least} asked for`;
}
