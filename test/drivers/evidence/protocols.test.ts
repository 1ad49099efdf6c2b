import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { decodeEvidence } from "../../../drivers/evidence/decode.ts";
import { dlmsSpeaker } from "../../../drivers/simulated/dlms-telegram.ts";
import { iec62056Speaker } from "../../../drivers/simulated/iec62056-telegram.ts";
import { mbusAnswerer } from "../../../drivers/simulated/mbus-telegram.ts";
import { smlSpeaker } from "../../../drivers/simulated/sml-telegram.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import { speedwireSpeaker } from "../../../drivers/simulated/speedwire-telegram.ts";
import { vedirectSpeaker } from "../../../drivers/simulated/vedirect-telegram.ts";
import { SmlFramer } from "../../../drivers/sml/framing.ts";
import { smlProtocol } from "../../../drivers/sml/protocol.ts";
import type { TelegramProtocol } from "../../../drivers/telegram/protocol.ts";
import { VedirectFramer } from "../../../drivers/vedirect/framing.ts";
import { vedirectProtocol } from "../../../drivers/vedirect/protocol.ts";
import { channelsOf } from "./kit.ts";

const CORPORA = "../shared/corpora";
const ran = { sml: 0, vedirect: 0, files: 0 };
afterAll(() => {
  process.stdout.write(
    `evidence: ${ran.sml} real SML telegrams and ${ran.vedirect} real VE.Direct readings of ${ran.files} files decoded again\n`,
  );
});

const SHOWN: ShownByMeter = {
  serial: "30471106",
  importT1Mwh: 1_234_560_000,
  importT2Mwh: 2_000_010_000,
  exportT1Mwh: 3_210_000,
  exportT2Mwh: 0,
  activePowerMw: 1_500_000,
  timeMs: Date.UTC(2026, 6, 15, 12),
  voltageMv: [230_000, 231_000, 229_000],
  currentMa: [2_000, 2_100, 2_200],
  frequencyMhz: 50_000,
};
const IMPORT_MWH = SHOWN.importT1Mwh + SHOWN.importT2Mwh;

function only(telegrams: readonly Uint8Array[]): Uint8Array {
  const [telegram, ...more] = telegrams;
  return telegram === undefined || more.length > 0 ? expect.fail(`${telegrams.length} telegrams`) : telegram;
}

function readout(): Uint8Array {
  const meter = mbusAnswerer({
    primary: 1,
    identification: "30471106",
    manufacturer: "KWS",
    multiTelegram: true,
  });
  const asked = (...bytes: number[]): readonly Uint8Array[] => meter.answers(Uint8Array.from(bytes), SHOWN);
  asked(0x10, 0x40, 0x01, 0x41, 0x16);
  const both = [...asked(0x10, 0x7b, 0x01, 0x7c, 0x16), ...asked(0x10, 0x5b, 0x01, 0x5c, 0x16)];
  return new Uint8Array(Buffer.concat(both));
}

/** Every reading that a driver makes of a file, with the bytes that it hands over for it. */
function replayed(protocol: TelegramProtocol, telegrams: readonly Uint8Array[]) {
  return telegrams.flatMap((bytes) => {
    const { readings = [], evidence = bytes } = protocol.decode(bytes) ?? {};
    return readings.map((reading) => ({ reading, evidence }));
  });
}

function telegramsIn(path: string, framer: SmlFramer | VedirectFramer): readonly Uint8Array[] {
  const framed = framer.push(new Uint8Array(readFileSync(path)));
  return framed.flatMap((one) => (one.kind === "telegram" ? [one.bytes] : []));
}

function filesOf(folder: string, suffix: string): string[] {
  const path = `${CORPORA}/${folder}`;
  return existsSync(path) ? readdirSync(path).filter((name) => name.endsWith(suffix)) : [];
}

