import type { ExpectedName, Profile, ProfileChannel } from "./profile.ts";

/** How well a profile is known to be right. */
export interface Verification {
  /** Captures with registers as a real device sent them. */
  readonly captures: number;
  /** Captures that were made again from values that software printed of a real device. */
  readonly printed: number;
  /** Values of readings that any of them shows, of all that the profile has: "grid import" and so on. */
  readonly shown: number;
  readonly values: number;
  /** Channels with a power, and those of them whose direction one of them shows. */
  readonly signed: readonly string[];
  readonly signsSeen: readonly string[];
}

const VALUES = [
  ["power", "activePowerMw"],
  ["import", "importMwh"],
  ["export", "exportMwh"],
  ["stateOfCharge", "stateOfChargePpm"],
] as const satisfies readonly (readonly [keyof ProfileChannel, ExpectedName])[];

/** What the captures of a profile prove of it; those made by a simulated device prove nothing. */
export function verificationOf({ channels, captures }: Profile): Verification {
  const real = captures === "none" ? [] : captures.filter(({ origin }) => origin !== "simulated");
  const values = Object.entries(channels).flatMap(([name, channel]) =>
    VALUES.flatMap(([key, expected]) => (channel[key] === undefined ? [] : [{ name, expected }])),
  );
  const shown = values.filter(({ name, expected }) =>
    real.some((capture) => capture.expected[name]?.[expected] !== undefined),
  );
  const signed = Object.keys(channels).filter((name) => channels[name]?.power !== undefined);
  const signsSeen = signed.filter((name) => real.some((capture) => capture.shows[name] !== undefined));
  const printed = real.filter(({ origin }) => origin === "values").length;
  const counts = { captures: real.length - printed, printed, shown: shown.length, values: values.length };
  return { ...counts, signed, signsSeen };
}

/** "capture", "2 captures", "published values" or "documents", with how much of it they show. */
export function verificationWords({ captures, printed, shown, values }: Verification): string {
  if (captures + printed === 0) return "documents";
  const count = captures === 0 ? "published values" : captures === 1 ? "capture" : `${captures} captures`;
  return shown === values ? count : `${count}, ${shown} of ${values} values`;
}
