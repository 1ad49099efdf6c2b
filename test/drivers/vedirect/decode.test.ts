import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { READING_STATUS } from "../../../attest/reading.ts";
import { vedirectSpeaker } from "../../../drivers/simulated/vedirect-telegram.ts";
import { vedirectDecoder } from "../../../drivers/vedirect/decoder.ts";
import { productName } from "../../../drivers/vedirect/products.ts";
import { vedirectProtocol } from "../../../drivers/vedirect/protocol.ts";
import { telegrams } from "../telegram/framed.ts";
import { block, frame, join, read } from "./kit.ts";

const SHOWN = {
  serial: "2144ABCDE",
  importT1Mwh: 1_234_567_890,
  importT2Mwh: 1_000_000,
  exportT1Mwh: 987_654_321,
  exportT2Mwh: 0,
  activePowerMw: -345_678,
  timeMs: 0,
  voltageMv: [26_400],
  currentMa: [13_093],
  frequencyMhz: 50_000,
};

function reasonOf(lines: readonly string[]): string {
  try {
    read([block(...lines)]);
  } catch (error) {
    if (error instanceof Problem) return `${error.code} ${error.detail.where ?? ""}`.trim();
    throw error;
  }
  return "none";
}

const MAIN = ["PID\t0xA389", "V\t26400", "I\t-13093", "P\t-345", "SOC\t731", "FW\t0413"];
const HISTORY = ["H7\t11800", "H17\t98765", "H18\t123556"];