function expectAgain(driver: string, { reading, evidence }: ReturnType<typeof replayed>[number]): void {
  const [channel] = channelsOf(decodeEvidence(driver, { make: "" }, evidence));
  const { resolutionMwh, ...values } = reading;
  const digest = new Uint8Array(createHash("sha256").update(evidence).digest());
  expect(channel).toMatchObject({ reading: { ...values, evidence: digest } });
  expect(channel?.resolutionMwh).toBe(resolutionMwh);
}

describe("telegrams of real meters", () => {
  it.each(filesOf("sml", ".bin"))("%s decode to what the driver read", (name) => {
    const made = replayed(smlProtocol(), telegramsIn(`${CORPORA}/sml/${name}`, new SmlFramer()));
    for (const one of made) expectAgain("sml", one);
    ran.sml += made.length;
    ran.files += 1;
  });

  it.each(filesOf("vedirect", ".dump"))("%s decode to what the driver read", (name) => {
    const telegrams = telegramsIn(`${CORPORA}/vedirect/${name}`, new VedirectFramer());
    const made = replayed(vedirectProtocol(), telegrams);
    expect(made.length).toBeGreaterThan(100);
    for (const one of made) expectAgain("victron-ve-direct", one);
    ran.vedirect += made.length;
    ran.files += 1;
  });
});

describe("what hangs on the configuration", () => {
  function iec(...lines: readonly string[]): Uint8Array {
    return new Uint8Array(Buffer.from(["/KWT5SIM", "", ...lines, "!", ""].join("\r\n"), "latin1"));
  }

  it("is told both ways where a register has no unit", () => {
    const bytes = iec("1-0:0.0.0*255(123)", "1-0:1.8.0*255(000123.456)");
    const [channel] = channelsOf(decodeEvidence("iec62056-21", { make: "" }, bytes));
    expect(channel?.reading.importMwh).toBe(123_456_000);
    expect(channel?.otherwise).toMatchObject({
      setting: "registerUnit",
      reading: { channel: "grid", importMwh: 123_456 },
    });
  });

  it("is told once where it has one", () => {
    const bytes = iec("1-0:0.0.0*255(123)", "1-0:1.8.0*255(000123.456*kWh)");
    const [channel] = channelsOf(decodeEvidence("iec62056-21", { make: "" }, bytes));
    expect(channel).toMatchObject({ reading: { importMwh: 123_456_000 }, resolutionMwh: 1_000 });
    expect(channel).not.toHaveProperty("otherwise");
  });

  it("is the step of a DLMS list without units, which the manifest says", () => {
    const bytes = only(dlmsSpeaker({ layout: "kamstrup", framing: "hdlc" }).telegrams(SHOWN));
    const unknown = decodeEvidence("dlms-push", { make: "" }, bytes);
    expect("cannotDecode" in unknown && unknown.cannotDecode).toContain("registerStepWh");
    const [channel] = channelsOf(decodeEvidence("dlms-push", { make: "", resolutionMwh: 10_000 }, bytes));
    expect(channel).toMatchObject({ reading: { importMwh: IMPORT_MWH }, resolutionMwh: 10_000 });
  });

  it.each([
    ["sagemcom", SHOWN.timeMs],
    ["kaifa", undefined],
  ] as const)("is the zone of a DLMS clock: of %s it is known or not", (layout, timeMs) => {
    const bytes = only(dlmsSpeaker({ layout, framing: "hdlc" }).telegrams(SHOWN));
    const [channel] = channelsOf(decodeEvidence("dlms-push", { make: "" }, bytes));
    expect(channel?.reading.importMwh).toBe(IMPORT_MWH);
    expect(channel?.reading.meterTimeMs).toBe(timeMs);
  });

  it("is not which of an SMA network's meters is meant: the telegram says whose it is", () => {
    const bytes = only(speedwireSpeaker().telegrams(SHOWN));
    const [channel] = channelsOf(decodeEvidence("sma-speedwire", { make: "" }, bytes));
    expect(channel?.reading).toMatchObject({ importMwh: IMPORT_MWH, activePowerMw: SHOWN.activePowerMw });
  });
});

