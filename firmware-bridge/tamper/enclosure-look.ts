import { lineInfo } from "../gpio/line-info.ts";
import { isActive, knownMajor } from "./input-level.ts";
import type { TamperState } from "./tamper.ts";
import type { EnclosureSettings } from "./watched-enclosure.ts";

/** How an enclosure is; or who has its line, so that nobody else can ask. */
export type EnclosureSeen = { readonly state: TamperState } | { readonly user: string };

/**
 * Looks at an enclosure once, without watching it.
 *
 * @throws Problem `gpioinfo-…`, `tamper-gpiomon-missing`, `tamper-line`
 */
export async function lookAtEnclosure({ line }: EnclosureSettings): Promise<EnclosureSeen> {
  const major = await knownMajor();
  const { user } = await lineInfo(line);
  if (user !== undefined) return { user };
  return { state: (await isActive(major, line)) ? "opened" : "closed" };
}
