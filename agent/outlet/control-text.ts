import { isoTime } from "../../attest/iso-time.ts";
import type { DeviceControlStatus } from "../control/control-status.ts";
import type { ControlPhase, Hold } from "../control/types.ts";
import type { ControlStatus } from "../flexibility/control-report.ts";
import { durationText, powerText } from "../words.ts";
import type { Attention, Report } from "./report.ts";

const PHASES: Readonly<Record<ControlPhase, string>> = {
  init: "has been told nothing yet, and runs by itself",
  unlimitedAutonomous: "runs by itself; nobody who may order is connected",
  unlimitedControlled: "runs by itself; orders are taken",
  limited: "is told what to do",
  failsafe: "runs by itself until whoever orders is heard again",
};

/** How the devices that may be told something stand, and what is committed. */
export function controlLines({ control, atMs }: Report): string[] {
  if (control === undefined) return [];
  const { commitments, orders } = control.flexibility;
  return [
    ...control.devices.map((device) => deviceLine(device, orders)),
    ...commitments.map(
      ({ seq, fromMs, toMs, optedOut }) =>
        `Committed (entry ${seq}): ${isoTime(fromMs)} to ${isoTime(toMs)}` +
        `${fromMs <= atMs ? ", now" : ""}${optedOut ? ", opted out of" : ""}`,
    ),
    ...orders
      .filter(({ state }) => state === "waiting")
      .map(
        ({ seq, device, kind, fromMs, toMs }) =>
          `Waiting for ${device} (${kind}, entry ${seq}): ${isoTime(fromMs)} to ${isoTime(toMs)}`,
      ),
  ];
}

type Orders = ControlStatus["flexibility"]["orders"];

function deviceLine(status: DeviceControlStatus, orders: Orders): string {
  return `Control of ${status.device}: ${deviceWords(status, orders)}${stayWords(status)}`;
}

function deviceWords({ phase, hold, reverting, mayChangeInMs }: DeviceControlStatus, orders: Orders): string {
  if (hold !== undefined) return `is told: ${holdWords(hold, orders)}`;
  if (reverting.length === 0) return PHASES[phase];
  if (mayChangeInMs !== undefined) return "has been told to run by itself again";
  return `is told to run by itself again, and has not confirmed the end of ${reverting.join(", ")}`;
}

function stayWords({ mayChangeInMs }: DeviceControlStatus): string {
  return mayChangeInMs === undefined ? "" : `; stays as it is for ${durationText(mayChangeInMs)} yet`;
}

function holdWords({ value, authority, orderSeq }: Hold, orders: Orders): string {
  const kind = orders.find(({ seq }) => seq === orderSeq)?.kind ?? authority;
  const by = orderSeq === undefined ? authority : `${kind}, entry ${orderSeq}`;
  switch (value.kind) {
    case "powerSetpoint":
      return `${value.powerMw > 0 ? "take in" : "give out"} ${powerText(Math.abs(value.powerMw))} (${by})`;
    case "importLimit":
      return `take in at most ${powerText(value.limitMw)} (${by})`;
    case "exportLimit":
      return `give out at most ${powerText(value.limitMw)} (${by})`;
    case "stateOfChargeReserve":
      return `keep ${Math.round(value.reservePpm / 10_000)} % in reserve (${by})`;
    case "mode":
      return `${value.mode} (${by})`;
  }
}

/** What about the devices that may be told something needs somebody to look at it. */
export function controlAttention({ control }: Report): Attention[] {
  if (control === undefined) return [];
  return [
    ...unavailableAttention(control),
    ...revertAttention(control),
    ...meterAttention(control),
    ...supervisorAttention(control),
  ];
}

function unavailableAttention({ devices }: ControlStatus): Attention[] {
  return devices.flatMap(({ device, problem }) => {
    if (problem === undefined) return [];
    const what = `${device} cannot be told anything: ${problem}`;
    return [{ code: "control-unavailable", what, failing: false }];
  });
}

function revertAttention({ devices }: ControlStatus): Attention[] {
  return devices.flatMap(({ device, reverting, mayChangeInMs, problem }) => {
    // One that only waits for its least time is in no doubt.
    if (reverting.length === 0 || mayChangeInMs !== undefined || problem !== undefined) return [];
    const what = `${device} has not confirmed that it runs by itself again`;
    const hint = "it is told again each second; if it stays, switch remote control off at its own display";
    return [{ code: "control-reverting", what, hint, failing: false }];
  });
}

function meterAttention({ siteMeterStale }: ControlStatus): Attention[] {
  if (siteMeterStale !== true) return [];
  const hint = "see why the meter named in control.siteMeter is not read";
  const what = "the meter at the grid connection shows nothing: no device is told anything";
  return [{ code: "control-meter-stale", what, hint, failing: false }];
}

function supervisorAttention({ supervised }: ControlStatus): Attention[] {
  if (supervised) return [];
  const hint = "start the agent with --supervise";
  const what =
    "nobody would end a command if the agent died: only devices that end one by themselves, as relays do, are told anything";
  return [{ code: "control-unsupervised", what, hint, failing: false }];
}
