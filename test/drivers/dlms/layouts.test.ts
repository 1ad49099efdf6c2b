import { describe, expect, it } from "vitest";
import { decodeDlms } from "../../../drivers/dlms/telegram.ts";
import { hex, notification, problemOf } from "./kit.ts";

function read(body: string): string[] {
  return decodeDlms(notification(body)).values.map(({ code, text, unit }) =>
    `${code} ${text} ${unit ?? ""}`.trim(),
  );
}

function u32(...values: number[]): string {
  return values.map((value) => `06 ${value.toString(16).padStart(8, "0")}`).join(" ");
}

function u16(...values: number[]): string {
  return values.map((value) => `12 ${value.toString(16).padStart(4, "0")}`).join(" ");
}

function octets(text: string): string {
  return `09 ${text.length.toString(16).padStart(2, "0")} ${Buffer.from(text).toString("hex")}`;
}

const NAME = octets("ISK1030712345678");

describe("Iskra's lists by place", () => {
  it("of an AM550: power, volts, amperes, and the power of each phase", () => {
    const body = `02 12 ${NAME} ${octets("16820005")} ${u32(1393, 0, 0, 738)} ${u16(2379, 2380, 2296)} ${u16(103, 125, 597)} ${u32(16, 51, 1325, 0, 0, 0)}`;
    expect(read(body)).toEqual([
      "0-0:96.1.0*255 ISK1030712345678",
      ...["1-0:1.7.0*255 1393 W", "1-0:2.7.0*255 0 W", "1-0:3.7.0*255 0 var", "1-0:4.7.0*255 738 var"],
      ...["1-0:32.7.0*255 237.9 V", "1-0:52.7.0*255 238.0 V", "1-0:72.7.0*255 229.6 V"],
      ...["1-0:31.7.0*255 1.03 A", "1-0:51.7.0*255 1.25 A", "1-0:71.7.0*255 5.97 A"],
      ...["1-0:21.7.0*255 16 W", "1-0:41.7.0*255 51 W", "1-0:61.7.0*255 1325 W"],
      ...["1-0:22.7.0*255 0 W", "1-0:42.7.0*255 0 W", "1-0:62.7.0*255 0 W"],
    ]);
  });

  it("of the quarter hour: registers whose tariffs add up", () => {
    const body = (total: number): string =>
      `02 0c ${NAME} ${octets("16820006")} 16 01 ${octets("\u0000\u0001")} ${u32(total, 13593, 39244, 177927, 78615, 99312, 5, 6)}`;
    expect(read(body(52837))).toEqual([
      "0-0:96.1.0*255 ISK1030712345678",
      ...["1-0:1.8.0*255 52837 Wh", "1-0:1.8.1*255 13593 Wh", "1-0:1.8.2*255 39244 Wh"],
      ...["1-0:2.8.0*255 177927 Wh", "1-0:2.8.1*255 78615 Wh", "1-0:2.8.2*255 99312 Wh"],
      ...["1-0:3.8.0*255 5 varh", "1-0:4.8.0*255 6 varh"],
    ]);
    expect(problemOf(() => read(body(52840))).code).toBe("dlms-layout");
  });

  it("of one phase, with registers alone, and of another distributor", () => {
    const id = octets("12345678");
    expect(read(`02 04 ${id} 11 00 ${u32(7924641, 3)}`)).toEqual([
      ...["0-0:96.1.0*255 12345678", "1-0:1.8.0*255 7924641 Wh", "1-0:2.8.0*255 3 Wh"],
    ]);
    expect(read(`02 0a ${NAME} ${id} ${u32(540, 0, 0, 282)} ${u16(2336, 278)} ${u32(540, 0)}`)).toEqual(
      expect.arrayContaining(["1-0:1.7.0*255 540 W", "1-0:32.7.0*255 233.6 V", "1-0:31.7.0*255 2.78 A"]),
    );
    expect(
      read(`02 0c ${NAME} ${octets("UP_3f")} ${u16(2314, 2303, 2348, 451, 525, 88)} ${u32(2399, 7, 4, 264)}`),
    ).toEqual(
      expect.arrayContaining(["1-0:1.7.0*255 2399 W", "1-0:2.7.0*255 7 W", "1-0:52.7.0*255 230.3 V"]),
    );
    expect(read(`02 09 ${NAME} ${u32(625, 0, 300, 100, 200, 250, 112, 138)}`)).toEqual(
      expect.arrayContaining(["1-0:1.8.0*255 300 Wh", "1-0:2.8.0*255 250 Wh", "1-0:1.7.0*255 625 W"]),
    );
  });

  it("of any other shape are refused", () => {
    expect(problemOf(() => read(`02 03 ${NAME} ${u32(1, 2)}`)).code).toBe("dlms-layout");
    expect(problemOf(() => read(`02 04 ${octets("X2345678")} 11 00 ${u32(1, 2)}`)).code).toBe("dlms-layout");
  });
});

