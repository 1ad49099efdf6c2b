import { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";
import type { LongHeader } from "./header.ts";
import type { Readout } from "./readout.ts";
import { hex } from "./vife.ts";

/** Device type of EN 13757-7, and medium of the fixed data structure of EN 1434-3. */
const ELECTRICITY = 2;

/** Whether the header belongs to a meter of electric energy. */
export function isElectricity({ medium }: Partial<LongHeader>): boolean {
  return medium === ELECTRICITY;
}

/** @throws Problem `mbus-not-electricity`: the kWh of a heat meter are no electric energy */
export function requireElectricity(header: Partial<LongHeader>, where: string): void {
  if (isElectricity(header)) return;
  throw new Problem("mbus-not-electricity", "the meter is no electricity meter", {
    where,
    expected: `medium ${ELECTRICITY} (electricity)`,
    got: `medium ${header.medium ?? "unknown"} (${header.mediumText ?? "unknown"})`,
    hint: "only electric energy is witnessed; is it the right address?",
  });
}

/** Who a meter says it is: model and firmware where a record names them, else the version of its header. */
export function identityOf({ header, telegrams }: Pick<Readout, "header" | "telegrams">): MeterIdentity {
  const { manufacturer = "", identification = "", version } = header;
  const named = (quantity: string): string | undefined =>
    telegrams
      .flat()
      .find((value) => value.quantity === quantity && value.doubt === undefined)
      ?.text.trim();
  const model = named("model-version") ?? "";
  const numbered = version === undefined ? "" : `version ${hex(version)}`;
  return {
    make: manufacturer,
    model: model === "" ? numbered : model,
    serial: identification,
    firmware: named("firmware-version") ?? "",
  };
}
