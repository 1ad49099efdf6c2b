import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import type { MbusValue } from "../../../drivers/mbus/records.ts";
import { type DecodedMbus, decodeMbus } from "../../../drivers/mbus/telegram.ts";
import { answer, bytes, long } from "./kit.ts";

function only(records: string): Partial<MbusValue> {
  const { values } = decodeMbus(answer(records));
  expect(values).toHaveLength(1);
  return values[0] ?? {};
}

function refusal(telegram: Uint8Array): string[] {
  try {
    decodeMbus(telegram);
  } catch (thrown) {
    if (thrown instanceof Problem) return [thrown.code, thrown.detail.where ?? ""];
  }
  return [];
}

describe("a value of an M-Bus answer", () => {
  it.for([
    ["01 03 FF", "-1"],
    ["02 03 FF 7F", "32767"],
    ["03 03 00 00 80", "-8388608"],
    ["04 03 FA 04 00 00", "1274"],
    ["06 03 FF FF FF FF FF FF", "-1"],
    ["07 03 FF FF FF FF FF FF FF 7F", "9223372036854775807"],
    ["09 03 42", "42"],
    ["0A 03 34 12", "1234"],
    ["0B 03 02 00 F0", "-2"],
    ["0C 03 78 56 34 12", "12345678"],
    ["0E 03 12 90 78 56 34 12", "123456789012"],
    ["0D 03 C3 56 34 12", "123456"],
    ["0D 03 D3 56 34 12", "-123456"],
    ["04 00 FA 04 00 00", "1.274"],
    ["04 07 FA 04 00 00", "12740000"],
    ["02 00 FF FF", "-0.001"],
    ["04 83 70 FA 04 00 00", "0.001274"],
    ["04 83 7D FA 04 00 00", "1274000"],
  ] as const)("%s is %s Wh, exactly", ([records, text]) => {
    expect(only(records)).toMatchObject({ text, unit: "Wh", quantity: "energy" });
  });

  it.for([
    ["00 00 80 3F", "1"],
    ["00 00 00 80", "0"],
    ["CD CC CC 3D", "0.100000001490116119384765625"],
    ["00 00 28 C1", "-10.5"],
    ["00 00 80 4B", "16777216"],
    ["FF FF 7F 7F", "340282346638528859811704183484516925440"],
    ["22 F3 26 42", "41.73743438720703125"],
  ] as const)("the real %s is %s, with every digit that it has", ([data, text]) => {
    expect(only(`05 5B ${data}`)).toMatchObject({ text, unit: "°C" });
  });

  it("the smallest real has 149 decimals", () => {
    const { text, scaled } = only("05 5B 01 00 00 00");
    expect(scaled).toEqual({ digits: 5n ** 149n, exponent: -149 });
    expect(text).toHaveLength(2 + 149);
  });

  it("every real is what the machine takes it for", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const data = Buffer.alloc(4);
        data.writeFloatLE(value);
        expect(Number(only(`05 5B ${data.toString("hex")}`).text)).toBe(value === 0 ? 0 : value);
      }),
    );
  });

  it.for([
    ["05 5B 00 00 C0 7F", "NaN", "not-finite"],
    ["05 5B 00 00 80 FF", "-Infinity", "not-finite"],
    ["0C 03 EE EE EE EE", "EEEEEEEE", "invalid-digits"],
    ["0C 03 FF FF FF FF", "FFFFFFFF", "invalid-digits"],
    ["0C 03 A0 12 34 56", "563412A0", "invalid-digits"],
    ["0D 03 D2 01 F0", "F001", "invalid-digits"],
    ["00 03", "", "no-data"],
    ["0C 6D 12 34 56 78", "78563412", "time-size"],
    ["05 6D 00 00 80 3F", "1", "time-size"],
    ["01 6C 12", "12", "time-size"],
  ] as const)("%s is no number", ([records, text, doubt]) => {
    const value = only(records);
    expect([value.text, value.doubt, value.scaled, value.unit]).toEqual([text, doubt, undefined, undefined]);
  });

  it("is marked when it is the integer that meters send for none", () => {
    expect(only("02 03 00 80")).toMatchObject({ text: "-32768", doubt: "lowest-integer" });
  });

  it.for([
    ["02 6C DF 1C", "2014-12-31"],
    ["02 6C 00 00", "invalid"],
    ["02 6C FF FF", "invalid"],
    ["02 6C FE 1C", "2015-12-30"],
    ["02 6C 3D 12", "invalid"],
    ["02 6C 1D 12", "2008-02-29"],
    ["02 6C E0 FF", "XXXX-XX-XX"],
    ["04 6D 0A 0C CD 13", "2014-03-13T12:10"],
    ["04 6D 8A 0C CD 13", "invalid"],
    ["04 6D 0A 8C CD 13", "2014-03-13T12:10 summer"],
    ["04 6D 0A 2C CD 13", "2014-03-13T12:10"],
    ["04 6D 3F 1F CD 13", "2014-03-13TXX:XX"],
    ["03 6D 3B 30 0B", "11:48:59"],
    ["06 6D 3B 30 0B CD 13 00", "2014-03-13T11:48:59"],
    ["06 6D 7B 30 0B CD 13 00", "2014-03-13T11:48:59 summer"],
    ["06 6D 3B B0 0B CD 13 00", "invalid"],
    ["04 FD 70 0A 0C CD 13", "2014-03-13T12:10"],
  ] as const)("%s is the time %s", ([records, expected]) => {
    expect(only(records).text).toBe(expected);
  });

  it.for([
    ["04 84 3C 01 00 00 00", "0:instantaneous/s0/t0/u0/energy(backward)"],
    ["04 A9 FC 81 3B 01 00 00 00", "0:instantaneous/s0/t0/u0/power(L1)(forward)"],
    ["84 10 03 01 00 00 00", "0:instantaneous/s0/t1/u0/energy"],
    ["C4 92 51 03 01 00 00 00", "0:instantaneous/s37/t5/u2/energy"],
    ["14 3B 01 00 00 00", "0:maximum/s0/t0/u0/volume-flow"],
    ["22 3B 01 00", "0:minimum/s0/t0/u0/volume-flow"],
    ["32 3B 01 00", "0:error/s0/t0/u0/volume-flow"],
    ["02 FD 48 44 09", "0:instantaneous/s0/t0/u0/voltage"],
    ["02 FB 2E F4 01", "0:instantaneous/s0/t0/u0/frequency"],
    ["02 FC 03 48 52 25 74 D4 11", "0:instantaneous/s0/t0/u0/text:%RH"],
    ["01 FF 93 00 07", "0:instantaneous/s0/t0/u0/manufacturer-93-00"],
    ["0C 93 28 01 00 00 00", "0:instantaneous/s0/t0/u0/volume(per-input-pulse-0)"],
    ["02 83 15 07 00", "0:instantaneous/s0/t0/u0/energy(error-15)"],
    ["01 6F 07", "0:instantaneous/s0/t0/u0/unknown(vif-6f)"],
  ] as const)("%s has the code %s", ([records, code]) => {
    expect(only(records).code).toBe(code);
  });

  it("counts storage, tariff and subunit up to ten extensions", () => {
    const value = only(`C4 ${"FF ".repeat(9)}7F 03 01 00 00 00`);
    expect([value.storage, value.tariff, value.subunit]).toEqual([2 ** 41 - 1, 2 ** 20 - 1, 2 ** 10 - 1]);
  });

  it.for([
    ["02 83 15 07 00", "record-error"],
    ["04 83 7F FA 04 00 00", "manufacturer-specific"],
    ["04 83 78 FA 04 00 00", "offset"],
    ["04 83 3D FA 04 00 00", "reserved-code"],
    ["01 FB 7F 80", "lowest-integer"],
  ] as const)("%s is doubted: %s", ([records, doubt]) => {
    const value = only(records);
    expect(value.doubt).toBe(doubt);
    if (doubt !== "lowest-integer") expect(value.scaled).toBeUndefined();
  });

  it.for([
    ["0D FD 11 04 65 6E 41 20", " Ane"],
    ["0D FD 11 03 00 42 41", "AB\\x00"],
    ["0D FD 11 00", ""],
    ["0D FD 3B E2 01 02", "0102"],
    ["0C 78 08 06 10 03", "03100608"],
    ["04 78 FF FF FF FF", "4294967295"],
    ["04 FD 72 01 02 03 04", "01020304"],
  ] as const)("%s is the text %s", ([records, text]) => {
    const value = only(records);
    expect([value.text, value.scaled]).toEqual([text, undefined]);
  });
});

