import { describe, expect, it } from "vitest";
import { dsmrDecoder } from "../../../drivers/dsmr/decoder.ts";
import { dsmrListening } from "../../../drivers/dsmr/listening.ts";
import { P1Protocol } from "../../../drivers/dsmr/protocol.ts";
import { p1Speaker } from "../../../drivers/simulated/p1-telegram.ts";
import { checkedTelegram, codeOf, frameOf, KEY, plainTelegram, STATE, TELEGRAM } from "./kit.ts";

const TARIFFS = ["1-0:1.8.1(00001.001*kWh)", "1-0:1.8.2(00002.002*kWh)"];
const SERIAL = "0-0:96.1.1(4530)";
const OTHER_SERIAL = "0-0:96.1.1(4531)";

function protocol(): P1Protocol {
  return new P1Protocol({ winterOffsetMinutes: 60 });
}

describe("the P1 protocol", () => {
  it("refuses a missing checksum from a meter that printed one before", () => {
    const meter = protocol();
    expect(meter.decode(plainTelegram(...TARIFFS)).readings).toHaveLength(1);
    expect(meter.decode(checkedTelegram("/ISk5\\2MT382", ...TARIFFS)).readings).toHaveLength(1);
    expect(codeOf(() => meter.decode(plainTelegram(...TARIFFS)))).toBe("dsmr-checksum");
    meter.forget();
    expect(meter.decode(plainTelegram(...TARIFFS)).readings).toHaveLength(1);
  });

  it("refuses a telegram without checksum that lacks what the one before had", () => {
    const meter = protocol();
    meter.decode(plainTelegram(...TARIFFS));
    expect(codeOf(() => meter.decode(plainTelegram(...TARIFFS.slice(1))))).toBe("dsmr-incomplete");
    expect(meter.decode(plainTelegram(...TARIFFS)).readings).toHaveLength(1);
    meter.forget();
    expect(meter.decode(plainTelegram(...TARIFFS.slice(1))).readings).toHaveLength(1);
  });

  it("does not measure one meter by what another one prints", () => {
    const meter = protocol();
    meter.decode(plainTelegram(SERIAL, ...TARIFFS));
    const more = plainTelegram(OTHER_SERIAL, ...TARIFFS, "1-0:1.7.0(0001.01*kW)");
    expect(meter.decode(more).identity?.serial).toBe("E1");
    expect(meter.decode(plainTelegram(SERIAL, ...TARIFFS)).identity?.serial).toBe("E0");
    expect(codeOf(() => meter.decode(plainTelegram(SERIAL, ...TARIFFS.slice(1))))).toBe("dsmr-incomplete");
  });

  it("says where nothing vouches for who the meter is", () => {
    const checked = checkedTelegram("/ISk5\\2MT382", SERIAL, ...TARIFFS);
    expect(protocol().decode(plainTelegram(SERIAL, ...TARIFFS))).toMatchObject({ unvouched: true });
    expect(protocol().decode(checked)).toMatchObject({ unvouched: false });
  });

  it("describes a power that is at rest just now", () => {
    const { readings, channels } = protocol().decode(
      plainTelegram("1-0:1.7.0(0000.00*kW)", "1-0:2.8.0(00001.001*kWh)"),
    );
    expect(readings[0]).not.toHaveProperty("activePowerMw");
    expect(channels).toMatchObject([{ name: "grid", role: "grid", quantities: ["export", "power"] }]);
  });

  it("refuses bytes that are no telegram", () => {
    for (const bytes of [
      new Uint8Array(),
      TELEGRAM.subarray(0, 50),
      Uint8Array.of(0xdb),
      Uint8Array.of(0x21),
    ])
      expect(codeOf(() => protocol().decode(bytes))).toMatch(/^dsmr-/);
  });
});

describe("listening for P1 meters", () => {
  it("hears a meter at one of its settings, with the driver's own default first", () => {
    expect(dsmrListening.formats.map(({ baudRate, parity }) => [baudRate, parity])).toEqual([
      [115_200, "none"],
      [9_600, "even"],
    ]);
    expect(p1Speaker().periodMs).toBeLessThanOrEqual(dsmrListening.periodMs);
    expect(p1Speaker({ key: KEY }).periodMs).toBeLessThanOrEqual(dsmrListening.periodMs);
    const listening = dsmrListening.createProtocol();
    expect(listening.decode(TELEGRAM)?.identity?.serial).toBe(STATE.serial);
    const encrypted = frameOf(p1Speaker({ key: KEY }));
    expect(listening.finalCodes).toContain(codeOf(() => listening.decode(encrypted)));
  });
});

describe("the P1 decoder", () => {
  it("shows all values as they are printed, with the number behind each", () => {
    const telegram = checkedTelegram(
      "/ISK5\\2M550T",
      "0-0:1.0.0(260101010000W)",
      "1-0:1.8.1(000001.001*kWh)",
      "1-1:31.4.0(100*A)(-063*A)",
      "0-1:24.2.1(260101010500W)(00012.345*m3)",
      "0-0:96.13.0()",
      "0-0:96.13.0(3031)",
    );
    const [decoded, ...more] = dsmrDecoder.decode(telegram, {});
    expect(more).toEqual([]);
    expect(decoded).toEqual({
      meterId: "ISK M550T",
      meterTimeText: "260101010000W",
      values: [
        { code: "0-0:1.0.0", text: "260101010000W" },
        { code: "1-0:1.8.1", text: "000001.001", unit: "kWh", scaled: { digits: 1_001n, exponent: -3 } },
        { code: "1-1:31.4.0", text: "100", unit: "A", scaled: { digits: 100n, exponent: 0 } },
        { code: "1-1:31.4.0", text: "-063", unit: "A", scaled: { digits: -63n, exponent: 0 } },
        { code: "0-1:24.2.1", text: "260101010500W" },
        { code: "0-1:24.2.1", text: "00012.345", unit: "m3", scaled: { digits: 12_345n, exponent: -3 } },
        { code: "0-0:96.13.0", text: "" },
        { code: "0-0:96.13.0", text: "3031" },
      ],
    });
  });

  it("shows what the ciphering says before the telegram within", () => {
    const frame = frameOf(p1Speaker({ key: KEY }));
    const [outcome] = dsmrDecoder.createFramer().push(frame);
    expect(outcome).toMatchObject({ kind: "telegram", offset: 0, bytes: frame });
    const [encrypted] = dsmrDecoder.decode(frame, { key: KEY });
    expect(encrypted?.values.slice(0, 3)).toMatchObject([
      { code: "system title", text: "4B57537882246019" },
      { code: "frame counter", text: `${STATE.timeMs / 1_000}` },
      { code: "authentication", text: "verified" },
    ]);
    expect(encrypted?.values).toContainEqual({
      code: "1-0:14.7.0",
      text: "50.01",
      unit: "Hz",
      scaled: { digits: 5_001n, exponent: -2 },
    });
    expect(codeOf(() => dsmrDecoder.decode(frame, {}))).toBe("dsmr-encrypted");
  });
});