describe("VE.Direct readings", () => {
  it("has the yield of a solar charger leave the boundary, never as -0", () => {
    const [night] = read([block("PID\t0xA053", "VPV\t200", "PPV\t0", "CS\t0", "ERR\t0", "H19\t5")]);
    expect(night?.readings).toEqual([
      {
        channel: "pv",
        exportMwh: 50_000,
        activePowerMw: 0,
        voltageMv: [200],
        resolutionMwh: 10_000,
        status: READING_STATUS.standby,
      },
    ]);
    expect(Object.is(night?.readings[0]?.activePowerMw, 0)).toBe(true);
  });

  it.each([
    ["CS\t2", "ERR\t0", READING_STATUS.deviceFault],
    ["CS\t3", "ERR\t17", READING_STATUS.deviceFault],
    ["CS\t1", "ERR\t0", READING_STATUS.standby],
    ["CS\t5", "ERR\t0", undefined],
    ["CS\t5", "ERR\t---", undefined],
  ])("says with %s and %s the status %s", (state, error, status) => {
    const [telegram] = read([block("PID\t0xA053", "PPV\t10", state, error, "H19\t5")]);
    expect(telegram?.readings[0]?.status).toBe(status);
  });

  it("has no -0", () => {
    const [telegram] = read([block("PID\t0x203", "P\t-0", "I\t-0", "H17\t-0")]);
    const { activePowerMw, currentMa, exportMwh } = telegram?.readings[0] ?? {};
    for (const value of [activePowerMw, currentMa?.[0], exportMwh]) expect(Object.is(value, 0)).toBe(true);
  });

  it("takes --- for no value, and keeps the channel's quantities", () => {
    const [telegram] = read([
      block("PID\t0xA389", "V\t26400", "P\t---", "SOC\t---"),
      block("H17\t---", "H18\t7"),
    ]);
    expect(telegram?.readings).toEqual([
      { channel: "battery", importMwh: 70_000, voltageMv: [26_400], resolutionMwh: 10_000 },
    ]);
    expect(telegram?.absent.map((one) => one.split(":")[0])).toEqual(["H17", "P", "SOC"]);
    expect(telegram?.channels[0]?.quantities).toEqual(["import", "export", "power", "stateOfCharge"]);
  });

  it("says nothing of power where a device says none, whatever voltage and current are", () => {
    const [telegram] = read([block("V\t12800", "I\t1000", "SOC\t900", "BMV\t602S"), block(...HISTORY)]);
    expect(telegram?.identity?.model).toBe("BMV 602S");
    expect(telegram?.readings[0]).not.toHaveProperty("activePowerMw");
    expect(telegram?.channels[0]?.quantities).toEqual(["import", "export", "stateOfCharge"]);
  });

  it.each([
    ["-1", "generation"],
    ["-9", "generation"],
    ["1", "load"],
    ["8", "load"],
  ])("does not take a shunt that measures a DC device (MON %s) for a battery", (mode, role) => {
    const [telegram] = read([block(...MAIN, `MON\t${mode}`), block(...HISTORY)]);
    expect(telegram?.channels).toEqual([
      expect.objectContaining({ name: "dc", role, quantities: ["import", "export"], signVerified: false }),
    ]);
    expect(telegram?.readings[0]).toMatchObject({ importMwh: 1_235_560_000, exportMwh: 987_650_000 });
    expect(telegram?.readings[0]).not.toHaveProperty("stateOfChargePpm");
    expect(telegram?.readings[0]).not.toHaveProperty("activePowerMw");
  });

  it("reads both blocks of a monitor together, with both as evidence", () => {
    const [main, history] = [block(...MAIN, "MON\t0"), block(...HISTORY)];
    const [telegram, ...more] = read([main, history]);
    expect(more).toEqual([]);
    expect(telegram?.evidence).toEqual(join(main, history));
    expect(telegram?.readings).toEqual([
      {
        channel: "battery",
        importMwh: 1_235_560_000,
        exportMwh: 987_650_000,
        activePowerMw: -345_000,
        stateOfChargePpm: 731_000,
        voltageMv: [26_400],
        currentMa: [13_093],
        resolutionMwh: 10_000,
      },
    ]);
  });

  it("goes on with the next first block where a second one was lost", () => {
    const [main, history] = [block(...MAIN), block(...HISTORY)];
    const protocol = vedirectProtocol();
    expect(read([main, main, main], protocol).map(({ readings }) => readings[0])).toEqual([
      expect.not.objectContaining({ importMwh: expect.anything() }),
      expect.not.objectContaining({ importMwh: expect.anything() }),
    ]);
    // Late registers stand for themselves, and from then on both are read together again.
    expect(read([history], protocol)[0]).toMatchObject({
      identity: { model: "SmartShunt 500A/50mV" },
      evidence: history,
    });
    expect(read([main, history], protocol)[0]?.evidence).toEqual(join(main, history));
  });

  it("gives no registers whose device has not named itself", () => {
    const protocol = vedirectProtocol();
    expect(read([block(...HISTORY)], protocol)).toEqual([]);
    read([block(...MAIN), block(...HISTORY)], protocol);
    expect(read([block(...HISTORY)], protocol)).toHaveLength(1);
    protocol.forget();
    expect(read([block(...HISTORY)], protocol)).toEqual([]);
  });

  it.each([
    [
      ["PID\t0xA231", "MODE\t2", "AC_OUT_V\t23012", "AC_OUT_I\t5", "AC_OUT_S\t115"],
      "vedirect-no-energy 0xA231",
    ],
    [["PID\t0xA053", "PPV\t40 W", "H19\t5"], "vedirect-value PPV"],
    [["PID\t0xA053", "PPV\t-40", "H19\t5"], "vedirect-range PPV"],
    [["PID\t0xA053", "PPV\t40", "H19\t999999999999"], "vedirect-range H19"],
    [["PID\t0xA053", "PPV\t40", "H19\t-5"], "vedirect-range H19"],
    [["PID\t0x203", "SOC\t1001", "H17\t5"], "vedirect-range SOC"],
    [["PID\t0x203", "SOC\t5", "P\t-999999999999999", "H17\t5"], "vedirect-range P"],
    [["PID\t0xA053", "H19\t5", "H19\t6"], "vedirect-conflict H19"],
  ])("refuses %j", (lines, reason) => {
    expect(reasonOf(lines)).toBe(reason);
  });

  it("refuses a second block that contradicts the first", () => {
    const twice = (): unknown => read([block(...MAIN), block("H17\t1", "V\t12000")]);
    expect(twice).toThrow(expect.objectContaining({ code: "vedirect-conflict" }));
  });

  it.each([
    ["0xA042", "BlueSolar MPPT 75|15"],
    ["0xa04c", "BlueSolar MPPT 75|10"],
    ["0x203", "BMV-700"],
    ["0xA389", "SmartShunt 500A/50mV"],
    ["0xA060", "SmartSolar MPPT 100|20 48V"],
    ["0xBEE", "0x0BEE"],
    ["A042", "A042"],
  ])("calls the product %s %s", (number, name) => {
    expect(productName(number)).toBe(name);
  });
});

