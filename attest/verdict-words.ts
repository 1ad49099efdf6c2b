import type { EnergyVerdict, FlexibilityValues, FlexibilityVerdict, Verdict } from "./verdict.ts";
import type { Edge } from "./verdict-bounds.ts";
import type { ClaimedEnergy } from "./verdict-energy.ts";

const TIERS = [
  "0, the key is in a file: who has root on the gateway can use it",
  "1, the device says that its key is wrapped by hardware",
  "2, the device says that its key cannot leave its chip",
  "3, the device says that the meter signs its own readings",
] as const;

/** The verdict in plain words, one sentence a line; the first line says how far it can be trusted. */
export function verdictWords(verdict: Verdict): string[] {
  return [
    firstLine(verdict),
    "",
    `device    ${verdict.deviceKey}`,
    `          network ${verdict.network}, ${epochWords(verdict)}, fingerprint ${verdict.fingerprint}`,
    `meter     ${meterWords(verdict)}`,
    ...(verdict.claim === "energy" ? earlierMeters(verdict) : []),
    `channel   ${verdict.channel.name} (${verdict.channel.role})`,
    ...(verdict.claim === "energy" ? intervalLines(verdict) : flexibilityLines(verdict)),
    ...verdict.edges.map(edgeWords),
    `          ${clockSource(verdict)}`,
    `tier      ${TIERS[verdict.tier] ?? String(verdict.tier)}`,
    "",
    "Not proven by this file:",
    ...notProven(verdict).map((sentence) => `  - ${sentence}`),
  ].map(printable);
}

