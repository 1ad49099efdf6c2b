import type { Exposition, Row } from "../../runtime/exposition.ts";
import type { EnclosureStatus } from "../panel/panel-status.ts";
import type { JudgedReport } from "./report.ts";

/** The enclosures that are watched, of a configuration's few. Of one that nobody sees it is not said whether it is open. */
export function addEnclosures(to: Exposition, { panel }: JudgedReport): void {
  const enclosures = panel?.enclosures ?? [];
  const row = ({ name }: EnclosureStatus, value: number): Row => [{ enclosure: name }, value];
  to.gauge(
    { name: "kilowitness_enclosure_watched", help: "1 while somebody watches the enclosure" },
    enclosures.map((enclosure) => row(enclosure, isSeen(enclosure) ? 1 : 0)),
  )
    .gauge(
      { name: "kilowitness_enclosure_open", help: "1 while the enclosure is open" },
      enclosures.filter(isSeen).map((enclosure) => row(enclosure, enclosure.state === "opened" ? 1 : 0)),
    )
    .counter(
      { name: "kilowitness_enclosure_openings_total", help: "times that the enclosure was opened" },
      enclosures.map((enclosure) => row(enclosure, enclosure.openings)),
    );
}

function isSeen({ state }: EnclosureStatus): boolean {
  return state === "opened" || state === "closed";
}
