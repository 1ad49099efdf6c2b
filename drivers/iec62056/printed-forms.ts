import { Problem } from "../../attest/problem.ts";
import type { TelegramValue } from "../telegram/telegram.ts";
import { shortCode } from "./telegram.ts";

const REGISTER = /^[12]\.8\.\d$/;
const POWER = /^(?:1|2|16)\.7\.\d+$/;

/**
 * What a meter's telegrams look like that nothing vouches for. A lost digit, point or line shows only in that: meters
 * print with leading zeros, and the same registers each time. After a difference both telegrams are in doubt, so that
 * the one that shows it is refused and the next one is held against it.
 */
export class PrintedForms {
  #known: ReadonlyMap<string, string> | undefined;

  forget(): void {
    this.#known = undefined;
  }

  /** @throws Problem `iec62056-form` */
  require(values: readonly TelegramValue[]): void {
    const known = this.#known;
    const printed = new Map(values.map(({ code, text }) => [shortCode(code), text]));
    this.#known = printed;
    if (known === undefined) return;
    for (const code of new Set([...known.keys(), ...printed.keys()])) {
      const [before, now] = [known.get(code), printed.get(code)];
      if (REGISTER.test(code) && (before === undefined || now === undefined))
        throw changed(code, before, now);
      if ((REGISTER.test(code) || POWER.test(code)) && before !== undefined && now !== undefined)
        if (!sameForm(before, now)) throw changed(code, before, now);
    }
  }
}

/** Without leading zeros a number may grow. */
function sameForm(before: string, now: string): boolean {
  const [first, second] = [before, now].map((text) => text.trim().replace(/^[+-]/, ""));
  if (first === undefined || second === undefined) return true;
  const isFilled = /^0\d/.test(first) || /^0\d/.test(second);
  return !isFilled || first.replaceAll(/\d/g, "0") === second.replaceAll(/\d/g, "0");
}

function changed(code: string, before = "nothing", now = "nothing"): Problem {
  return new Problem(
    "iec62056-form",
    "a value is printed in another form than before, and nothing vouches for it",
    {
      where: code,
      expected: `the form of ${before}`,
      got: now,
    },
  );
}
