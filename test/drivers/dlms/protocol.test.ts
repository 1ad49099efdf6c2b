import { describe, expect, it } from "vitest";
import { type DlmsSettings, dlmsProtocol } from "../../../drivers/dlms/protocol.ts";
import { decodeDlms } from "../../../drivers/dlms/telegram.ts";
import { type DlmsSpeakerSettings, dlmsSpeaker } from "../../../drivers/simulated/dlms-telegram.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import type { MeterTelegram, TelegramProtocol } from "../../../drivers/telegram/protocol.ts";
import { AUTHENTICATION_KEY, encipher, KEY, LIST, notification, problemOf, telegram } from "./kit.ts";
import { SHOWN, speak } from "./shown.ts";

const LAYOUTS = ["kaifa", "kamstrup", "aidon", "landis-gyr", "iskra", "sagemcom"] as const;
const FRAMINGS = ["hdlc", "mbus"] as const;
const KINDS = LAYOUTS.flatMap((layout) => FRAMINGS.map((framing) => [layout, framing] as const));

/** Step of the registers as the maker's lists have it. */
const STEP_MWH = {
  kaifa: 1_000,
  kamstrup: 10_000,
  aidon: 10_000,
  "landis-gyr": 1_000,
  iskra: 1_000,
  sagemcom: 1_000,
};

function protocolFor(
  layout: DlmsSpeakerSettings["layout"],
  more: Partial<DlmsSettings> = {},
): TelegramProtocol {
  return dlmsProtocol({ registerStepWh: STEP_MWH[layout] / 1_000, clock: "CET", ...more });
}

/** Through the framer, as a line would bring it. */
function read(protocol: TelegramProtocol, bytes: Uint8Array): MeterTelegram | undefined {
  const [framed, ...more] = protocol.createFramer().push(bytes);
  expect(more).toEqual([]);
  if (framed?.kind !== "telegram") throw framed?.problem ?? new Error("no telegram");
  return protocol.decode(framed.bytes);
}

function cutTo(step: number, value: number): number {
  return Math.trunc(value / step) * step;
}

describe("a simulated meter", () => {
  it.each(KINDS)("of %s over %s says what it shows", (layout, framing) => {
    const { identity, channels, readings } = read(protocolFor(layout), speak({ layout, framing })) ?? {};
    const step = STEP_MWH[layout];
    expect(readings).toEqual([
      expect.objectContaining({
        channel: "grid",
        importMwh: cutTo(step, 111_111_110),
        exportMwh: cutTo(step, 1_000_500),
        activePowerMw: -1_234_000,
        meterTimeMs: SHOWN.timeMs,
      }),
    ]);
    expect(channels).toEqual([
      expect.objectContaining({
        quantities: ["import", "export", "power"],
        resolutionMwh: step,
        signVerified: true,
      }),
    ]);
    expect(identity?.serial).toMatch(/30471106$/);
  });

  it.each(KINDS)(
    "of %s over %s says the same encrypted, and its evidence needs no key",
    (layout, framing) => {
      const keys = { key: KEY, authenticationKey: AUTHENTICATION_KEY };
      const clear = read(protocolFor(layout), speak({ layout, framing }));
      const bytes = speak({ layout, framing, ...keys });
      const { evidence = bytes, ...rest } = read(protocolFor(layout, { keys }), bytes) ?? {};
      expect(rest).toEqual({
        ...clear,
        identity: expect.objectContaining({ serial: clear?.identity?.serial }),
      });
      expect(decodeDlms(evidence).values).toEqual(decodeDlms(bytes, keys).values);
      expect(clear).not.toHaveProperty("evidence");
    },
  );

  it.each(["kaifa", "kamstrup", "aidon", "iskra"] as const)("of %s says the same in segments", (layout) => {
    const whole = read(protocolFor(layout), speak({ layout, framing: "hdlc" }));
    const bytes = speak({ layout, framing: "hdlc", segmentBytes: 60 });
    expect(read(protocolFor(layout), bytes)).toEqual(whole);
    expect(bytes.length).toBeGreaterThan(speak({ layout, framing: "hdlc" }).length + 20);
  });

  it.each(KINDS)("of %s over %s with a wrong checksum is refused", (layout, framing) => {
    const speaker = dlmsSpeaker({ layout, framing });
    const bytes = speaker.withWrongChecksum(speak({ layout, framing })) ?? new Uint8Array(0);
    const framer = dlmsProtocol().createFramer();
    const found = [...framer.push(bytes), ...framer.end()];
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter(({ kind }) => kind === "telegram")).toEqual([]);
  });

  it("of one phase has one voltage", () => {
    const one = { ...SHOWN, voltageMv: [230_100], currentMa: [5_400] };
    for (const layout of ["kaifa", "kamstrup", "aidon", "iskra", "sagemcom"] as const) {
      const [reading] = read(protocolFor(layout), speak({ layout, framing: "hdlc" }, one))?.readings ?? [];
      expect(reading?.voltageMv).toEqual([layout === "kamstrup" ? 230_000 : 230_100]);
    }
  });
});

