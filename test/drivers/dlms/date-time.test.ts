import { describe, expect, it } from "vitest";
import { readDateTime } from "../../../drivers/dlms/date-time.ts";
import { decodeDlms } from "../../../drivers/dlms/telegram.ts";
import { hex, LIST, notification } from "./kit.ts";

describe("the meter's time", () => {
  const time = (deviation: string, status: string): string =>
    `0c 07e7 04 01 06 15 20 23 00 ${deviation} ${status}`;
  const decode = (text: string): ReturnType<typeof decodeDlms> => decodeDlms(notification(LIST, text));

  it("is UTC where the deviation is stated, which contains summer time", () => {
    const telegram = decode(time("ff88", "80"));
    expect(telegram.meterTimeMs).toBe(Date.parse("2023-04-01T21:32:35+02:00"));
    expect(telegram.clock).toMatchObject({ deviationMinutes: -120, status: { daylightSaving: true } });
    expect(telegram).not.toHaveProperty("meterTimeText");
  });

  it("is local text where it is not", () => {
    const telegram = decode(time("8000", "ff"));
    expect(telegram.meterTimeText).toBe("2023-04-01T21:32:35");
    expect(telegram).not.toHaveProperty("meterTimeMs");
    expect(telegram.clock).toEqual({ localText: "2023-04-01T21:32:35" });
  });

  it("is none where the meter calls it invalid", () => {
    const telegram = decode(time("ffc4", "01"));
    expect(telegram.clock?.status?.invalid).toBe(true);
    expect(telegram).not.toHaveProperty("meterTimeText");
    expect(telegram).not.toHaveProperty("meterTimeMs");
  });

  it.each([
    ["02", "doubtful"],
    ["04", "differentBase"],
    ["08", "invalidStatus"],
  ])("has the status bit %s", (bit, name) => {
    expect(decode(time("ffc4", bit)).clock?.status).toMatchObject({ [name]: true, invalid: false });
  });

  it("does not believe Aidon's deviation of 0", () => {
    const list = "01 01 02 02 09 06 01 01 00 02 81 ff 0a 0b 4149444f4e5f5630303031";
    expect(decodeDlms(notification(list, time("0000", "00"))).meterTimeText).toBe("2023-04-01T21:32:35");
    expect(decode(time("0000", "00")).meterTimeMs).toBe(Date.UTC(2023, 3, 1, 21, 32, 35));
  });

  it.each([
    ["an open year", "ffff 04 01 06 15 20 23 00 8000 00"],
    ["an open second", "07e7 04 01 06 15 20 ff 00 8000 00"],
    ["the last day of any month", "07e7 04 fe 06 15 20 23 00 8000 00"],
    ["30 February", "07e7 02 1e 06 15 20 23 00 8000 00"],
    ["a deviation of 13 hours", "07e7 04 01 06 15 20 23 00 030c 00"],
    ["11 bytes", "07e7 04 01 06 15 20 23 00 8000"],
  ])("is none with %s", (_, bytes) => {
    expect(readDateTime(hex(bytes))).toBeUndefined();
  });

  it("keeps hundredths where there are some", () => {
    expect(readDateTime(hex("07e7 04 01 06 15 20 23 05 8000 00"))?.localText).toBe("2023-04-01T21:32:35.05");
  });
});
