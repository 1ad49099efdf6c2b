import type { MeterIdentity } from "../driver.ts";
import type { SpeedwireTelegram } from "./telegram.ts";

/** Kinds of devices by their SUSy-ID (RalfOGit/libspeedwire, include/SpeedwireDevice.hpp, 8d1b3c72). */
const MODELS: ReadonlyMap<number, string> = new Map([
  [270, "Energy Meter EMETER-10"],
  [349, "Energy Meter EMETER-20"],
  [372, "Sunny Home Manager 2.0"],
]);

/** Who sent the telegram. */
export function identityOf({ susyId, serial, version }: SpeedwireTelegram): MeterIdentity {
  return {
    make: "SMA",
    model: MODELS.get(susyId) ?? `SUSy-ID ${susyId}`,
    serial: String(serial),
    firmware: version ?? "",
  };
}
