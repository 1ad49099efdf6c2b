import { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";
import { GRID_CHANNEL, gridChannel, obisReading } from "../telegram/obis-reading.ts";
import type { MeterTelegram, TelegramProtocol } from "../telegram/protocol.ts";
import { RegisterBasis } from "../telegram/register-basis.ts";
import type { TelegramValue } from "../telegram/telegram.ts";
import { Iec62056Framer } from "./framing.ts";
import { PrintedForms } from "./printed-forms.ts";
import { decodeReadout, firstText, type Iec62056Telegram, shortCode } from "./telegram.ts";

/** What readouts do not say themselves. */
export interface Iec62056Settings {
  /** Of registers that the meter prints without a unit, as the Hager eHZ does. */
  readonly registerUnit?: "kWh" | "Wh" | undefined;
}

export const WIRING_HINT: string =
  "check that the optical head sits straight on the port, the baud rate (9600, 2400 or 300, 7E1), and whether the meter speaks SML instead";

/** Readouts of IEC 62056-21, pushed (mode D) or asked for (modes A, B, C): one channel, `grid`. */
export function iec62056Protocol(settings: Iec62056Settings): TelegramProtocol {
  const forms = new PrintedForms();
  const basis = new RegisterBasis();
  return {
    what: "iec62056 readout",
    wiringHint: WIRING_HINT,
    finalCodes: ["iec62056-unit"],
    createFramer: () => new Iec62056Framer(),
    decode(bytes) {
      const telegram = decodeReadout(bytes);
      const decoded = meterTelegram(telegram, settings);
      if (!telegram.checked) forms.require(telegram.values);
      const codes = telegram.values.map(({ code }) => code);
      return { ...decoded, doubts: basis.doubts(decoded.identity, codes) };
    },
    forget: () => {
      forms.forget();
      basis.forget();
    },
  };
}

function meterTelegram(telegram: Iec62056Telegram, settings: Iec62056Settings): MeterTelegram {
  const wanted = telegram.values.filter(({ code }) => WANTED.test(shortCode(code)));
  const { values, absent } = obisReading(withNetPower(wanted).map((value) => withUnit(value, settings)));
  return {
    identity: identityOf(telegram),
    // A block's check character does not count the identification.
    unvouched: true,
    channels: [gridChannel(values, { signSource: SIGN_SOURCE, signVerified: false })],
    readings: [{ channel: GRID_CHANNEL, ...values }],
    absent: [...telegram.absent, ...absent],
  };
}

const SIGN_SOURCE =
  "OBIS (IEC 62056-6-1): 1.8 and 1.7 are into the boundary, 2.8 and 2.7 out of it, 16.7 or a negative 1.7 is their difference";

/** Energy, power, voltages, currents and frequency of now. */
const WANTED = /^(?:[12]\.8|(?:1|2|14|16|31|32|51|52|71|72)\.7)(?:\.\d+)?$/;

/** Who the meter says it is; `firmware` is what it prints under 0.2.0. */
export function identityOf({ identification, meterId, values }: Iec62056Telegram): MeterIdentity {
  const { make, model } = identification;
  return { make, model, serial: meterId ?? "", firmware: firstText(values, ["0.2.0"]) };
}

/**
 * EasyMeter prints the net power as 1.7.0 with its sign, in firmware up to V3.02 as 1.7.255. A meter that prints 2.7,
 * too, has one power a direction, neither of them negative.
 */
function withNetPower(values: readonly TelegramValue[]): readonly TelegramValue[] {
  const current = values.map((value) => ({
    ...value,
    code: value.code.replace(/(\.7)\.255(?=\*|$)/, "$1.0"),
  }));
  const isNet = ({ code, text }: TelegramValue): boolean =>
    /^1\.7(?:\.0)?$/.test(shortCode(code)) && text.startsWith("-");
  const hasOther = current.some(({ code }) => /^(?:2|16)\.7(?:\.0)?$/.test(shortCode(code)));
  return hasOther ? current : current.map((value) => (isNet(value) ? { ...value, code: "16.7.0" } : value));
}

function withUnit(value: TelegramValue, { registerUnit }: Iec62056Settings): TelegramValue {
  if (value.unit !== undefined || value.scaled === undefined || !/^[12]\.8/.test(shortCode(value.code)))
    return value;
  if (registerUnit !== undefined) return { ...value, unit: registerUnit };
  throw new Problem("iec62056-unit", "the meter prints a register without a unit", {
    where: value.code,
    expected: "kWh or Wh behind the value",
    got: value.text,
    hint: 'compare the value with the meter\'s display and set registerUnit to "kWh" or "Wh"',
  });
}
