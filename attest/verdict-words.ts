import type { ClaimedEnergy, Verdict } from "./verdict.ts";

const TIERS = [
  "0, the key is in a file: who has root on the gateway can use it",
  "1, the key is wrapped by hardware",
  "2, the key cannot leave its chip",
  "3, the meter signs its own readings",
] as const;

/** The verdict in plain words, one sentence a line; the first line says how far it can be trusted. */
export function verdictWords(verdict: Verdict): string[] {
  return lines(verdict).map(printable);
}

/** A device may put anything into its texts; what a terminal would act on is shown as its code point. */
function printable(line: string): string {
  return line.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

function lines(verdict: Verdict): string[] {
  return [
    firstLine(verdict),
    "",
    `device    ${verdict.deviceKey}`,
    `          network ${verdict.network}, epoch ${verdict.epoch}, fingerprint ${verdict.fingerprint}`,
    `meter     ${meterWords(verdict)}`,
    `channel   ${verdict.channel.name} (${verdict.channel.role})`,
    `interval  ${iso(verdict.fromMs)} to ${iso(verdict.toMs)} UTC, by the device's clock`,
    ...energyLines(verdict, "import"),
    ...energyLines(verdict, "export"),
    ...shapeLines(verdict),
    ...verdict.clockSteps.map(clockWords),
    ...boundLines(verdict),
    `tier      ${TIERS[verdict.tier] ?? String(verdict.tier)}`,
    "",
    "Not proven by this file:",
    ...notProven(verdict).map((sentence) => `  - ${sentence}`),
  ];
}

/** "12.345 kWh"-style text is for people; proofs are whole Wh. */
export function energyText(mwh: number): string {
  const wh = Math.floor(mwh / 1000);
  const rest = mwh % 1000;
  return rest === 0 ? `${wh} Wh` : `${wh}.${String(rest).padStart(3, "0").replace(/0+$/, "")} Wh`;
}

function firstLine(verdict: Verdict): string {
  if (verdict.trust === "none")
    return `consistent, signed by an unknown key ${verdict.fingerprint} (pass --trust KEY to check whose)`;
  if (verdict.standing === "device-asserted")
    return "valid: signed by the device you trust, device-asserted (no node that you trust has witnessed it)";
  const count = verdict.witnesses.filter((witness) => witness.trusted).length;
  const nodes = count === 1 ? "one node that you trust" : `${count} nodes that you trust`;
  return `valid: signed by the device you trust, ${verdict.standing} (${nodes})`;
}

function meterWords(verdict: Verdict): string {
  const { make, model, serial } = verdict.meter;
  const name = [make, model].filter((part) => part !== "").join(" ");
  return `${name === "" ? "make unknown" : name}, serial ${serial === "" ? "unknown" : serial}`;
}

function energyLines(verdict: Verdict, quantity: "import" | "export"): string[] {
  const energy = verdict[quantity];
  if (energy === undefined) return [];
  const direction = quantity === "import" ? "into the boundary" : "out of the boundary";
  const span = `register ${energyText(energy.openingMwh)} to ${energyText(energy.closingMwh)}`;
  const line = `${quantity.padEnd(10)}${energy.wh} Wh ${direction} (${span})`;
  return energy.wh === 0 ? [line, `          0 Wh because ${zeroReason(verdict, energy)}`] : [line];
}

function zeroReason(verdict: Verdict, energy: ClaimedEnergy): string {
  if (verdict.gaps.length > 0) return "no part between the gaps reached a further whole Wh";
  if (energy.openingMwh === energy.closingMwh)
    return "the register shows the same value at both ends: the meter counted nothing between";
  return "the register reached no further whole Wh: the rest is in the next interval";
}

function clockWords(step: { readonly fromMs: number; readonly toMs: number }): string {
  return `clock     was set inside the interval, from ${iso(step.fromMs)} to ${iso(step.toMs)}; no energy is missing there`;
}

function shapeLines(verdict: Verdict): string[] {
  const gaps = verdict.gaps.map(
    (gap) =>
      `gap       ${iso(gap.fromMs)} to ${iso(gap.toMs)}: stated by the device, its energy is not claimed`,
  );
  if (!verdict.coarse) return gaps;
  return ["shape     coarse: a boundary inside had no reading, so this span cannot be divided", ...gaps];
}

function boundLines(verdict: Verdict): string[] {
  const { notBeforeMs, notAfterMs } = verdict;
  const after =
    notBeforeMs === undefined
      ? "no lower bound"
      : `written after ${iso(notBeforeMs)}${width(verdict.fromMs - notBeforeMs, ["before the interval", "after the interval begins: the clocks differ"])}`;
  const before =
    notAfterMs === undefined
      ? "no upper bound"
      : `written before ${iso(notAfterMs)}${width(notAfterMs - verdict.toMs, ["behind the interval", "before the interval ends: the clocks differ"])}`;
  const source =
    notBeforeMs === undefined && notAfterMs === undefined
      ? "no clock but the device's own"
      : "by the clocks of nodes that you trust";
  return [`time      ${after}; ${before}; ${source}`];
}

/** How wide the bound is; a device's clock that contradicts the node's is said in words, not as a minus sign. */
function width(ms: number, [outside, inside]: readonly [string, string]): string {
  return ` (${(Math.abs(ms) / 1000).toFixed(1)} s ${ms < 0 ? inside : outside})`;
}

function notProven(verdict: Verdict): string[] {
  const sentences = [
    "that the meter measures what its channel says, or is wired right: whoever has root on the gateway can feed it false registers",
    `that the meter's serial number is its own, or that no other key claims the same meter`,
  ];
  if (verdict.trust === "none")
    sentences.unshift("whose key this is: anyone can make a consistent file with a key of their own");
  if (verdict.notAfterMs === undefined)
    sentences.push("when it was written: no node that you trust has witnessed it");
  else if (verdict.notBeforeMs === undefined)
    sentences.push("that it was not written before the interval: no trusted receipt lies before it");
  if (verdict.standing === "single witness")
    sentences.push("that device and node did not act together: one witness is one party");
  return sentences;
}

function iso(ms: number): string {
  const date = new Date(ms);
  // An integer of 53 bits reaches beyond the last date there is.
  if (Number.isNaN(date.getTime())) return `${ms} ms since 1970`;
  return date.toISOString().replace(/\.000Z$/, "Z");
}
