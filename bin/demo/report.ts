import { energyText } from "../../agent/words.ts";
import { READING_STATUS } from "../../attest/reading.ts";
import type { ClaimedEnergy } from "../../attest/verdict-energy.ts";
import { verdictWords } from "../../attest/verdict-words.ts";
import type { DemoResult } from "./demo.ts";
import { type Evidence, verifyWords } from "./evidence.ts";
import type { SealedChannel } from "./sealed-count.ts";
import { alignedRows } from "./view.ts";

/** The end of the demo in words. */
export function resultLines(result: DemoResult): string[] {
  const lines = [...countLines(result), ""];
  if (result.site.kind === "home")
    return [...lines, ...result.evidence.flatMap((each) => proofLines(each, result))];
  return [...lines, ...meterTable(result), "", ...capturedProofs(result)];
}

function countLines({ counts, seconds }: DemoResult): string[] {
  const { served, accepted, sealed, receipted, stored, lost, unserved } = counts;
  const unexpected =
    unserved === 0 ? [] : [`${unserved} readings were accepted with registers that no device had served.`];
  return [
    `Counted in three places after ${seconds} s:`,
    `  at the devices          ${served} answers with energy registers served`,
    `  in the agent's journal  ${sealed} readings sealed (it said ${accepted} were accepted), ${receipted} receipted`,
    `  in the node's store     ${stored} readings`,
    `Lost: ${lost}. (Served and accepted, but not in the node's store.)`,
    ...unexpected,
  ];
}

function proofLines({ channel, path, bytes, verdict, fault }: Evidence, { keys }: DemoResult): string[] {
  if (verdict === undefined || path === undefined) return [noProof(channel, fault)];
  return [
    `The proof of one interval is in ${path}, ${bytes} bytes. With the two keys, taken from the agent's`,
    "and the node's own words and not from the file, it says:",
    "",
    ...verdictWords(verdict),
    "",
    "Check it again, also on another machine:",
    `  ${verifyWords(path, keys)}`,
  ];
}

function noProof(channel: string, fault: Evidence["fault"]): string {
  return `No valid proof of ${channel}: ${fault?.message ?? "unknown"} (${fault?.code ?? "internal"})`;
}

const TABLE_HEADING = ["file", "make", "model", "serial", "sealed import", "sealed export", "readings"];

function meterTable(result: DemoResult): string[] {
  const rows = result.site.provable.map(({ name, file }) => {
    const channel = result.channels.find(({ manifest }) => manifest.name === name);
    return channel === undefined ? [file ?? name, "no reading"] : meterRow(channel, file ?? name);
  });
  const summed = result.channels.some(isTariffSum);
  const note = "* the telegram prints no total: the register is the sum of its tariff registers";
  return [...alignedRows([TABLE_HEADING, ...rows], new Set([0, 1, 2, 3])), ...(summed ? [note] : [])];
}

function meterRow(channel: SealedChannel, file: string): string[] {
  const { manifest, last, sealed } = channel;
  const mark = isTariffSum(channel) ? " *" : "";
  const shown = (energyMwh: number | undefined): string =>
    energyMwh === undefined ? "-" : `${energyText(energyMwh)}${mark}`;
  const { make, model, serial } = manifest;
  const identity = [make, model, serial === "" ? "not printed" : serial];
  return [file, ...identity, shown(last?.importMwh), shown(last?.exportMwh), String(sealed)];
}

function isTariffSum({ last }: SealedChannel): boolean {
  return ((last?.status ?? 0) & READING_STATUS.tariffSum) !== 0;
}

function capturedProofs(result: DemoResult): string[] {
  const proofs = result.evidence.flatMap((each) => {
    const { channel, verdict, path, bytes, fault } = each;
    if (verdict === undefined || path === undefined) return [noProof(channel, fault)];
    return [
      `${channel}: ${verdict.verdict}, ${verdict.standing}, ${bytes} bytes`,
      ...registerLines("import", verdict.import),
      ...registerLines("export", verdict.export),
      `  ${verifyWords(path, result.keys)}`,
    ];
  });
  const why =
    "Why 0 Wh: a capture is one telegram, repeated, so its registers stand still between two closes.";
  return ["A proof of one interval for each meter, verified with the two keys:", "", ...proofs, "", why];
}

function registerLines(name: string, energy: ClaimedEnergy | undefined): string[] {
  if (energy === undefined) return [];
  const { openingMwh, closingMwh, wh } = energy;
  return [`  ${name} opening ${energyText(openingMwh)}, closing ${energyText(closingMwh)}: ${wh} Wh between`];
}