describe("registers once an hour", () => {
  const at = (second: number): ShownByMeter => ({ ...SHOWN, timeMs: Date.UTC(2026, 6, 1, 12, 0, second) });

  it.each(["kaifa", "kamstrup", "aidon"] as const)(
    "%s: the channel has them from the first list on",
    (layout) => {
      const protocol = protocolFor(layout);
      const first = read(protocol, speak({ layout, framing: "hdlc", isHourly: true }, at(30)));
      expect(first?.readings[0]).not.toHaveProperty("importMwh");
      expect(first?.channels).toEqual([
        expect.objectContaining({
          quantities: ["import", "export", "power"],
          resolutionMwh: STEP_MWH[layout],
        }),
      ]);
    },
  );

  it.each(["kaifa", "kamstrup"] as const)("%s: they are those of the hour, and the rest is not", (layout) => {
    const protocol = protocolFor(layout);
    const settings = { layout, framing: "hdlc", isHourly: true } as const;
    const between = read(protocol, speak(settings, at(20)));
    expect(between?.readings[0]?.meterTimeMs).toBe(Date.UTC(2026, 6, 1, 12, 0, 20));
    const hourly = read(protocol, speak(settings, at(5)));
    expect(hourly?.readings[0]?.importMwh).toBe(cutTo(STEP_MWH[layout], 111_111_110));
    expect(hourly?.readings[0]?.meterTimeMs).toBe(Date.UTC(2026, 6, 1, 12));
  });

  it("a meter that always lists them is not moved to the hour", () => {
    const protocol = protocolFor("kamstrup");
    read(protocol, speak({ layout: "kamstrup", framing: "hdlc" }, SHOWN));
    const reading = read(protocol, speak({ layout: "kamstrup", framing: "hdlc" }, at(30)))?.readings[0];
    expect(reading?.meterTimeMs).toBe(Date.UTC(2026, 6, 1, 12, 0, 30));
  });
});

describe("Kaifa's list of one value", () => {
  const list = (watt: number): Uint8Array =>
    notification(`02 01 06 ${watt.toString(16).padStart(8, "0")}`, "09 0c 07ea 07 01 03 0e 14 20 ff 8000 00");

  it("belongs to the meter that was identified, and names none", () => {
    const { identity, readings } = dlmsProtocol().decode(list(5852)) ?? {};
    expect(identity).toBeUndefined();
    expect(readings).toEqual([{ channel: "grid", activePowerMw: 5_852_000 }]);
  });

  it("says nothing while the import is 0: the meter may export", () => {
    expect(dlmsProtocol().decode(list(0))).toBeUndefined();
  });
});

describe("a list of something else", () => {
  const gas = "01 01 02 03 09 06 00 01 18 02 01 ff 06 00 00 77 51 02 02 0f fe 16 0d";

  it("is refused before the meter has shown any energy, and nothing to speak of behind it", () => {
    const protocol = dlmsProtocol();
    expect(problemOf(() => protocol.decode(telegram(gas))).code).toBe("telegram-empty");
    expect(protocol.decode(telegram(LIST))?.readings).toHaveLength(1);
    expect(protocol.decode(telegram(gas))).toBeUndefined();
    protocol.forget();
    expect(problemOf(() => protocol.decode(telegram(gas))).code).toBe("telegram-empty");
  });
});

