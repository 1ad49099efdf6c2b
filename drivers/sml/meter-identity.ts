import type { MeterIdentity } from "../driver.ts";
import type { SmlTelegram, SmlValue } from "./decode.ts";
import { identityText, octetText } from "./identity.ts";

/** The maker in letters: of a basic meter, and of the older ones (OBIS 129-129 is the makers' own). */
const MAKER_CODES = ["1-0:96.50.1*1", "129-129:199.130.3*255"];
const FIRMWARE = /^1-0:0\.2\.0\*/;

/**
 * Who the lists say the meter is: `make` is the FLAG code of its maker, `serial` the identification that is printed on it,
 * or the bytes of one that follows another scheme than DIN 43863-5; meters say no model. Undefined where none of the lists
 * names a meter.
 */
export function meterIdentity(lists: readonly SmlTelegram[]): MeterIdentity | undefined {
  const named = lists.find(({ meterId }) => meterId !== undefined);
  if (named?.meterId === undefined) return undefined;
  const values = lists.flatMap((list) => list.values);
  const { serverId } = named;
  const firmware = values.find(({ code }) => FIRMWARE.test(code));
  return {
    make: makerOf(serverId, values),
    model: "",
    serial: serverId === undefined ? named.meterId : octetText(serverId),
    firmware: firmware?.octets === undefined ? "" : firmware.text,
  };
}

function makerOf(serverId: Uint8Array | undefined, values: readonly SmlValue[]): string {
  const printed = serverId === undefined ? undefined : identityText(serverId);
  if (printed !== undefined) return printed.slice(2, 5);
  const texts = values.filter(({ code }) => MAKER_CODES.includes(code)).map(({ text }) => text);
  return texts.find((text) => /^[A-Z]{3,8}$/.test(text)) ?? "";
}
