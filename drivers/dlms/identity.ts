import type { MeterIdentity } from "../driver.ts";
import { LIST_VERSION, quantityOf } from "./obis.ts";
import type { DlmsTelegram } from "./telegram.ts";

/** Letters of makers in meter numbers, logical device names and system titles (FLAG association). */
const MAKERS: readonly (readonly [RegExp, string])[] = [
  [/^\d?KFM/, "Kaifa"],
  [/^KAM/, "Kamstrup"],
  [/^AIDON/, "Aidon"],
  [/^ISK/, "Iskraemeco"],
  [/^LGZ/, "Landis+Gyr"],
  [/^SAG/, "Sagemcom"],
];
const TYPES = ["96.1.7", "96.1.1"];
const LOGICAL_DEVICE_NAME = "42.0.0";
/** Telegrams with registers and without a name after which the meter is taken for one that has none. */
const NAMELESS_TELEGRAMS = 3;

/** Whose telegrams these are. Not every list of a meter names it, and not every list that does says all. */
export class Identities {
  #first: MeterIdentity | undefined;
  #title: string | undefined;
  #nameless = 0;

  /** @returns undefined where the telegram is the one's that was named before, or nobody's yet */
  of(telegram: DlmsTelegram, hasRegisters: boolean): MeterIdentity | undefined {
    const title = telegram.ciphering?.systemTitle;
    const serial = serialOf(telegram);
    if (this.#first !== undefined && title !== undefined && title === this.#title)
      if (serial === undefined || this.#first.serial === title) return this.#first;
    if (serial !== undefined && serial === this.#first?.serial) return this.#first;
    if (serial !== undefined || title !== undefined)
      return this.#named(identityOf(telegram, serial ?? title ?? ""), title);
    if (this.#first !== undefined || !hasRegisters) return undefined;
    this.#nameless += 1;
    return this.#nameless < NAMELESS_TELEGRAMS ? undefined : this.#named(identityOf(telegram, ""), undefined);
  }

  #named(identity: MeterIdentity, title: string | undefined): MeterIdentity {
    if (this.#first === undefined) [this.#first, this.#title] = [identity, title];
    return identity;
  }

  forget(): void {
    [this.#first, this.#title, this.#nameless] = [undefined, undefined, 0];
  }
}

/** Iskra's lists have either the logical device name or the eight digits that it ends with. */
function serialOf({ meterId, layout }: DlmsTelegram): string | undefined {
  return layout === "iskra-places" ? meterId?.slice(-8) : meterId;
}

function identityOf(telegram: DlmsTelegram, serial: string): MeterIdentity {
  return { make: makeOf(telegram), model: modelOf(telegram), serial, firmware: "" };
}

function makeOf(telegram: DlmsTelegram): string {
  const { layout, meterId = "", ciphering, values } = telegram;
  if (layout === "kaifa-places" || layout === "kaifa-pairs") return "Kaifa";
  if (layout === "kamstrup") return "Kamstrup";
  if (layout === "iskra-places") return "Iskraemeco";
  const title = Buffer.from(ciphering?.systemTitle ?? "", "hex").toString("latin1");
  const version = values.find(({ code }) => code === LIST_VERSION)?.text ?? "";
  const names = [version, textOf(telegram, LOGICAL_DEVICE_NAME), meterId, title];
  return names.map(makerIn).find((make) => make !== "") ?? "";
}

function makerIn(name: string): string {
  return MAKERS.find(([letters]) => letters.test(name))?.[1] ?? "";
}

/** The type, where it is not a number of the meter that stands under its code. */
function modelOf(telegram: DlmsTelegram): string {
  const found = TYPES.map((code) => textOf(telegram, code)).find((text) => text !== "") ?? "";
  return found === telegram.meterId ? "" : found;
}

function textOf({ values }: DlmsTelegram, quantity: string): string {
  return values.find(({ code }) => quantityOf(code) === quantity)?.text ?? "";
}
