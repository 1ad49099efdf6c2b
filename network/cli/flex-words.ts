import type { ListedOffer, ListedOrder, ListedRecord, ListedResult } from "./flex-answers.ts";

/** What a device offers, one line each. */
export function offersWords(offers: readonly ListedOffer[]): string[] {
  if (offers.length === 0) return ["the device offers nothing now"];
  return offers.map(
    ({ seq, channel, boundary, direction, from, to, powerMw, energyMwh, noticeSeconds, baselineMethod }) =>
      [
        ...[`offer ${seq}`, `${from} to ${to}`, `${direction} ${watts(powerMw)}`],
        ...(energyMwh === undefined ? [] : [`at most ${wattHours(energyMwh)}`]),
        ...[`notice ${noticeSeconds} s`, plain(baselineMethod), `channel ${channel}, ${boundary}`],
      ].join("  "),
  );
}

export function ordersWords(orders: readonly ListedOrder[]): string[] {
  return orders.length === 0 ? ["this node has given the device no orders"] : orders.flatMap(orderWords);
}

/** An order, how it stands, and what the device has said to it. */
export function orderWords(order: ListedOrder): string[] {
  const { id, kind, state, code, message, seq, acknowledgements = [], result } = order;
  const stands = seq === undefined ? state : `${state} as leaf ${seq}`;
  return [
    [kind, id, stands, ...windowWords(order), ...askedWords(order)].join("  "),
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
  if (passed !== undefined) return [`challenge ${passed ? "passed" : "not passed"}; judged ${computed}`];
  const said = [...(verdict?.faults ?? []), ...(verdict?.remarks ?? [])];
  return [
    `settled: ${result.result ?? "unknown"}${counts === true ? "" : ", which does not count"}; computed ${computed}`,
    ...(code === undefined ? [] : [`${plain(message ?? "")} (${plain(code)})`]),
    ...(totals === undefined ? [] : [totalsLine(totals)]),
    ...(completenessPpm === undefined ? [] : [`complete to ${(completenessPpm / 10_000).toFixed(2)} %`]),
    ...said.map((each) => `${plain(each.message)} (${plain(each.code)})`),
  ];
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
  const challenges = Object.entries(record.challenges).map(([name, count]) => `${name} ${count}`);
  return [
    `epoch ${epoch}, as of ${asOf}`,
    `commitments  delivered ${delivered}, partial ${partial}, failed ${failed}, opted out ${optedOut}, ` +
      `unavailable ${unavailable}, not called ${notCalled}, open ${open}`,
    `energy       committed ${wattHours(record.committedMwh)}, delivered ${wattHours(record.deliveredMwh)}`,
    `challenges   ${challenges.join(", ")}`,
    ...(record.disagreements === 0
      ? []
      : [`the device's own account differs in ${record.disagreements} of them`]),
  ];
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
