import { Problem } from "../../attest/problem.ts";
import { READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import type { TelegramKeys } from "../telegram/decoder.ts";
import { GRID_CHANNEL, gridChannel, type ObisQuantities } from "../telegram/obis-reading.ts";
import type { MeterTelegram, TelegramProtocol } from "../telegram/protocol.ts";
import { RegisterBasis } from "../telegram/register-basis.ts";
import type { Framer } from "../telegram/telegram.ts";
import { DlmsFramer } from "./framing.ts";
import { Identities } from "./identity.ts";
import type { ClockName } from "./local-clock.ts";
import { LIST_VERSION } from "./obis.ts";
import {
  atTheHour,
  hasRegisters,
  isFullHour,
  powerDoubts,
  readingOf,
  saysAnything,
  timeOf,
} from "./reading.ts";
import { FrameCounters } from "./replay.ts";
import { statedValues } from "./stated.ts";
import { type DlmsTelegram, decodeOpened, type OpenedTelegram, openDlms } from "./telegram.ts";

/** What is known of a meter beside its telegrams. */
export interface DlmsSettings {
  readonly keys?: TelegramKeys;
  /** Wh that one step of the registers is, for lists that state no units. */
  readonly registerStepWh?: number | undefined;
  /** How the meter's clock goes, for meters that do not say it. */
  readonly clock?: ClockName | undefined;
}

const WIRING_HINT =
  "check the serial format (2400 8E1, 2400 8N1, 9600 8N1 or 115200 8N1), the M-Bus or HAN adapter, and that the port was switched on by the grid operator";

/** Nothing that a further telegram would mend. */
const FINAL_CODES = [
  ...["dlms-key-missing", "dlms-key", "dlms-authentication", "dlms-decrypt", "dlms-security"],
  "dlms-units",
];

const SIGN_SOURCE =
  "IEC 62056-6-1: 1.8 and 1.7 are drawn from the grid (import), 2.8 and 2.7 given to it; each direction has a value of its own";

/** Lists with registers come once an hour, and while a house gives out energy those between say nothing. */
const COURSE_MS = 3_900_000;

type Quantity = "import" | "export" | "power";
const ALL: readonly Quantity[] = ["import", "export", "power"];

/** Meters that push lists of COSEM values over HDLC or wired M-Bus, in the clear or encrypted. */
export function dlmsProtocol(settings: DlmsSettings = {}): TelegramProtocol {
  return new DlmsProtocol(settings);
}

class DlmsProtocol implements TelegramProtocol {
  readonly what = "dlms telegram";
  readonly wiringHint = WIRING_HINT;
  readonly finalCodes: readonly string[] = FINAL_CODES;
  readonly courseMs: number = COURSE_MS;
  readonly #settings: DlmsSettings;
  readonly #counters = new FrameCounters();
  readonly #identities = new Identities();
  readonly #basis = new RegisterBasis();
  readonly #shown = new Set<Quantity>();
  #isVerified = false;
  /** The meter sends lists without registers, too: those with registers come once an hour. */
  #hourly = false;

  constructor(settings: DlmsSettings) {
    this.#settings = settings;
  }

  createFramer(): Framer {
    return new DlmsFramer();
  }

  decode(bytes: Uint8Array): MeterTelegram | undefined {
    const opened = openDlms(bytes, this.#settings.keys ?? {});
    this.#requireProtected(opened);
    const telegram = decodeOpened(opened);
    const { apdu, ciphering } = opened;
    if (ciphering !== undefined && !this.#counters.take(ciphering, apdu)) return undefined;
    const read = this.#meterTelegram(telegram);
    return read === undefined || ciphering === undefined ? read : { ...read, evidence: apdu };
  }

  /**
   * Where a key is configured, nothing else is read: whoever could put a plain telegram on the line would need none; and
   * once a tag fitted, none without one is, or a telegram whose tag was cut off could have any bit of it turned.
   */
  #requireProtected({ ciphering }: OpenedTelegram): void {
    if (this.#settings.keys?.key === undefined) return;
    if (ciphering === undefined) throw unencrypted();
    if (ciphering.authentication === "verified") this.#isVerified = true;
    else if (this.#isVerified) throw unauthenticated();
  }

  forget(): void {
    this.#counters.forget();
    this.#identities.forget();
    this.#basis.forget();
    this.#shown.clear();
    this.#hourly = false;
  }

  #meterTelegram(telegram: DlmsTelegram): MeterTelegram | undefined {
    if (this.#shown.size > 0 && !saysAnything(telegram.values)) return undefined;
    const stated = statedValues(telegram, this.#settings.registerStepWh);
    const registers = hasRegisters(telegram.values);
    if (!registers) this.#hourly = true;
    const identity = this.#identities.of(telegram, registers);
    const reading = readingOf(stated.values);
    if (reading === undefined) return undefined;
    const time = timeOf(telegram, this.#settings.clock);
    const meterTimeMs = registers && this.#isHourly(telegram) ? hourOf(time.meterTimeMs) : time.meterTimeMs;
    const late = registers && this.#hourly ? ofTheHour(meterTimeMs, reading.values.status) : {};
    const codes = telegram.values.map(({ code }) => code);
    const doubts = [...powerDoubts(reading.values, telegram), ...this.#basis.doubts(identity, codes)];
    return {
      ...(identity === undefined ? {} : { identity }),
      channels: [this.#channel(telegram, reading.values)],
      readings: [
        {
          channel: GRID_CHANNEL,
          ...reading.values,
          ...(meterTimeMs === undefined ? {} : { meterTimeMs }),
          ...late,
        },
      ],
      absent: [...stated.absent, ...reading.absent, ...time.absent],
      ...(doubts.length === 0 ? {} : { doubts }),
    };
  }

  /** Aidon's hourly list shows the hour itself. */
  #isHourly({ layout }: DlmsTelegram): boolean {
    return this.#hourly && (layout === "kaifa-places" || layout === "kamstrup");
  }

  #channel(telegram: DlmsTelegram, values: ObisQuantities): ChannelDescription {
    const usual = usualOf(telegram, this.#settings);
    if (values.importMwh !== undefined) this.#shown.add("import");
    if (values.exportMwh !== undefined) this.#shown.add("export");
    if (values.activePowerMw !== undefined) this.#shown.add("power");
    const resolutionMwh = values.resolutionMwh ?? usual?.resolutionMwh;
    return gridChannel(
      { ...values, ...(resolutionMwh === undefined ? {} : { resolutionMwh }) },
      {
        signSource: SIGN_SOURCE,
        signVerified: true,
        quantities: usual === undefined ? ALL.filter((quantity) => this.#shown.has(quantity)) : ALL,
      },
    );
  }
}

function unencrypted(): Problem {
  return new Problem("dlms-unencrypted", "a plain telegram came, and a key is configured", {
    expected: "encrypted telegrams only",
    hint: "if the meter does not encrypt, take keyFile out of the configuration",
  });
}

function unauthenticated(): Problem {
  return new Problem(
    "dlms-unauthenticated",
    "a telegram without a tag came, and this meter sent one before",
    {
      expected: "authenticated telegrams only",
      hint: "something on the line changes telegrams; if the meter was set otherwise, open the device anew",
    },
  );
}

/** Registers among lists without any are those of the full hour that the list shows. */
function ofTheHour(meterTimeMs: number | undefined, status = 0): { readonly status?: number } {
  if (meterTimeMs === undefined || !isFullHour(meterTimeMs)) return {};
  return { status: status | READING_STATUS.registersAtMeterTime };
}

function hourOf(timeMs: number | undefined): number | undefined {
  return timeMs === undefined ? undefined : atTheHour(timeMs);
}

/**
 * What meters have whose lists do not all have registers, and the step of those: 1 Wh at Kaifa's and Iskra's, 10 Wh at
 * Aidon's (Norway; scaler 1 in every capture).
 */
function usualOf(
  { layout, values }: DlmsTelegram,
  { registerStepWh }: DlmsSettings,
): { readonly resolutionMwh: number } | undefined {
  if (layout === "kaifa-places" || layout === "iskra-places") return { resolutionMwh: 1_000 };
  if (layout === "kamstrup" && registerStepWh !== undefined) return { resolutionMwh: registerStepWh * 1_000 };
  const version = values.find(({ code }) => code === LIST_VERSION)?.text ?? "";
  return version.startsWith("AIDON") ? { resolutionMwh: 10_000 } : undefined;
}
