import { formatText } from "../../drivers/line/address.ts";
import type { ProbeResult } from "./probe-device.ts";
import { probeJson, probeText } from "./probe-report.ts";
import { configOf, entryYaml } from "./scan-entry.ts";
import {
  entryOfMeter,
  isProposedMeter,
  keyFileOf,
  type MeterFinding,
  meterPlaceText,
  type SeenMeter,
} from "./scan-meters.ts";
import { directionWords, oneLine, whoText } from "./scan-words.ts";

const HOW_WORDS = { listened: "speaks by itself", asked: "answers when it is asked" } as const;

/** A meter that was found without Modbus, for an installer. */
export function meterText(finding: MeterFinding): string {
  const { seen, sameAs, configured } = finding;
  const { place, how, because, encrypted, needs, unfit } = seen.meter;
  const [heading = "", ...values] = probeText([resultOf(finding)])
    .trimEnd()
    .split("\n");
  const notes = [
    `at ${meterPlaceText(place)}${addressText(seen)}, ${HOW_WORDS[how]}${encrypted ? ", encrypted" : ""}`,
    ...(configured ? ["the configuration has it already"] : []),
    ...(sameAs === undefined
      ? []
      : [`the same make, model and serial as ${sameAs}: one device, found twice`]),
    `recognised: sure, by ${because}`,
    ...(encrypted ? [keyText(finding)] : []),
    ...(needs === undefined ? [] : [`its entry lacks something: ${oneLine(needs)}`]),
    ...(unfit === undefined ? [] : [`not read: ${oneLine(unfit)}`]),
  ];
  return [heading, ...notes.map((note) => `  ${note}`), ...values].join("\n");
}

/** Its part of the configuration; none where it is not proposed. */
export function meterYaml(finding: MeterFinding): string[] {
  return isProposedMeter(finding) ? [entryYaml(entryOfMeter(finding), finding.id, commentsOf(finding))] : [];
}

/** The same for a program. */
export function meterJson(finding: MeterFinding): object {
  const { seen, sameAs, configured } = finding;
  const { place, how, because, encrypted, needs, unfit } = seen.meter;
  const [probed] = probeJson([resultOf(finding)]).devices;
  const { options, intervalSeconds } = entryOfMeter(finding);
  return {
    ...probed,
    answered: seen.result !== undefined && seen.result.problem === undefined,
    place:
      place.kind === "network"
        ? { host: place.host }
        : { line: place.path, format: formatText(place.format) },
    options,
    ...(intervalSeconds === undefined ? {} : { intervalSeconds }),
    ...{ how, encrypted, certainty: "sure", because: [because], configured },
    proposed: isProposedMeter(finding),
    others: [],
    ...(needs === undefined ? {} : { needs }),
    ...(unfit === undefined ? {} : { unfit }),
    ...(sameAs === undefined ? {} : { sameAs }),
  };
}

/** What its driver read, or who it says it is where it was not read. */
function resultOf({ id, seen: { entry, result }, identity }: MeterFinding): ProbeResult {
  const device = configOf(entry, id);
  const read = result ?? { device, channels: [] };
  return { ...read, device, ...(identity === undefined ? {} : { identity }) };
}

function addressText({ meter }: SeenMeter): string {
  return Object.entries(meter.options)
    .map(([key, value]) => `, ${key} ${value}`)
    .join("");
}

function keyText({ id }: MeterFinding): string {
  return `its key is needed (docs/meters.md): ask the grid operator, and write its 32 hex digits into ${keyFileOf(id)}`;
}

/** What an installer should know who reads the configuration later. */
function commentsOf(finding: MeterFinding): readonly string[] {
  const { seen, identity } = finding;
  const { needs } = seen.meter;
  return [
    oneLine([...whoText(identity), `sure, by ${seen.meter.because}`].join("; ")),
    ...(seen.meter.encrypted ? [`not tried: ${keyText(finding)}`] : []),
    ...(needs === undefined ? [] : [`not tried: ${oneLine(needs)}`]),
    ...directionWords(seen.result?.channels ?? []),
  ];
}