describe("encrypted telegrams", () => {
  const keys = { key: KEY, authenticationKey: AUTHENTICATION_KEY };
  const settings = { layout: "kaifa", framing: "mbus", ...keys } as const;
  const one = speak(settings);
  const two = speak(settings, { ...SHOWN, timeMs: SHOWN.timeMs + 10_000 });

  it("whose counter does not go up are refused, the same one once more is no news", () => {
    const protocol = dlmsProtocol({ keys });
    expect(protocol.decode(one)?.readings).toHaveLength(1);
    expect(protocol.decode(one)).toBeUndefined();
    expect(protocol.decode(two)?.readings).toHaveLength(1);
    expect(problemOf(() => protocol.decode(one))).toMatchObject({ code: "dlms-replay" });
    const other = speak(settings, { ...SHOWN, activePowerMw: 5_000, timeMs: SHOWN.timeMs + 10_000 });
    expect(problemOf(() => protocol.decode(other)).code).toBe("dlms-replay");
    protocol.forget();
    expect(protocol.decode(one)?.readings).toHaveLength(1);
  });

  it("that make no sense leave the counter alone", () => {
    const protocol = dlmsProtocol({ keys });
    const wrong = speak({ ...settings, key: KEY.with(0, 9) }, { ...SHOWN, timeMs: SHOWN.timeMs + 3_600_000 });
    expect(problemOf(() => protocol.decode(wrong)).code).toBe("dlms-authentication");
    expect(protocol.decode(one)?.readings).toHaveLength(1);
    const unverified = dlmsProtocol({ keys: { key: KEY } });
    expect(problemOf(() => unverified.decode(wrong)).code).toBe("dlms-decrypt");
    expect(unverified.decode(one)?.readings).toHaveLength(1);
  });

  it("are read alone where a key is configured", () => {
    const plain = speak({ layout: "kaifa", framing: "mbus" });
    expect(() => dlmsProtocol({ keys: { key: KEY } }).decode(plain)).toThrow(
      expect.objectContaining({ code: "dlms-unencrypted" }),
    );
    expect(dlmsProtocol().decode(plain)).toBeDefined();
  });

  it("are not read without a tag once one fitted, whatever their counter is", () => {
    const later = (ms: number) => ({ ...SHOWN, timeMs: SHOWN.timeMs + ms });
    const withoutTag = speak({ layout: "kaifa", framing: "mbus", key: KEY }, later(60_000));
    const protocol = dlmsProtocol({ keys });
    expect(protocol.decode(speak(settings))).toBeDefined();
    expect(() => protocol.decode(withoutTag)).toThrow(
      expect.objectContaining({ code: "dlms-unauthenticated" }),
    );
    expect(protocol.decode(speak(settings, later(120_000)))).toBeDefined();
    expect(dlmsProtocol({ keys }).decode(withoutTag)).toBeDefined();
  });

  it.each([{}, { key: KEY.with(1, 9) }, { ...keys, authenticationKey: KEY }])(
    "with keys that do not fit end the identification, and show none (%#)",
    (given) => {
      const protocol = dlmsProtocol({ keys: given });
      const problem = problemOf(() => protocol.decode(one));
      expect(protocol.finalCodes).toContain(problem.code);
      expect(JSON.stringify(problem)).not.toMatch(/00010203|04050607|d0d1d2d3/i);
    },
  );

  it("name their meter by its system title where the list has no number", () => {
    const list = "01 01 02 03 09 06 01 00 01 08 00 ff 06 00 01 e2 40 02 02 0f 00 16 1e";
    const { identity } = dlmsProtocol({ keys }).decode(encipher(notification(list))) ?? {};
    expect(identity).toEqual({ make: "", model: "", serial: "4D4D4D0000BC614E", firmware: "" });
  });
});

describe("whose telegrams these are", () => {
  const nameless = "01 01 02 03 09 06 01 00 01 08 00 ff 06 00 01 e2 40 02 02 0f 00 16 1e";
  const power = "01 01 02 03 09 06 01 00 01 07 00 ff 06 00 00 01 00 02 02 0f 00 16 1b";

  it("is the meter that was named, for lists without a number", () => {
    const protocol = dlmsProtocol();
    const named = protocol.decode(telegram(LIST))?.identity;
    expect(named).toEqual({ make: "", model: "", serial: "12345678", firmware: "" });
    for (let round = 0; round < 5; round += 1)
      expect(protocol.decode(telegram(nameless))?.identity).toBeUndefined();
  });

  it("is a meter without a number after three lists with registers, not before, and not without them", () => {
    const protocol = dlmsProtocol();
    for (let round = 0; round < 5; round += 1)
      expect(protocol.decode(telegram(power))?.identity).toBeUndefined();
    const found = [1, 2, 3].map(() => protocol.decode(telegram(nameless))?.identity);
    expect(found).toEqual([undefined, undefined, { make: "", model: "", serial: "", firmware: "" }]);
    protocol.forget();
    expect(protocol.decode(telegram(nameless))?.identity).toBeUndefined();
  });

  it("is another meter where the number is another one", () => {
    const protocol = dlmsProtocol();
    const other = LIST.replace("31 32 33 34 35 36 37 38", "39 32 33 34 35 36 37 38");
    const serials = [LIST, other, LIST].map((list) => protocol.decode(telegram(list))?.identity?.serial);
    expect(serials).toEqual(["12345678", "92345678", "12345678"]);
  });
});

describe("the meter's time", () => {
  it("is absent, in words, where its zone is not sure", () => {
    const bytes = speak({ layout: "kaifa", framing: "hdlc" });
    const { readings, absent } = dlmsProtocol().decode(bytes) ?? {};
    expect(readings?.[0]).not.toHaveProperty("meterTimeMs");
    expect(absent).toEqual([expect.stringMatching(/^meterTimeMs: .*"clock"/)]);
  });

  it("needs no setting where the meter says how far it is from UTC", () => {
    const bytes = speak({ layout: "sagemcom", framing: "mbus" });
    expect(dlmsProtocol({ clock: "EET" }).decode(bytes)?.readings[0]?.meterTimeMs).toBe(SHOWN.timeMs);
  });

  it.each(["01", "02"])("is absent where the meter's status is %s", (status) => {
    const bytes = notification(LIST, `0c 07ea 07 01 03 0e 14 1e 00 ff88 ${status}`);
    const { readings, absent } = dlmsProtocol().decode(bytes) ?? {};
    expect(readings?.[0]).not.toHaveProperty("meterTimeMs");
    expect(absent?.join()).toContain("does not vouch");
  });
});
