import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DlmsSettings, dlmsProtocol } from "../../../drivers/dlms/protocol.ts";
import { type DlmsTelegram, decodeDlms } from "../../../drivers/dlms/telegram.ts";
import type { MeterTelegram } from "../../../drivers/telegram/protocol.ts";
import { cut, frame, hex, join, LLC, notification, problemOf, refusals, segments, telegrams } from "./kit.ts";

const FOLDER = "../shared/corpora/han";
const NAMES = [...list("amshan", ".hex"), ...list("dlms", ".log")].filter(
  (name) => !name.includes("_decoded"),
);

function list(folder: string, ending: string): string[] {
  if (!existsSync(`${FOLDER}/${folder}`)) return [];
  return readdirSync(`${FOLDER}/${folder}`)
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`);
}

function read(name: string): Uint8Array {
  return hex(readFileSync(`${FOLDER}/${name}`, "utf8"));
}

/** Every telegram as frames: what the corpus has without them is put into one. */
function framed(name: string): Uint8Array {
  const bytes = read(name);
  if (name.startsWith("dlms/")) return bytes;
  if (name.includes("hdlc_")) return join(hex("7e"), bytes, hex("7e"));
  return frame(information(name));
}

function information(name: string): Uint8Array {
  if (!name.includes("NOTIFICATION_BODY")) return read(name);
  return join(hex(LLC), notification(Buffer.from(read(name)).toString("hex")));
}

function keysOf(name: string): Parameters<typeof decodeDlms>[1] {
  const file = (ending: string): string => `${FOLDER}/${name.replace(/\.\w+$/, ending)}`;
  if (!existsSync(file(".key"))) return {};
  return {
    key: hex(readFileSync(file(".key"), "utf8")),
    authenticationKey: hex(readFileSync(file(".gak"), "utf8")),
  };
}

function decode(name: string): DlmsTelegram {
  return decodeDlms(framed(name), keysOf(name));
}

function shown(name: string): string[] {
  return decode(name).values.map(({ code, text, unit }) =>
    [code.slice(2), text, unit ?? ""].join(" ").trim(),
  );
}

describe("real DLMS telegrams", () => {
  it(`are there, or this says why not: ${NAMES.length} of them`, ({ skip }) => {
    if (NAMES.length === 0) skip(`no captures at ${FOLDER}`);
    console.info(`han: ${NAMES.length} real telegrams`);
    expect(NAMES).toHaveLength(16);
  });

  it.each(NAMES)("%s is the same whole, in chunks of 64 bytes, byte by byte and in segments", (name) => {
    const one = framed(name);
    const stream = join(one, one);
    const whole = cut(stream, stream.length, true);
    expect(telegrams(whole)).toEqual([one, one]);
    expect(refusals(whole)).toEqual([]);
    expect(cut(stream, 64, true)).toEqual(whole);
    expect(cut(stream, 1, true)).toEqual(whole);
    for (const size of [stream.length, 64, 1]) expect(cut(stream, size, true)).toEqual(whole);
    if (name.startsWith("dlms/") || name.includes("hdlc_")) return;
    const [joined] = telegrams(cut(join(...segments(information(name), 50)), 64, true));
    expect(joined && decodeDlms(joined)).toEqual(decode(name));
  });

  it.each(NAMES)("%s is found between any noise", (name) => {
    const one = framed(name);
    const noise = fc.uint8Array({ maxLength: 150 });
    fc.assert(
      fc.property(noise, noise, fc.integer({ min: 1, max: 300 }), (before, between, size) => {
        expect(telegrams(cut(join(before, one, between, one), size, true))).toEqual([one, one]);
      }),
      { numRuns: 40 },
    );
  });

  it.each(NAMES)("%s with any one bit changed is refused", (name) => {
    const one = framed(name);
    for (let bit = 8; bit < (one.length - 1) * 8; bit += 1) {
      const changed = one.with(bit >>> 3, (one[bit >>> 3] ?? 0) ^ (1 << (bit & 7)));
      expect(telegrams(cut(changed, changed.length, true))).toEqual([]);
    }
  });
});

/** Decoded values as upstream's XML has them, in order: code where it has one, and the number or text that was sent. */
function published(name: string): { codes: string[]; values: string[]; units: string[] } {
  const xml = readFileSync(`${FOLDER}/${name.replace(".log", "_decoded.xml")}`, "utf8");
  const tags = [...xml.matchAll(/<(\w+) Value="([^"]*)"(?: Unit="([^"]*)")?/g)].filter(
    ([, tag]) => tag !== "INT8" && tag !== "DateTime",
  );
  const isCode = ([, tag, value]: RegExpMatchArray): boolean =>
    tag === "OCTETSTRING" && /^(?:\d+\.){5}\d+$/.test(value ?? "");
  return {
    codes: tags.filter(isCode).map((tag) => tag[2] ?? ""),
    values: tags.filter((tag) => !isCode(tag) && tag[1] !== "ENUM").map((tag) => tag[2] ?? ""),
    units: tags.filter((tag) => tag[1] === "ENUM").map((tag) => tag[3] ?? ""),
  };
}

describe.skipIf(NAMES.length === 0)("values of the corpus", () => {
  it.each(NAMES.filter((name) => name.startsWith("dlms/")))(
    "%s has all that its published decoding has",
    (name) => {
      const { values } = decode(name);
      const { codes, values: sent, units } = published(name);
      expect(values.map(({ scaled, text }) => (scaled?.digits ?? text).toString().replace("T", " "))).toEqual(
        sent.map((text) => text.replace("T", " ")),
      );
      const dotted = values.map(({ code }) => code.replace(/[-:*]/g, "."));
      expect(dotted.slice(values.length - codes.length)).toEqual(codes.length === 0 ? [] : codes);
      if (units.length > 0) expect(values.flatMap(({ unit }) => unit ?? [])).toEqual(units);
    },
  );

  it("kaifa in list 3 counts mA, tenths of a volt, W and Wh", () => {
    expect(shown("amshan/kaifa_no_list_3.hex")).toEqual([
      ...["1:0.2.129*255 KFM_001", "0:96.1.0*255 6970631402614476", "0:96.1.7*255 MA304H3E"],
      ...["0:1.7.0*255 4904 W", "0:2.7.0*255 0 W", "0:3.7.0*255 0 var", "0:4.7.0*255 377 var"],
      ...["0:31.7.0*255 14.571 A", "0:51.7.0*255 15.643 A", "0:71.7.0*255 9.525 A"],
      ...["0:32.7.0*255 219.3 V", "0:52.7.0*255 0.0 V", "0:72.7.0*255 220.5 V"],
      ...["0:1.0.0*255 2020-01-25T14:00:10", "0:1.8.0*255 79591144 Wh", "0:2.8.0*255 0 Wh"],
      ...["0:3.8.0*255 889389 varh", "0:4.8.0*255 3210932 varh"],
    ]);
  });

  it.each([
    [
      "kaifa_NOTIFICATION_BODY_NO_LIST_2",
      ["0:1.7.0*255 9745 W", "0:31.7.0*255 33.813 A", "0:72.7.0*255 218.8 V"],
    ],
    [
      "kaifa_NOTIFICATION_BODY_SE_LIST",
      ["0:1.7.0*255 2816 W", "0:51.7.0*255 0.790 A", "0:1.8.0*255 4786979 Wh"],
    ],
    [
      "aidon_NOTIFICATION_BODY_NO_LIST_2",
      ["0:4.7.0*255 128 var", "0:31.7.0*255 1.3 A", "0:32.7.0*255 227.4 V"],
    ],
    ["aidon_no_list_3", ["0:1.8.0*255 22721380 Wh", "0:3.8.0*255 582430 varh", "0:72.7.0*255 230.9 V"]],
    [
      "aidon_NOTIFICATION_BODY_SE_LIST",
      ["0:51.7.0*255 7.5 A", "0:1.8.0*255 10049926 Wh", "0:3.8.0*255 6614347 varh"],
    ],
    ["hdlc_FRAME_WITH_ESCAPE_CHARACTER_IN_INFO", ["0:1.7.0*255 1661 W"]],
    [
      "kamstrup_no_list_1_single_phase_real_sample",
      ["1:1.7.0*255 1896 W", "1:31.7.0*255 8.96 A", "1:32.7.0*255 225 V"],
    ],
  ] as const)("%s has %s", (name, some) => {
    expect(shown(`amshan/${name}.hex`)).toEqual(expect.arrayContaining([...some]));
  });

  it("kamstrup's scales agree with each other: volts times amperes times power factor are the watts", () => {
    const { values } = decode("dlms/hdlc_kamstrup_omnipower.log");
    const of = (code: string): number =>
      Number(values.find((value) => value.code === `1-1:${code}*255`)?.text);
    for (const phase of [0, 20, 40]) {
      const watts = of(`${32 + phase}.7.0`) * of(`${31 + phase}.7.0`) * of(`${33 + phase}.7.0`);
      expect(Math.abs(watts - of(`${21 + phase}.7.0`))).toBeLessThan(25);
    }
    const phases = [21, 41, 61].map((code) => of(`${code}.8.0`)).reduce((a, b) => a + b);
    expect(Math.abs(phases - of("1.8.0"))).toBeLessThan(50);
  });

  it.each([
    ["dlms/hdlc_norway_han_1phase.log", "7359992890941742", undefined],
    ["dlms/hdlc_kaifa_ma304h3e.log", "6970631401753985", "2017-09-15T05:33:40"],
    ["dlms/hdlc_kamstrup_omnipower.log", "12343400", "2026-03-12T15:24:30"],
    ["amshan/kamstrup_no_list_1_single_phase_real_sample.hex", "5705705705705702", "2022-01-17T12:44:40"],
    ["amshan/aidon_no_list_3.hex", "7359992892587665", "2020-01-21T16:00:00"],
    ["amshan/aidon_NOTIFICATION_BODY_SE_LIST.hex", undefined, "2019-12-16T07:59:40"],
  ])("%s is of meter %s at %s local time", (name, meterId, meterTimeText) => {
    const telegram = decode(name);
    expect([telegram.meterId, telegram.meterTimeText, telegram.meterTimeMs]).toEqual([
      meterId,
      meterTimeText,
      undefined,
    ]);
  });

  it("Kaifa's Swedish list says how far its clock is from UTC", () => {
    const { meterTimeMs, meterId } = decode("amshan/kaifa_NOTIFICATION_BODY_SE_LIST.hex");
    expect(meterTimeMs).toBe(Date.parse("2021-09-22T17:35:30+01:00"));
    expect(meterId).toBe("7340734073407340");
  });

  it("the encrypted capture needs its keys", () => {
    const name = "dlms/hdlc_kamstrup_omnipower.log";
    const ciphering = { systemTitle: "4B414D4501349083", frameCounter: 17784996, authentication: "verified" };
    expect(decode(name).ciphering).toEqual(ciphering);
    expect(problemOf(() => decodeDlms(framed(name))).code).toBe("dlms-key-missing");
    const { key } = keysOf(name) ?? {};
    expect(decodeDlms(framed(name), key ? { key } : {}).ciphering?.authentication).toBe("unverified");
  });
});

describe.skipIf(NAMES.length === 0)("readings of the corpus", () => {
  const read = (name: string, settings: Partial<DlmsSettings> = {}): MeterTelegram | undefined =>
    dlmsProtocol({ ...keysSetting(name), ...settings }).decode(framed(name));
  const keysSetting = (name: string): DlmsSettings => {
    const keys = keysOf(name);
    return keys === undefined ? {} : { keys };
  };

  it("aidon's hourly list: tens of Wh at the hour", () => {
    const { identity, readings, channels } = read("amshan/aidon_no_list_3.hex", { clock: "CET" }) ?? {};
    expect(identity).toMatchObject({ make: "Aidon", serial: "7359992892587665" });
    expect(readings?.[0]).toMatchObject({
      ...{ importMwh: 22_721_380_000, resolutionMwh: 10_000 },
      meterTimeMs: Date.parse("2020-01-21T16:00:00+01:00"),
    });
    expect(channels?.[0]?.quantities).toEqual(["import", "export", "power"]);
  });

  it("kaifa's hourly list: Wh, mA, tenths of a volt", () => {
    expect(read("amshan/kaifa_no_list_3.hex")?.readings[0]).toMatchObject({
      ...{ importMwh: 79_591_144_000, exportMwh: 0, resolutionMwh: 1_000, activePowerMw: 4_904_000 },
      ...{ voltageMv: [219_300, 0, 220_500], currentMa: [14_571, 15_643, 9_525] },
    });
  });

  it("the encrypted Kamstrup: its registers by the step that was told, its evidence without a key", () => {
    const name = "dlms/hdlc_kamstrup_omnipower.log";
    const told = read(name, { registerStepWh: 10 });
    const published = readFileSync(`${FOLDER}/dlms/hdlc_kamstrup_omnipower_decoded.xml`, "utf8");
    const [, digits = ""] = /1\.1\.1\.8\.0\.255[\s\S]*?<UINT32 Value="(\d+)"/.exec(published) ?? [];
    expect(told?.readings[0]).toMatchObject({ importMwh: Number(digits) * 10_000, activePowerMw: 1_083_000 });
    expect(told).not.toHaveProperty("doubts");
    expect(decodeDlms(told?.evidence ?? new Uint8Array(0)).values).toEqual(decode(name).values);
    expect(read(name)?.readings[0]).not.toHaveProperty("importMwh");
  });

  it("none is doubted by its own volts and amperes, and each makes a reading", () => {
    const all = NAMES.map((name) => read(name, { registerStepWh: 10 }));
    expect(all.filter((one) => one?.doubts !== undefined)).toEqual([]);
    expect(all.filter((one) => one?.readings[0]?.activePowerMw === undefined)).toEqual([]);
  });
});