/** A device may put anything into its texts; what a terminal would act on is shown as its code point. */
export function printable(line: string): string {
  return line.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** "12.345 kWh"-style text is for people; proofs are whole Wh. */
export function energyText(mwh: number): string {
  return `${thousandths(mwh)} Wh`;
}

function thousandths(value: number): string {
  const whole = Math.trunc(value / 1000);
  const rest = Math.abs(value % 1000);
  const sign = value < 0 && whole === 0 ? "-" : "";
  if (rest === 0) return String(whole);
  return `${sign}${whole}.${String(rest).padStart(3, "0").replace(/0+$/, "")}`;
}

function firstLine(verdict: Verdict): string {
  if (verdict.trust === "none")
    return `consistent, signed by an unknown key ${verdict.fingerprint} (pass --trust KEY to check whose)`;
  const whose =
    verdict.trust === "device" ? "the device you trust" : "a device that a node you trust has enrolled";
  if (verdict.standing === "device-asserted")
    return `valid: signed by ${whose}, device-asserted (no node that you trust has witnessed it)`;
  return `valid: signed by ${whose}, ${verdict.standing} (${nodeWords(verdict)})`;
}

function nodeWords(verdict: Verdict): string {
  const trusted = verdict.witnesses.filter((witness) => witness.trusted);
  const count = new Set(trusted.map(({ nodeKey }) => nodeKey)).size;
  if (verdict.standing === "single witness" && count > 1)
    return `only ${count} of the ${verdict.witnessesWanted} nodes asked for`;
  return count === 1 ? "one node that you trust" : `${count} nodes that you trust`;
}

function epochWords({ epochs }: Verdict): string {
  return epochs.length === 1 ? `epoch ${epochs[0]}` : `epochs ${epochs.join(", ")}`;
}

function meterWords(verdict: Verdict): string {
  const { make, model, serial } = verdict.meter;
  const name = [make, model].filter((part) => part !== "").join(" ");
  return `${name === "" ? "make unknown" : name}, serial ${serial === "" ? "unknown" : serial}`;
}

function intervalLines(verdict: EnergyVerdict): string[] {
  return [
    `interval  ${iso(verdict.fromMs)} to ${iso(verdict.toMs)} UTC, by the device's clock`,
    ...energyLines(verdict, "import"),
    ...energyLines(verdict, "export"),
    ...shapeLines(verdict),
    ...verdict.clockSteps.map(clockWords),
  ];
}

/** Where the meter was replaced within the interval: those before the one that stands above. */
function earlierMeters({ import: imported, export: exported }: EnergyVerdict): string[] {
  const meters = (imported ?? exported)?.claimIds ?? [];
  return meters
    .slice(0, -1)
    .map(({ make, serial, toMs }) => `          until ${iso(toMs)} ${make}, serial ${serial}`);
}

function energyLines(verdict: EnergyVerdict, quantity: "import" | "export"): string[] {
  const energy = verdict[quantity];
  if (energy === undefined) return [];
  const direction = quantity === "import" ? "into the boundary" : "out of the boundary";
  const span = `register ${energyText(energy.openingMwh)} to ${energyText(energy.closingMwh)}`;
  const line = `${quantity.padEnd(10)}${energy.wh} Wh ${direction} (${span})`;
  return energy.wh === 0 ? [line, `          0 Wh because ${zeroReason(verdict, energy)}`] : [line];
}

function zeroReason(verdict: EnergyVerdict, energy: ClaimedEnergy): string {
  if (verdict.gaps.length > 0) return "no part between the gaps reached a further whole Wh";
  if (energy.openingMwh === energy.closingMwh)
    return "the register shows the same value at both ends: the meter counted nothing between";
  return "the register reached no further whole Wh: the rest is in the next interval";
}

function clockWords(step: { readonly fromMs: number; readonly toMs: number }): string {
  return `clock     was set inside the interval, from ${iso(step.fromMs)} to ${iso(step.toMs)}; no energy is missing there`;
}

function shapeLines(verdict: EnergyVerdict): string[] {
  const gaps = verdict.gaps.map(({ fromMs, toMs, epoch, clockSet }) => {
    const why = epoch === undefined ? "stated by the device" : `epoch ${epoch} of the key begins in it`;
    const clock = clockSet === true ? ", and the clock was set in it" : "";
    return `gap       ${iso(fromMs)} to ${iso(toMs)}: ${why}${clock}, its energy is not claimed`;
  });
  const coarse = "shape     coarse: a boundary inside had no reading, so this span cannot be divided";
  const opaque =
    "unknown   the span holds a leaf of a kind that this version cannot read: a newer one might say more";
  return [...(verdict.coarse ? [coarse] : []), ...gaps, ...(verdict.opaque ? [opaque] : [])];
}

/** How each value of a flexibility reading is shown: its name, its unit, in thousandths of it or whole. */
const FLEXIBILITY_WORDS: readonly (readonly [keyof FlexibilityValues, string, string])[] = [
  ["averagePowerMw", "power", "W"],
  ["reducePowerMw", "can reduce by", "W"],
  ["reduceEnergyMwh", "can reduce in all", "Wh"],
  ["reduceDurationMs", "can reduce for", "s"],
  ["increasePowerMw", "can increase by", "W"],
  ["increaseEnergyMwh", "can increase in all", "Wh"],
  ["increaseDurationMs", "can increase for", "s"],
  ["usableEnergyMwh", "usable energy", "Wh"],
  ["reserveEnergyMwh", "reserve", "Wh"],
  ["capacityMwh", "capacity", "Wh"],
  ["importLimitMw", "import limit", "W"],
  ["exportLimitMw", "export limit", "W"],
  ["setpointMw", "setpoint", "W"],
  ["responseMs", "responds after", "s"],
  ["rampMwPerSecond", "ramp", "W/s"],
];

function flexibilityLines(verdict: FlexibilityVerdict): string[] {
  const { flexibility } = verdict;
  const boundary = flexibility.boundary === 2 ? "the site" : "the device";
  const available = flexibility.availability === 1 ? "available" : "not available";
  const values = FLEXIBILITY_WORDS.flatMap(([name, words, unit]) => {
    const value = flexibility[name];
    return value === undefined ? [] : [`          ${words} ${thousandths(value)} ${unit}`];
  });
  const charge = flexibility.stateOfChargePpm;
  return [
    `reading   flexibility of ${boundary} at ${iso(verdict.atMs)} UTC, by the device's clock: ${available}`,
    ...(charge === undefined ? [] : [`          state of charge ${charge / 10_000} %`]),
    ...values,
  ];
}

function edgeWords({ edge, timeMs, notBeforeMs, notAfterMs }: Edge): string {
  const after =
    notBeforeMs === undefined
      ? "no lower bound"
      : `written after ${iso(notBeforeMs)}${width(timeMs - notBeforeMs, ["earlier", "later: the clocks differ"])}`;
  const before =
    notAfterMs === undefined
      ? "no upper bound"
      : `written before ${iso(notAfterMs)}${width(notAfterMs - timeMs, ["later", "earlier: the clocks differ, or the reading is older than this time"])}`;
  return `${(edge === "reading" ? "time" : edge).padEnd(10)}${after}; ${before}`;
}

/** How wide the bound is; a device's clock that contradicts the node's is said in words, not as a minus sign. */
function width(ms: number, [outside, inside]: readonly [string, string]): string {
  return ` (${(Math.abs(ms) / 1000).toFixed(1)} s ${ms < 0 ? inside : outside})`;
}

function clockSource({ edges }: Verdict): string {
  const bounded = edges.some((edge) => edge.notBeforeMs !== undefined || edge.notAfterMs !== undefined);
  return bounded ? "by the clocks of nodes that you trust" : "no clock but the device's own";
}

function notProven(verdict: Verdict): string[] {
  const sentences = [
    "that the meter measures what its channel says, or is wired right: whoever has root on the gateway can feed it false registers",
    "that the meter's serial number is its own, or that no other key claims the same meter",
  ];
  if (verdict.trust === "none")
    sentences.unshift("whose key this is: anyone can make a consistent file with a key of their own");
  if (verdict.tier > 0)
    sentences.push("that the key is kept as the tier says: no file can show where a key is");
  if (verdict.claim === "flexibility")
    sentences.push("that the device would do what it says: only what it did shows in its meters");
  return [...sentences, ...timeNotProven(verdict)];
}

function timeNotProven(verdict: Verdict): string[] {
  const { edges } = verdict;
  const sentences: string[] = [];
  if (edges.every(({ notAfterMs }) => notAfterMs === undefined))
    sentences.push("when it was written: no node that you trust has witnessed it");
  else if (edges[0]?.notBeforeMs === undefined)
    sentences.push("that it was not written before the interval: no trusted receipt lies before it");
  if (
    verdict.standing === "single witness" &&
    verdict.witnesses.filter(({ trusted }) => trusted).length === 1
  )
    sentences.push("that device and node did not act together: one witness is one party");
  return sentences;
}

function iso(ms: number): string {
  const date = new Date(ms);
  // An integer of 53 bits reaches beyond the last date there is.
  if (Number.isNaN(date.getTime())) return `${ms} ms since 1970`;
  return date.toISOString().replace(/\.000Z$/, "Z");
}
