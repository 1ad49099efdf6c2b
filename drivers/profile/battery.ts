import type { FlexibilityReading } from "../../attest/reading.ts";
import { rational } from "../modbus/rational.ts";
import { scaled } from "../modbus/registers.ts";
import { present } from "../present.ts";
import { literalValue, type Values } from "./evaluate.ts";
import type { Literal, ProfileChannel, ProfileValue } from "./profile.ts";
import { isLiteral } from "./terms.ts";

const FULL_PPM = 1_000_000n;

/** What a battery's registers or its profile say of its limits; what is read seldom is remembered. */
export interface BatteryRatings {
  readonly capacityMwh?: number;
  readonly reservePpm?: number;
  readonly importLimitMw?: number;
  readonly exportLimitMw?: number;
}

export interface BatteryContext {
  readonly values: Values;
  readonly channel: ProfileChannel;
  readonly name: string;
  readonly ratings: BatteryRatings;
}

export function batteryRatings(values: Values, { battery }: ProfileChannel): BatteryRatings {
  return present<BatteryRatings>({
    capacityMwh: ratingOf(values, battery?.capacity),
    reservePpm: ratingOf(values, battery?.reserve),
    importLimitMw: ratingOf(values, battery?.maxCharge),
    exportLimitMw: ratingOf(values, battery?.maxDischarge),
  });
}

/** What a battery could do now; none where its state of charge was not read with this reading. */
export function batteryFlexibility({ values, channel, name, ratings }: BatteryContext): FlexibilityReading[] {
  const { battery, stateOfCharge, status } = channel;
  if (battery === undefined || stateOfCharge === undefined || !values.asked(stateOfCharge)) return [];
  const { capacityMwh, reservePpm, importLimitMw, exportLimitMw } = ratings;
  const chargePpm = ratingOf(values, stateOfCharge);
  const state = status === undefined ? undefined : values.state(status);
  const usableMwh = share(capacityMwh, span(reservePpm ?? 0, chargePpm));
  const roomMwh = share(capacityMwh, span(chargePpm, Number(FULL_PPM)));
  const reading = present<FlexibilityReading>({
    channel: name,
    stateOfChargePpm: chargePpm,
    usableEnergyMwh: usableMwh,
    reserveEnergyMwh: share(capacityMwh, reservePpm),
    capacityMwh,
    reducePowerMw: usableMwh === 0 ? 0 : exportLimitMw,
    reduceEnergyMwh: usableMwh,
    increasePowerMw: roomMwh === 0 ? 0 : importLimitMw,
    increaseEnergyMwh: roomMwh,
    importLimitMw,
    exportLimitMw,
    setpointMw: ratingOf(values, battery.setpoint),
    available: chargePpm !== undefined && state !== "fault" && state !== "standby",
    evidence: values.evidence,
  });
  return [reading];
}

/** A rating in the unit of a reading; undefined when it is absent or was not asked for. */
export function ratingOf(values: Values, rating: ProfileValue | Literal | undefined): number | undefined {
  if (rating === undefined) return undefined;
  const exact = isLiteral(rating)
    ? { value: { value: literalValue(rating), step: rational(1) } }
    : values.asked(rating)
      ? values.value(rating)
      : { absent: "not asked for" };
  if ("absent" in exact) return undefined;
  const number = scaled(exact.value, rational(1));
  return "absent" in number ? undefined : number.value.value;
}

function share(energyMwh: number | undefined, ppm: number | undefined): number | undefined {
  if (energyMwh === undefined || ppm === undefined) return undefined;
  return Number((BigInt(energyMwh) * BigInt(ppm)) / FULL_PPM);
}

function span(fromPpm: number | undefined, toPpm: number | undefined): number | undefined {
  return fromPpm === undefined || toPpm === undefined ? undefined : Math.max(0, toPpm - fromPpm);
}
