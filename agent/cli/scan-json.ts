import { describeProblem } from "../../attest/problem.ts";
import { formatText } from "../../drivers/line/address.ts";
import type { LineSettings } from "../../drivers/modbus/settings.ts";
import { probeJson } from "./probe-report.ts";
import { type Finding, type Findings, isProposed, type Stranger } from "./scan-findings.ts";
import { meterJson } from "./scan-meter-report.ts";
import { configBlock } from "./scan-report.ts";
import type { ScanResult } from "./scan-run.ts";

/** The report for a program: integer units as in a reading, the block for the configuration as text. */
export function scanJson(result: ScanResult, findings: Findings): object {
  const { lines, places, problems, interrupted, seconds } = result;
  return {
    devices: [...findings.devices.map(deviceJson), ...findings.meters.map(meterJson)],
    unknown: findings.strangers.map(strangerJson),
    empty: findings.empty.map(({ place, asked, nothing }) => ({
      place: placeJson(place),
      asked,
      why: nothing,
    })),
    damaged: lines.flatMap(({ path, damaged, places: found }) =>
      damaged.length === 0 || found.length > 0 ? [] : [{ line: path, formats: damaged }],
    ),
    speaking: lines.flatMap(({ path, unknown }) =>
      unknown.length === 0 ? [] : [{ line: path, formats: unknown }],
    ),
    problems: problems.map(({ where, problem }) => ({ where, ...describeProblem(problem) })),
    config: configBlock(findings),
    summary: {
      ...{ interrupted, seconds: Math.round(seconds), places: places.length, lines: lines.length },
      recognised: findings.devices.length + findings.meters.length,
      unknown: findings.strangers.length,
    },
  };
}

function deviceJson(finding: Finding): object {
  const { id, seen, best, others, certainty, sameAs, configured } = finding;
  const { place, unit } = seen;
  const [probed] = probeJson([{ ...best.result, device: { ...best.result.device, id } }]).devices;
  return {
    ...probed,
    place: placeJson(place),
    unit: unit.unit,
    options: best.entry.options,
    ...{ how: "modbus", encrypted: false },
    ...{ certainty, because: best.candidate.because, configured, proposed: isProposed(finding) },
    others: others.map(({ candidate }) => candidate.driver),
    ...alikeJson(unit),
    ...(sameAs === undefined ? {} : { sameAs }),
  };
}

function strangerJson({ seen: { place, unit }, says, hints }: Stranger): object {
  return {
    place: placeJson(place),
    unit: unit.unit,
    says,
    hints: hints.map(({ driver }) => driver),
    ...alikeJson(unit),
  };
}

function alikeJson({ alike, perhapsAlike, complete }: Finding["seen"]["unit"]): object {
  return { alike, perhapsAlike, complete };
}

function placeJson(place: LineSettings): object {
  return place.transport === "tcp"
    ? { host: place.host, port: place.port }
    : { line: place.transport === "rtu" ? place.path : place.host, format: formatText(place) };
}