describe("blocks of a battery monitor", () => {
  const [main = expect.fail(), history = expect.fail()] = vedirectSpeaker({ device: "bmv" }).telegrams(SHOWN);
  const HEX = new Uint8Array(Buffer.from(":A4F10019F\n", "latin1"));
  /** What the driver makes of a stream, each reading with its evidence. */
  const driven = (...parts: readonly Uint8Array[]) => {
    const stream = new Uint8Array(Buffer.concat([main, history, ...parts]));
    const framed = new VedirectFramer().push(stream);
    const telegrams = framed.flatMap((one) => (one.kind === "telegram" ? [one.bytes] : []));
    return replayed(vedirectProtocol(), telegrams);
  };

  it.each([
    ["with HEX messages before and between them", [HEX, main, HEX, HEX, history]],
    ["with one that ends oddly", [Uint8Array.of(...HEX.slice(0, -1), 0xfe), main, history]],
    ["the second alone, whose first was lost", [history]],
    ["the second alone behind a HEX message", [HEX, history]],
    ["the first alone, twice", [main, main, main]],
  ])("are decoded again %s", (_, parts) => {
    const made = driven(...parts);
    expect(made.length).toBeGreaterThan(1);
    for (const one of made) expectAgain("victron-ve-direct", one);
  });

  it("are no frame in another order, or more of them", () => {
    for (const parts of [
      [history, main],
      [history, history],
      [main, main],
      [main, history, history],
    ])
      expect(
        Object.keys(decodeEvidence("victron-ve-direct", { make: "" }, new Uint8Array(Buffer.concat(parts)))),
      ).toEqual(["cannotDecode"]);
  });
});

const FRAMES: readonly (readonly [driver: string, bytes: Uint8Array])[] = [
  ["sml", only(smlSpeaker().telegrams(SHOWN))],
  ["iec62056-21", only(iec62056Speaker().telegrams(SHOWN))],
  ["mbus", readout()],
  ["dlms-push", only(dlmsSpeaker({ layout: "aidon", framing: "mbus" }).telegrams(SHOWN))],
  ["victron-ve-direct", new Uint8Array(Buffer.concat(vedirectSpeaker({ device: "bmv" }).telegrams(SHOWN)))],
  ["sma-speedwire", only(speedwireSpeaker().telegrams(SHOWN))],
];

describe.each(FRAMES)("a frame of %s", (driver, bytes) => {
  const decode = (changed: Uint8Array) => decodeEvidence(driver, { make: "" }, changed);

  it("has its registers", () => {
    const [channel, ...more] = channelsOf(decode(bytes));
    expect(more).toEqual([]);
    const isBattery = driver === "victron-ve-direct";
    expect(channel?.role).toBe(isBattery ? "storage" : "grid");
    expect(channel?.reading.importMwh).toBe(IMPORT_MWH);
  });

  it("is no frame with anything before or behind it, in part or twice", () => {
    const wrong = [
      Uint8Array.of(0x41, ...bytes),
      Uint8Array.of(...bytes, 0x41),
      bytes.slice(0, -1),
      Uint8Array.of(...bytes, ...bytes),
      new Uint8Array(),
    ];
    expect(wrong.map((one) => Object.keys(decode(one)))).toEqual(wrong.map(() => ["cannotDecode"]));
  });

  it("never throws, whatever is changed in it", () => {
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.nat(bytes.length),
        (changes, length) => {
          const changed = bytes.slice();
          for (const [at, bits] of changes) changed[at] = (changed[at] ?? 0) ^ bits;
          expect(Object.keys(decode(changed))).toHaveLength(1);
          expect(Object.keys(decode(changed.slice(0, length)))).toHaveLength(1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("never throws for bytes of nobody", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (any) => {
        expect(Object.keys(decode(any))).toHaveLength(1);
      }),
    );
  });
});
