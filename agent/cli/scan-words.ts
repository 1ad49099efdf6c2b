import type { ChannelDescription, MeterIdentity } from "../../drivers/driver.ts";

/** Make, model and serial number in words, as far as a device says them; no text where it says nothing. */
export function whoText(identity: MeterIdentity | undefined): string[] {
  if (identity === undefined) return [];
  const { make, model, serial } = identity;
  const words = [make, model, serial === "" ? "" : `serial ${serial}`].filter((word) => word !== "");
  return words.length === 0 ? [] : [words.join(" ")];
}

/** Channels whose direction an installer has to look at. */
export function directionWords(channels: readonly ChannelDescription[]): string[] {
  const unverified = channels.filter(
    ({ quantities, signVerified }) => quantities.includes("power") && signVerified !== true,
  );
  return unverified.length === 0
    ? []
    : [`compare the direction with the display: ${unverified.map(({ name }) => name).join(", ")}`];
}

/** A device's own text must not end a comment. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "?");
}