describe("Landis+Gyr's lists of objects", () => {
  const object = (code: string, classId = 3): string =>
    `02 04 12 ${classId.toString(16).padStart(4, "0")} 09 06 ${code} 0f 02 12 0000`;
  const setup = "00 08 19 09 00 ff";
  const objects = [
    ...[object(setup, 40), object(setup, 40), object("00 00 60 01 00 ff", 1)],
    ...[object("01 00 01 07 00 ff"), object("01 01 01 08 00 ff")],
  ];
  const list = `01 05 ${objects.join(" ")} 09 06 ${setup}`;

  it("give each value the code at its place, without a unit", () => {
    expect(read(`02 05 ${list} ${octets("63316890")} ${u32(331, 4912257)}`)).toEqual([
      ...["0-0:96.1.0*255 63316890", "1-0:1.7.0*255 331", "1-1:1.8.0*255 4912257"],
    ]);
  });

  it("are refused where values are missing or too many", () => {
    expect(problemOf(() => read(`02 04 ${list} ${octets("63316890")} ${u32(331)}`)).code).toBe("dlms-layout");
    expect(problemOf(() => read(`02 06 ${list} ${octets("63316890")} ${u32(1, 2, 3)}`)).code).toBe(
      "dlms-layout",
    );
  });
});

describe("lists with descriptors", () => {
  const entry = (code: string, value: string): string => `02 02 0003 ${code} 02 ${value}`;
  const head = "02 02 16 01";
  const entries = [
    entry("00 00 60 01 01 ff", octets("5100005149")),
    entry("01 00 01 07 00 ff", u32(1956)),
    entry("01 00 01 08 00 ff", u32(4913794)),
  ];

  it("have the code in each descriptor, and no units", () => {
    expect(read(`${head} 01 03 ${entries.join(" ")}`)).toEqual([
      ...["0-0:96.1.1*255 5100005149", "1-0:1.7.0*255 1956", "1-0:1.8.0*255 4913794"],
    ]);
  });

  it.each([
    ["an entry too few", `${head} 01 04 ${entries.join(" ")}`, "dlms-truncated"],
    ["an entry too many", `${head} 01 02 ${entries.join(" ")}`, "dlms-trailing"],
    [
      "an entry of three",
      `${head} 01 02 ${entries[0]} ${entries[1]?.replace("02 02", "02 03")}`,
      "dlms-layout",
    ],
    [
      "two values under one code",
      `${head} 01 02 ${entry("01 00 01 08 00 ff", u32(1))} ${entry("01 00 01 08 00 ff", u32(2))}`,
      "dlms-duplicate",
    ],
  ])("with %s are refused", (_, body, code) => {
    expect(problemOf(() => read(body)).code).toBe(code);
  });
});

describe("protection that is not read", () => {
  it.each(["dc", "dd", "df"])("of the kind %s is refused clearly", (tag) => {
    const problem = problemOf(() => decodeDlms(hex(`${tag} 08 4d4d4d0000bc614e 06 30 01234567 00`)));
    expect(problem).toMatchObject({ code: "dlms-security", message: expect.stringContaining(tag) });
  });
});
