import type {
  Judged,
  ListedFlexibility,
  ListedOffer,
  ListedOrder,
  ListedReading,
  ListedRecord,
  ListedResult,
  ListedVerdict,
} from "./flex-answers.ts";

/** Names of channels, by number. */
export type Names = ReadonlyMap<number, string>;

/** What a device could do now, what it offers, and what of that is committed; one line each. */
export function flexibilityWords(
  { readings, offers, commitments }: Omit<ListedFlexibility, "orders" | "next">,
  names: Names,
): string[] {
  return [
    ...readings.map((reading) => readingWords(reading, names)),
    ...(offers.length === 0 ? ["the device offers nothing now"] : []),
    ...offers.map((offer) => offerWords(offer, names)),
    ...commitments.map(
      ({ seq, from, to, channel, boundary }) =>
        `committed ${seq}  ${from} to ${to}  ${nameOf(names, channel)}, ${boundary}`,
    ),
  ];
}

function readingWords(reading: ListedReading, names: Names): string {
  const { channel, time, available, minSetpointMw, maxSetpointMw } = reading;
  const { reducePowerMw, reduceEnergyMwh, increasePowerMw, increaseEnergyMwh } = reading;
  return [
    `now  ${nameOf(names, channel)}, as of ${time}`,
    ...(available ? [] : ["not available"]),
    ...couldWords("reduce", reducePowerMw, reduceEnergyMwh),
    ...couldWords("increase", increasePowerMw, increaseEnergyMwh),
    ...(minSetpointMw === undefined || maxSetpointMw === undefined
      ? []
      : [`takes ${watts(minSetpointMw)} to ${watts(maxSetpointMw)}`]),
  ].join("  ");
}

function couldWords(direction: string, powerMw?: number, energyMwh?: number): string[] {
  if (powerMw === undefined) return [];
  return [`${direction} ${watts(powerMw)}${energyMwh === undefined ? "" : `, ${wattHours(energyMwh)}`}`];
}

function offerWords(offer: ListedOffer, names: Names): string {
  const { seq, channel, boundary, direction, from, to, powerMw, energyMwh, noticeSeconds } = offer;
  return [
    ...[`offer ${seq}`, `${from} to ${to}`, `${direction} ${watts(powerMw)}`],
    ...(energyMwh === undefined ? [] : [`at most ${wattHours(energyMwh)}`]),
    ...[`notice ${noticeSeconds} s`, plain(offer.baselineMethod), `${nameOf(names, channel)}, ${boundary}`],
  ].join("  ");
}

function nameOf(names: Names, channel: number): string {
  return plain(names.get(channel) ?? `channel ${channel}`);
}

export function ordersWords(orders: readonly ListedOrder[], names: Names): string[] {
  if (orders.length === 0) return ["this node has given the device no orders"];
  return orders.flatMap((order) => orderWords(order, names));
}

/** An order, how it stands, and what the device has said to it. */
export function orderWords(order: ListedOrder, names?: Names): string[] {
  const { id, kind, state, channel, code, message, seq, acknowledgements = [], result } = order;
  const stands = seq === undefined ? state : `${state} as leaf ${seq}`;
  return [
    [
      ...[kind, id, stands, ...windowWords(order), ...askedWords(order)],
      ...(names === undefined ? [] : [nameOf(names, channel)]),
    ].join("  "),
    ...(code === undefined ? [] : [`  refused: ${plain(message ?? "")} (${plain(code)})`]),
    ...acknowledgements.map(
      ({ state: answer, time, reason }) =>
        `  ${time}  ${answer}${reason === undefined ? "" : `: ${plain(reason)}`}`,
    ),
    ...(result === undefined ? [] : resultWords(result).map((line) => `  ${line}`)),
  ];
}

function windowWords({ from, to, startBy }: ListedOrder): string[] {
  if (from !== undefined && to !== undefined) return [`${from} to ${to}`];
  return startBy === undefined ? [] : [`starts by ${startBy}`];
}