describe("an M-Bus answer", () => {
  const sure = (telegram: Uint8Array): DecodedMbus => decodeMbus(telegram);

  it("says whose it is, and the meter's own time", () => {
    const decoded = sure(answer("04 6D 0A 0C CD 13 44 6D 0A 0C CE 13"));
    expect(decoded.meterId).toBe("ABB-12345678-02-02");
    expect(decoded.header).toMatchObject({ mediumText: "electricity", accessNumber: 42, status: 0 });
    expect(decoded.meterTimeText).toBe("2014-03-13T12:10");
  });

  it("with two clocks has no time", () => {
    expect(sure(answer("04 6D 0A 0C CD 13 04 6D 0B 0C CD 13")).meterTimeText).toBeUndefined();
  });

  it("skips fillers and keeps what is the maker's", () => {
    const decoded = sure(answer("2F 2F 01 03 01 2F 0F AA BB"));
    expect(decoded.values.map(({ code, text }) => [code, text])).toEqual([
      ["0:instantaneous/s0/t0/u0/energy", "1"],
      ["1:instantaneous/s0/t0/u0/manufacturer-data", "AABB"],
    ]);
    expect(decoded.more).toBe(false);
  });

  it("says that more records follow", () => {
    expect(sure(answer("01 03 01 1F")).more).toBe(true);
    expect(sure(answer("01 03 01 1F")).values).toHaveLength(1);
  });

  it("of the fixed structure has two counters", () => {
    const head = "08 05 73 78 56 34 12 0A";
    const bcd = sure(long(bytes(`${head} 00 E9 7E 01 00 00 00 35 01 00 00`)));
    expect(bcd.header).toMatchObject({ mediumText: "water", identification: "12345678", accessNumber: 10 });
    expect(bcd.values.map(({ code, text, unit }) => [code, text, unit])).toEqual([
      ["0:instantaneous/s0/t0/u0/volume", "0.001", "m³"],
      ["1:instantaneous/s1/t0/u0/volume", "0.135", "m³"],
    ]);
    const binary = sure(long(bytes(`${head} 03 E9 7F FF FF FF FF 35 01 00 00`)));
    expect(binary.values.map(({ storage, text }) => [storage, text])).toEqual([
      [1, "-0.001"],
      [1, "309"],
    ]);
  });

  it("is empty for acknowledgements and for what a master says", () => {
    expect(sure(bytes("E5"))).toEqual({ frame: { kind: "acknowledgement" }, values: [], more: false });
    expect(sure(bytes("10 5B FE 59 16")).frame).toEqual({ kind: "short", control: 0x5b, address: 0xfe });
    expect(sure(bytes("68 03 03 68 53 FE BD 0E 16")).values).toEqual([]);
  });

  it.for([
    ["08 01 76 78 56 34 12 42 04 02 02 2A 00 00 00", "mbus-msb-first", "offset 6"],
    ["08 01 77 00", "mbus-msb-first", "offset 6"],
    ["08 01 51 00", "mbus-ci", "offset 6"],
    ["08 01 73 00 00", "mbus-compact", "offset 7"],
    ["08 01 72 78 56", "mbus-truncated", "offset 7"],
    ["08 01 7A 2A 00 10 05 01", "mbus-encrypted", "offset 9"],
    ["08 01 78 7F", "mbus-dif", "offset 7"],
    ["08 01 78 3F", "mbus-dif", "offset 7"],
    ["08 01 78 8F 00 03", "mbus-dif", "offset 7"],
    ["08 01 78 0D 03 CA 00", "mbus-lvar", "offset 9"],
    ["08 01 78 04", "mbus-truncated", "offset 8"],
    ["08 01 78 04 83", "mbus-truncated", "offset 9"],
    ["08 01 78 84 80 80 80 80 80 80 80 80 80 80 00 03 00 00 00 00", "mbus-too-many-dife", "offset 18"],
    ["08 01 78 01 83 F4 F4 F4 F4 F4 F4 F4 F4 F4 F4 74 00", "mbus-too-many-vife", "offset 19"],
  ] as const)("%s is refused", ([content, code, where]) => {
    expect(refusal(long(bytes(content)))).toEqual([code, where]);
  });

  it("is decoded or refused, whatever its records are", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 240 }),
        fc.constantFrom(0x70, 0x72, 0x73, 0x78, 0x7a),
        (data, ci) => {
          const telegram = long(new Uint8Array([0x08, 0x01, ci]), data);
          try {
            const codes = decodeMbus(telegram).values.map(({ code }) => code);
            expect(new Set(codes).size).toBe(codes.length);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(Problem);
            if (thrown instanceof Problem) expect(thrown.detail.where).toMatch(/^offset \d+$/);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("is refused when it is no frame, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (noise) => {
        fc.pre(noise[0] !== 0xe5);
        expect(refusal(noise)[0]).toMatch(/^mbus-/);
      }),
    );
  });
});
