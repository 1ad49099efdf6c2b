import { isoTime } from "../../attest/iso-time.ts";
import type { Indicated, IndicatedStage } from "../../firmware-bridge/indicator/indicated.ts";
import { FAULT_FLASHES } from "../../firmware-bridge/indicator/indicated.ts";
import type { EnclosureStatus } from "../panel/panel-status.ts";
import { durationText } from "../words.ts";
import type { Attention, Report } from "./report.ts";

const STAGES: Readonly<Record<IndicatedStage, string>> = {
  starting: "flickers (starting: no meter has been read for a while)",
  reading: "one short flash (reading)",
  sealed: "two short flashes (sealed)",
  acknowledged: "lit with a short wink (acknowledged)",
};

/** How the enclosures stand, and what the lamps say, as whoever stands before them sees it. */
export function panelLines({ panel }: Report): string[] {
  if (panel === undefined) return [];
  const { enclosures, lamps } = panel;
  return [
    ...enclosures.map((enclosure) => `Enclosure ${enclosure.name}: ${enclosureWords(enclosure)}`),
    ...(lamps === undefined ? [] : [`Lamp: ${lampWords(lamps)}`]),
  ];
}

function enclosureWords({ state, sinceMs, openings, betterForMs, believedInMs }: EnclosureStatus): string {
  if (state === undefined || sinceMs === undefined) return "nobody has looked yet";
  const since = `${state === "opened" ? "open" : state} since ${isoTime(sinceMs)}`;
  const count =
    openings === 0 ? "" : `, opened ${openings === 1 ? "once" : `${openings} times`} since the start`;
  if (betterForMs === undefined || believedInMs === undefined) return `${since}${count}`;
  const better = state === "opened" ? "closed" : "watched";
  const wait = `${better} again for ${durationText(betterForMs)}, believed in ${durationText(believedInMs)}`;
  return `${since}${count}; ${wait}`;
}

/** With a fault the lamp shows that instead of the stage. */
function lampWords({ stage, fault }: Indicated): string {
  if (fault === undefined) return STAGES[stage];
  const flashes = FAULT_FLASHES[fault];
  const reach =
    stage === "starting" ? "no meter has been read for a while" : `readings come as far as ${stage}`;
  return `${flashes} long flash${flashes === 1 ? "" : "es"} (${fault}); ${reach}`;
}

/** What about the gateway itself somebody should look at. */
export function panelAttention({ panel }: Report): Attention[] {
  return (panel?.enclosures ?? []).flatMap((enclosure) => [
    ...openedAttention(enclosure),
    ...unwatchedAttention(enclosure),
  ]);
}

function openedAttention({ name, state, sinceMs = 0, betterForMs }: EnclosureStatus): Attention[] {
  if (state !== "opened") return [];
  const what = `the enclosure ${name} is open since ${isoTime(sinceMs)}`;
  const hint =
    betterForMs === undefined
      ? "close it; a contact that says so all the time is stuck, or its wire is cut"
      : "it is closed again, and that is believed when it has lasted";
  return [{ code: "enclosure-opened", what, hint, failing: false }];
}

function unwatchedAttention({ name, state, problem, betterForMs }: EnclosureStatus): Attention[] {
  if (state !== "unwatched") return [];
  const hint = "it was lost again and again; somebody watches again, and that is believed when it has lasted";
  const lasting = betterForMs === undefined ? {} : { hint };
  const what = `nobody watches the enclosure ${name}${problem === undefined ? "" : `: ${problem}`}`;
  return [{ code: "enclosure-unwatched", what, ...lasting, failing: false }];
}
