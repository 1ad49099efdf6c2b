import { describe, expect, it } from "vitest";
import { dlmsProtocol } from "../../../drivers/dlms/protocol.ts";
import { hex, join, notification, problemOf } from "./kit.ts";
import { speak } from "./shown.ts";

describe("units that the list does not state", () => {
  it("Kamstrup's registers are left out until their step is given, its power is not", () => {
    const bytes = speak({ layout: "kamstrup", framing: "hdlc" });
    const { readings, absent, channels } = dlmsProtocol().decode(bytes) ?? {};
    expect(readings?.[0]).toMatchObject({ activePowerMw: -1_234_000 });
    expect(readings?.[0]).not.toHaveProperty("importMwh");
    expect(readings?.[0]).not.toHaveProperty("resolutionMwh");
    expect(channels?.[0]?.quantities).toEqual(["power"]);
    expect(absent?.filter((line) => line.includes("1.8.0"))).toHaveLength(1);
    const swedish = dlmsProtocol({ registerStepWh: 1 }).decode(bytes)?.readings[0];
    expect(swedish).toMatchObject({ importMwh: 11_111_000, resolutionMwh: 1_000 });
  });

  it("a list without any stated unit is refused for good, with what to do", () => {
    const protocol = dlmsProtocol();
    const problem = problemOf(() => protocol.decode(speak({ layout: "landis-gyr", framing: "hdlc" })));
    expect(problem).toMatchObject({ code: "dlms-units", message: expect.stringContaining("registerStepWh") });
    // What the display shows, too: so it can be compared.
    expect(problem?.message).toMatch(/1\.8\.0\S* is \d{3,},/);
    expect(protocol.finalCodes).toContain("dlms-units");
  });

  const pair = (code: string, value: string): string => `09 06 01 01 ${code} ff ${value}`;
  const version = "0a 0e 4b616d73747275705f5630303031";
  const list = (power: number, more: string[] = []): Uint8Array => {
    const pairs = [
      pair("00 00 05", "0a 03 313233"),
      pair("01 07 00", `06 ${power.toString(16).padStart(8, "0")}`),
      pair("02 07 00", "06 00000000"),
      ...[pair("1f 07 00", "06 000001f4"), pair("20 07 00", "12 00e6"), ...more],
    ];
    return notification(
      `02 ${(1 + 2 * pairs.length).toString(16).padStart(2, "0")} ${version} ${pairs.join(" ")}`,
    );
  };

  it("a power ten times what volts and amperes make is doubted", () => {
    // 5.00 A at 230 V.
    expect(dlmsProtocol().decode(list(1_150))).not.toHaveProperty("doubts");
    expect(dlmsProtocol().decode(list(11_500))?.doubts).toEqual([
      expect.objectContaining({ channel: "grid", quantities: ["import", "export", "power"] }),
    ]);
  });

  it("a power far below them is doubted only where the power factor says so", () => {
    const factor = (hundredths: string): string[] => [pair("21 07 00", `12 00${hundredths}`)];
    expect(dlmsProtocol().decode(list(20))).not.toHaveProperty("doubts");
    expect(dlmsProtocol().decode(list(20, factor("02")))).not.toHaveProperty("doubts");
    expect(dlmsProtocol().decode(list(20, factor("5f")))?.doubts).toHaveLength(1);
  });

  it("a voltage beyond any is no voltage", () => {
    const bytes = list(1_150);
    const at = Buffer.from(bytes).indexOf(Buffer.from("1200e6", "hex"));
    const high = join(bytes.subarray(0, at), hex("12 5a03"), bytes.subarray(at + 3));
    const { readings, absent } = dlmsProtocol().decode(high) ?? {};
    expect(readings?.[0]).not.toHaveProperty("voltageMv");
    expect(absent?.join()).toContain("32.7.0");
  });
});