function askedWords({ powerMw, importLimitMw, exportLimitMw, deltaMwh, withdraws }: ListedOrder): string[] {
  return [
    ...(powerMw === undefined ? [] : [watts(powerMw)]),
    ...(importLimitMw === undefined ? [] : [`import at most ${watts(importLimitMw)}`]),
    ...(exportLimitMw === undefined ? [] : [`export at most ${watts(exportLimitMw)}`]),
    ...(deltaMwh === undefined
      ? []
      : [`${wattHours(deltaMwh.reduce((sum, delta) => sum + delta, 0))} in all`]),
    ...(withdraws === undefined ? [] : [`ends ${withdraws}`]),
  ];
}

/** What the node has computed of a commitment or a challenge. */
export function resultWords(result: ListedResult): string[] {
  const { passed, counts, totals, completenessPpm, verdict, code, message, computed } = result;
  if (passed !== undefined)
    return [
      `challenge ${passed ? "passed" : "not passed"}; judged ${computed}`,
      ...(verdict === undefined ? [] : judgedWords(verdict)),
    ];
  const reason = verdict?.settled?.reason;
  const said = [
    ...(reason === undefined ? [] : [reason]),
    ...[...(verdict?.faults ?? []), ...(verdict?.remarks ?? [])],
  ];
  return [
    `settled: ${result.result ?? "unknown"}${counts === true ? "" : ", which does not count"}; computed ${computed}`,
    ...(code === undefined ? [] : [`${plain(message ?? "")} (${plain(code)})`]),
    ...(totals === undefined ? [] : [totalsLine(totals)]),
    ...(completenessPpm === undefined ? [] : [`complete to ${(completenessPpm / 10_000).toFixed(2)} %`]),
    ...said.map((each) => `${plain(each.message)} (${plain(each.code)})`),
  ];
}

/** The three questions of a challenge, each with its answer and the codes of docs/flexibility.md. */
function judgedWords({ codes = [], listening, flexible, behindMeter }: ListedVerdict): string[] {
  if (codes.length > 0) return [`it cannot be judged (${codes.map(plain).join(", ")})`];
  const asked = { listening, flexible, "behind the meter": behindMeter };
  const answers = Object.entries(asked).flatMap(([question, judged]) =>
    judged === undefined ? [] : [`${question}: ${judgedText(judged)}`],
  );
  return answers.length === 0 ? [] : [answers.join("; ")];
}

function judgedText({ answer, codes }: Judged): string {
  return `${plain(answer)}${codes.length === 0 ? "" : ` (${codes.map(plain).join(", ")})`}`;
}

function totalsLine({
  committedMwh = 0,
  deliveredMwh = 0,
  countedMwh = 0,
  shortfallMwh = 0,
  reboundMwh = 0,
}: Readonly<Record<string, number>>): string {
  return [
    ...[`committed ${wattHours(committedMwh)}`, `delivered ${wattHours(deliveredMwh)}`],
    ...[
      `counted ${wattHours(countedMwh)}`,
      `short ${wattHours(shortfallMwh)}`,
      `rebound ${wattHours(reboundMwh)}`,
    ],
  ].join(", ");
}

export function trackRecordWords(record: ListedRecord): string[] {
  const { epoch, asOf, delivered, partial, failed, optedOut, unavailable, notCalled, open } = record;
  const challenges = Object.entries(record.challenges).map(([name, count]) => `${spaced(name)} ${count}`);
  return [
    `epoch ${epoch}, as of ${asOf}`,
    `commitments  delivered ${delivered}, partial ${partial}, failed ${failed}, opted out ${optedOut}, ` +
      `unavailable ${unavailable}, not called ${notCalled}, open ${open}`,
    `energy       committed ${wattHours(record.committedMwh)}, delivered ${wattHours(record.deliveredMwh)}`,
    `challenges   ${challenges.join(", ")}`,
    ...(record.unsettled === 0 ? [] : [`of the failed ${record.unsettled} were called and never settled`]),
    ...(record.disagreements === 0
      ? []
      : [`the device's own account differs in ${record.disagreements} of them`]),
  ];
}

/** `notPassed` as "not passed". */
function spaced(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function watts(mw: number): string {
  return `${mw / 1000} W`;
}

function wattHours(mwh: number): string {
  return `${mwh / 1000} Wh`;
}

/** What a device says of itself must not steer the terminal. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}
