import { powerText } from "../../agent/words.ts";
import { dayText, localDay, openZone } from "../../attest/baseline/zone.ts";
import type {
  ActuationFact,
  AlteredFact,
  ChallengeFact,
  CommitmentFact,
  HistoryFact,
  OfferFact,
  ProofFact,
} from "./flex-facts.ts";
import { PLAN } from "./flex-plan.ts";
import { clockText, headed, kwh, percent } from "./flex-words.ts";

export function historyLines({ fromMs, toMs, leaves, closes, receipted, tookMs }: HistoryFact): string[] {
  const zone = openZone(PLAN.timeZone);
  const [from, to] = [fromMs, toMs].map((ms) => dayText(localDay(zone, ms)));
  return headed(
    "history",
    `${from} to ${to}, ${clockText(toMs)}, ${zone.name} (${(tookMs / 1000).toFixed(1)} s here):`,
    [
      `${leaves} leaves in the device's log, ${closes} of them closed quarters of an hour. The node has verified them day by day and signed for ${receipted}: the past cannot be changed any more.`,
    ],
  );
}

export function offerLines(offer: OfferFact): string[] {
  const { seq, atMs, fromMs, toMs, powerMw, noticeMs, baselineMethod, biasPpm, relativeRmsePpm } = offer;
  const error =
    biasPpm === undefined || relativeRmsePpm === undefined
      ? "Its error on past days cannot be said yet."
      : `Its own error on past days, from the same leaves: bias ${percent(biasPpm)}, relative RMSE ${percent(relativeRmsePpm)}.`;
  return headed(
    "offer",
    `the device offers ${powerText(powerMw)} less import at the grid meter, ${clockText(fromMs)} to ${clockText(toMs)}, at ${noticeMs / 60_000} min notice, against the baseline ${baselineMethod}: the mean of the last ten like days (leaf ${seq}).`,
    [error],
    atMs,
  );
}

export function commitmentLines(commitment: CommitmentFact): string[] {
  const { seq, issuedAtMs, receivedAtMs, dueByMs, deltaMwh } = commitment;
  const total = deltaMwh.reduce((sum, delta) => sum - delta, 0);
  return headed(
    "commitment",
    `the node signs for ${kwh(0 - (deltaMwh[0] ?? 0))} kWh less in each of ${deltaMwh.length} quarters, ${kwh(total)} kWh in all. The device seals that word (leaf ${seq}) and signs its log.`,
    [
      `The node's receipt over it is of ${clockText(receivedAtMs)}, and had to be there by ${clockText(dueByMs)}: neither side can back out, or choose afterwards.`,
    ],
    issuedAtMs,
  );
}

export function actuationLines({ answers, told, renewals, reverted }: ActuationFact): string[] {
  const said = answers
    .map(
      ({ state, atMs, reason }) => `${state} ${clockText(atMs)}${reason === undefined ? "" : ` (${reason})`}`,
    )
    .join(", ");
  const answered = `The device answers in leaves of its own: ${said || "nothing"}`;
  if (told === undefined) return headed("actuation", "the inverter was told nothing", [answered]);
  const { valueMw, readBackMw, leaseMs = 0, seq } = told;
  const value = valueMw === undefined ? "?" : powerText(valueMw);
  const back =
    readBackMw === undefined ? "and could not be read back" : `and read back as ${powerText(readBackMw)}`;
  const end =
    reverted === undefined ? "not ended yet" : `ended ${clockText(reverted.atMs)} (leaf ${reverted.seq})`;
  return headed(
    "actuation",
    `setpoint ${value} written to the inverter ${back} (leaf ${seq}).`,
    [
      `A lease of ${leaseMs / 1000} s, which the inverter would end by itself, renewed in ${renewals} leaves; ${end}.`,
      `${answered}.`,
    ],
    told.atMs,
  );
}

export function challengeLines({
  seq,
  atMs,
  steps,
  stepMs,
  halfSwingMw,
  passed,
  verdict,
}: ChallengeFact): string[] {
  const { pattern, listening, flexible, behindMeter, codes, device, site } = verdict;
  const signs = pattern.map((sign) => (sign === 1 ? "+" : "-")).join("");
  const chance = (name: string, of: typeof device): string =>
    of?.response === undefined
      ? `${name}: not judged`
      : `${name}: moves ${percent(of.response.gainPpm)} of what was asked; ${of.response.p.count} of ${of.response.p.of} orders of the steps fit as well`;
  const why = [...codes, ...[listening, flexible, behindMeter].flatMap((each) => each.codes)];
  return headed(
    "challenge",
    `unannounced, ${steps} steps of ${stepMs / 1000} s by +-${powerText(halfSwingMw)} in an order drawn by the node: ${signs}`,
    [
      chance("battery", device),
      chance("grid meter", site),
      `Listening: ${listening.answer}; can flex: ${flexible.answer}; behind this meter: ${behindMeter.answer} (order in leaf ${seq}).`,
      ...(passed || why.length === 0 ? [] : [`Not passed: ${[...new Set(why)].join(", ")}.`]),
    ],
    atMs,
  );
}

export function proofLines({ path, bytes, leaves, hashes, command, firstLine, status }: ProofFact): string[] {
  return [
    "",
    ...headed("proof", `${path}, ${bytes} bytes: ${leaves} leaves, ${hashes} hashes, one signature.`, [
      "Whoever has it and two keys computes the settlement again, and believes nobody's totals:",
      ...wrappedCommand(command),
      `exit ${status}: "${firstLine}"`,
    ]),
  ];
}

export function alteredLines({ seq, beforeMwh, afterMwh, firstLine, status }: AlteredFact): string[] {
  return headed(
    "altered",
    `the same file, with ${kwh(afterMwh)} for ${kwh(beforeMwh)} kWh metered in leaf ${seq}:`,
    [`exit ${status}: "${firstLine}"`],
  );
}

/** At its options, so that it can be copied as it stands. */
function wrappedCommand(command: string): string[] {
  const parts = command.split(" --");
  return parts.map((part, at) => `${at === 0 ? part : `  --${part}`}${at === parts.length - 1 ? "" : " \\"}`);
}