describe("VE.Direct decoder", () => {
  it("shows every field with its unit, exactly", () => {
    const lines = [
      "SER#\tHQ1",
      "V\t12530",
      "SOC\t5",
      "H19\t7",
      "CE\t-65473",
      "AC_OUT_V\t-1",
      "XYZ\t12",
      "P\t---",
    ];
    const [telegram] = vedirectDecoder.decode(block(...lines), {});
    expect(telegram?.meterId).toBe("HQ1");
    expect(telegram?.values.map(({ code, text, unit }) => [code, text, unit])).toEqual([
      ["SER#", "HQ1", undefined],
      ["V", "12530", "mV"],
      ["SOC", "0.5", "%"],
      ["H19", "0.07", "kWh"],
      ["CE", "-65473", "mAh"],
      ["AC_OUT_V", "-0.01", "V"],
      ["XYZ", "12", undefined],
      ["P", "---", undefined],
    ]);
    expect(telegram?.values[3]?.scaled).toEqual({ digits: 7n, exponent: -2 });
  });

  it("refuses anything but a whole block, and never crashes", () => {
    const whole = block(...MAIN);
    for (const wrong of [new Uint8Array(), whole.subarray(1), whole.subarray(0, -1), join(whole, whole)])
      expect(() => vedirectDecoder.decode(wrong, {})).toThrow(Problem);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(whole.length), (noise, at) => {
        const mutated = join(whole.subarray(0, at), noise, whole.subarray(at + noise.length));
        try {
          vedirectDecoder.decode(mutated, {});
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
        }
      }),
    );
  });
});

describe("simulated VE.Direct devices", () => {
  it.each(["mppt", "bmv", "smartshunt"] as const)(
    "%s: what is shown comes back, cut to its steps",
    (device) => {
      const speaker = vedirectSpeaker({ device, stateOfChargePermille: 731 });
      const [telegram] = read(telegrams(frame(join(...speaker.telegrams(SHOWN)))));
      expect(telegram?.readings[0]).toMatchObject({
        exportMwh: 987_650_000,
        activePowerMw: -345_000,
        voltageMv: [26_400],
        ...(device === "mppt"
          ? {}
          : { importMwh: 1_235_560_000, stateOfChargePpm: 731_000, currentMa: [13_093] }),
      });
      expect(telegram?.identity?.serial).toBe(device === "mppt" ? "HQ2144ABCDE" : "");
    },
  );

  it("say that they have no value yet, and spoil a telegram so that only its checksum shows it", () => {
    const speaker = vedirectSpeaker({ device: "bmv" });
    const [main = new Uint8Array(), history = new Uint8Array()] = speaker.telegrams(SHOWN);
    expect(read([main, history])[0]?.readings[0]).not.toHaveProperty("stateOfChargePpm");
    const wrong = speaker.withWrongChecksum(main) ?? new Uint8Array();
    expect(wrong).toHaveLength(main.length);
    expect(() => vedirectDecoder.decode(wrong, {})).toThrow(
      expect.objectContaining({ code: "vedirect-checksum" }),
    );
  });
});
