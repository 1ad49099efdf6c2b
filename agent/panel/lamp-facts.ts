import type { IndicatorFacts } from "../../firmware-bridge/indicator/indicated.ts";
import { quietAfterMs } from "../outlet/attention.ts";
import type { JudgedReport } from "../outlet/report.ts";
import { lampFaults } from "./lamp-faults.ts";

/** How often the log is written and signed. */
export interface LampPace {
  readonly commitMs: number;
  readonly checkpointMs: number;
}

/** After a start nothing has been read, committed or connected yet, and that is no fault. */
const START_MS = 15_000;
/** A receipt comes with the network's delays, and a journal is written now and then a little late. */
const SLACK_MS = 30_000;

/** What the lamps are made of: of the meters the one that is best in time, of the nodes any. */
export function lampFacts(
  report: JudgedReport,
  { commitMs, checkpointMs }: LampPace,
  sinceDurableMs: number | undefined,
): IndicatorFacts {
  const { freshMs, ageMs } = freshest(report);
  const [acknowledgedMs] = report.nodes
    .flatMap(({ lastReceiptAgeMs }) => lastReceiptAgeMs ?? [])
    .sort((one, other) => one - other);
  const freshSealedMs = freshMs + 2 * commitMs + SLACK_MS;
  return {
    ...(ageMs === undefined ? {} : { sinceReadingMs: ageMs }),
    ...(sinceDurableMs === undefined ? {} : { sinceSealedMs: sinceDurableMs }),
    ...(acknowledgedMs === undefined ? {} : { sinceAcknowledgedMs: acknowledgedMs }),
    ...{ freshReadingMs: freshMs, freshSealedMs },
    freshAcknowledgedMs: freshSealedMs + 2 * checkpointMs + SLACK_MS,
    faults: report.uptimeMs < START_MS ? [] : lampFaults(report.attention),
  };
}

/** The channel whose last reading is youngest for its device's interval. */
function freshest({ devices }: JudgedReport): { readonly freshMs: number; readonly ageMs?: number } {
  const [first] = devices
    .flatMap(({ intervalMs, channels }) =>
      channels.flatMap(({ ageMs }) =>
        ageMs === undefined ? [] : { ageMs, freshMs: quietAfterMs(intervalMs) },
      ),
    )
    .sort((one, other) => one.ageMs / one.freshMs - other.ageMs / other.freshMs);
  return first ?? { freshMs: quietAfterMs(0) };
}
