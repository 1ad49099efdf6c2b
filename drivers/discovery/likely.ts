import type { LineSettings } from "../modbus/settings.ts";
import type { KnownProfile } from "./known.ts";
import { isDeliveredWith } from "./sweep-plan.ts";

/** The profiles, those first whose devices are delivered with the settings of a place. */
export function likelyFirst(profiles: readonly KnownProfile[], place: LineSettings): readonly KnownProfile[] {
  return profiles.toSorted((a, b) => Number(isUsual(b, place)) - Number(isUsual(a, place)));
}

function isUsual({ compiled }: KnownProfile, place: LineSettings): boolean {
  const { transport } = compiled.profile;
  return place.transport === "tcp" ? transport.tcp?.port === place.port : isDeliveredWith(transport, place);
}
