import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommanderError } from "commander";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { flexCommand } from "../../agent/cli/flex.ts";
import { parseLoad, parseNominations } from "../../agent/cli/flex-baseline-load.ts";
import { parseEvent, parseInstant } from "../../agent/cli/flex-baseline-time.ts";
import { dayNumber, dayStart, openZone, type Zone } from "../../attest/baseline/zone.ts";
import { problemOf, refusalOf } from "../attest/refusal.ts";

const BERLIN = openZone("Europe/Berlin");
const QUARTER = 900_000;
const DAY = 96 * QUARTER;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kilowitness-flex-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command in this process, with the exit status that the launcher gives a command line that is wrong. */
async function ended(...args: readonly string[]): Promise<Outcome> {
  const text = { out: "", err: "" };
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((chunk) => said("out", String(chunk))),
    vi.spyOn(process.stderr, "write").mockImplementation((chunk) => said("err", String(chunk))),
  ];
  const said = (stream: "out" | "err", chunk: string): boolean => {
    text[stream] += chunk;
    return true;
  };
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await flexCommand()
      .exitOverride()
      .parseAsync(["baseline", ...args], { from: "user" });
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    process.exitCode = cause.exitCode === 0 ? 0 : 2;
  }
  const code = Number(process.exitCode);
  process.exitCode = before;
  for (const spy of spies) spy.mockRestore();
  return { code, ...text };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** 40 days of 4 kW in UTC up to 2026-06-17, 5 kW on the day of `more`; 3 kW in the afternoon of the last day. */
function loadText(row: (time: string, kilowatts: number) => string = (time, kw) => `${time},${kw}`): string {
  const endMs = dayNumber("2026-06-18") * DAY;
  const rows: string[] = ["time,kW"];
  for (let ms = endMs - 40 * DAY; ms < endMs; ms += QUARTER) {
    const time = new Date(ms).toISOString().slice(0, 16).replace("T", " ");
    const kilowatts = time >= "2026-06-17 14:00" && time < "2026-06-17 16:00" ? 3 : 4;
    rows.push(row(time, time.startsWith("2026-06-09") ? 5 : kilowatts));
  }
  return `${rows.join("\n")}\n`;
}

describe("kilowitness flex baseline", () => {
  const EVENT = ["--event", "2026-06-17T14:00/16:00"];

  it("answers with days, baseline, actual and delivered as JSON", async () => {
    const load = ["--load", file("load.csv", loadText()), ...EVENT, "--json"];
    const [h10, excluded, middle] = [
      await ended(...load, "--method", "h10/1"),
      await ended(...load, "--method", "h10/1", "--exclude", "2026-06-09", "--holiday", "2026-06-08"),
      await ended(
        ...load,
        "--method",
        "h10-sda20/1",
        "--direction",
        "increase",
        "--notice",
        "2026-06-17T09:00",
      ),
    ];
    expect([h10.code, excluded.code, middle.code]).toEqual([0, 0, 0]);
    expect(JSON.parse(h10.out)).toMatchObject({
      ...{ method: "h10/1", settles: true, zone: "UTC", day: "2026-06-17", intervalMs: QUARTER },
      usedDays: ["16", "15", "12", "11", "10", "09", "08", "05", "04", "03"].map((day) => `2026-06-${day}`),
      baselineMwh: Array(8).fill(1_025_000),
      actualMwh: Array(8).fill(750_000),
      deliveredMwh: Array(8).fill(275_000),
      totals: { baselineMwh: 8_200_000, actualMwh: 6_000_000, deliveredMwh: 2_200_000 },
    });
    const without = JSON.parse(excluded.out);
    expect(without.deliveredMwh).toEqual(Array(8).fill(250_000));
    expect(without.excludedDays).toContainEqual({ day: "2026-06-09", reason: "listed", number: 1 });
    expect(without.excludedDays).toContainEqual({ day: "2026-06-08", reason: "unlike", number: 3 });
    expect(JSON.parse(middle.out)).toMatchObject({
      adjustment: { kind: "ratio", ratio: "40/41", applied: "40/41", toMs: Date.parse("2026-06-17T09:00Z") },
      deliveredMwh: Array(8).fill(-250_000),
    });
  });

  it("prints a table for people, and says what is telemetry", async () => {
    const load = ["--load", file("table.csv", loadText()), ...EVENT];
    const [plain, telemetry] = [
      await ended(...load, "--method", "h10/1"),
      await ended(...load, "--method", "before-after/1"),
    ];
    const lines = plain.out.split("\n");
    expect(lines[0]).toBe("h10/1, reduce, 2026-06-17, UTC");
    expect(lines[1]).toContain("2026-06-16, 2026-06-15, 2026-06-12");
    expect(lines).toContain("2026-06-17 14:00        1025.000         750.000         275.000");
    expect(lines).toContain("total                   8200.000        6000.000        2200.000");
    expect(plain.out).toMatch(
      /error on past days: bias -?\d+\.\d\d %, relative RMSE \d+\.\d\d %, over \d+ days/,
    );
    expect(telemetry.out).toContain("before-after/1 (telemetry: it settles nothing)");
  });

  it("takes nominations from a file", async () => {
    const receipt = (time: string): string =>
      `${new Date(Date.parse(time.slice(0, 10)) - 1).toISOString().slice(0, 19)}Z`;
    const nominations = file(
      "nominations.csv",
      loadText((time) => `${time},4,${receipt(time)}`),
    );
    const load = ["--load", file("nominated.csv", loadText()), ...EVENT, "--method", "nom/1", "--json"];
    const calm = ["--exclude", "2026-06-09"];
    const [good, bad, none] = [
      await ended(...load, ...calm, "--nominations", nominations),
      await ended(...load, ...calm, "--nominations", nominations, "--notice", "2026-06-16T12:00"),
      await ended(...load),
    ];
    expect(JSON.parse(good.out)).toMatchObject({
      deliveredMwh: Array(8).fill(250_000),
      pastError: { biasPpm: 0 },
    });
    expect(bad).toMatchObject({ code: 1, out: "" });
    expect(bad.err).toContain("baseline-nomination-late");
    expect(none.err).toContain("baseline-nomination-missing");
  });

  it("ends with 1 for what the data lack and with 2 for a wrong command line, in one line", async () => {
    const load = ["--load", file("errors.csv", loadText())];
    const broken = ["--load", file("broken.csv", "time,kW\n2026-06-17 14:00,4\n2026-06-17 14:15,four\n")];
    const method = ["--method", "h10/1"];
    const cases: readonly (readonly [args: readonly string[], code: number, said: string])[] = [
      [[...load, "--event", "2026-05-12T14:00/16:00", ...method], 1, "baseline-days"],
      [[...load, "--event", "2026-06-18T14:00/16:00", ...method], 1, "2026-06-18 14:00"],
      [[...broken, ...EVENT, ...method], 1, "broken.csv:3: not a line of it; expected a power in kW"],
      [["--load", join(folder, "gone.csv"), ...EVENT, ...method], 1, "ENOENT"],
      [[...load, ...EVENT, "--method", "h11/1"], 2, "h10-sda20/1"],
      [[...load, "--event", "2026-06-17T16:00/14:00", ...method], 2, "config-event"],
      [[...load, "--event", "2026-06-17T16:05/17:00", ...method], 2, "config-event"],
      [[...load, ...EVENT, ...EVENT, ...method], 2, "config-event"],
      [[...load, ...EVENT, ...method, "--zone", "Mars/Olympus"], 2, "not a time zone"],
      [[...load, ...EVENT, ...method, "--holiday", "2026-02-30"], 2, "not a day"],
      [[...load, ...EVENT, ...method, "--interval", "7"], 2, "divisor of 1440"],
      [[...load, ...method], 2, "--event"],
    ];
    for (const [args, code, said] of cases) {
      const outcome = await ended(...args);
      expect({ args, ...outcome }).toMatchObject({ code, out: "" });
      expect(outcome.err).toContain(said);
    }
  });
});

describe("a load curve", () => {
  const terms = { zone: BERLIN, intervalMs: QUARTER };
  const load = (text: string, zone: Zone = BERLIN): unknown => parseLoad(text, "l.csv", { ...terms, zone });
  const at = (text: string): number => Date.parse(text);

  it.each([
    ["5.168", 1_292_000],
    ["-0.001", -250],
    ["0.0005", 250],
    ["0.00049", 0],
    ["-0.0005", 0],
    ["+12", 3_000_000],
  ])("%s kW is %i mWh in a quarter of an hour", (power, energyMwh) => {
    expect(load(`2026-06-17T12:00:00Z,${power}`)).toEqual([{ startMs: at("2026-06-17T12:00Z"), energyMwh }]);
  });

  it("rounds the energy of short intervals once more", () => {
    const minute = { zone: BERLIN, intervalMs: 60_000 };
    expect(parseLoad("2026-06-17T12:00Z,0.001\n", "l.csv", minute)).toMatchObject([{ energyMwh: 17 }]); // 16.67
  });

  it("leaves out what is missing, empty lines and a header, and takes any order", () => {
    const text =
      "\uFEFFwhen, kW\r\n2026-06-17 14:15, 1\r\n2026-06-17 14:30,nan\r\n2026-06-17T14:45:00,\r\n\r\n2026-06-17 14:00,2\r\n";
    expect(load(text)).toEqual([
      { startMs: at("2026-06-17T12:15Z"), energyMwh: 250_000 },
      { startMs: at("2026-06-17T12:00Z"), energyMwh: 500_000 },
    ]);
  });

  it("takes a time that stands twice for the hour that came twice", () => {
    const text =
      "2026-10-25 02:15,1\n2026-10-25 02:15,nan\n2026-10-25T02:30:00+01:00,3\n2026-10-25 02:30,4\n";
    expect(load(`${text}2026-10-25 03:00,5`)).toEqual([
      { startMs: at("2026-10-25T00:15Z"), energyMwh: 250_000 },
      { startMs: at("2026-10-25T01:30Z"), energyMwh: 750_000 },
      { startMs: at("2026-10-25T00:30Z"), energyMwh: 1_000_000 },
      { startMs: at("2026-10-25T02:00Z"), energyMwh: 1_250_000 },
    ]);
  });

  it.each([
    ["a second column missing", "2026-06-17 14:00", "2 columns"],
    ["a third column", "2026-06-17 14:00,1,2", "2 columns"],
    ["a time that is none", "17.06.2026 14:00,1", "a time such as"],
    ["a day that is none", "2026-02-30 14:00,1", "a time such as"],
    ["a time that the clock skips", "2026-03-29 02:15,1", "that a clock in Europe/Berlin shows"],
    ["an interval twice", "2026-06-17 14:00,1\n2026-06-17 14:00,1", "each interval once"],
    [
      "an hour three times",
      "2026-10-25 02:15,1\n2026-10-25 02:15,1\n2026-10-25 02:15,1",
      "each interval once",
    ],
    ["a time off the grid", "2026-06-17 14:07,1", "the beginning of an interval of 15 min"],
    ["an exponent", "2026-06-17 14:00,1e3", "a power in kW"],
    ["infinity", "2026-06-17 14:00,inf", "a power in kW"],
    ["words in a later line", "2026-06-17 14:00,1\nend,of it", "a time such as"],
  ])("is refused with its line for %s", (_, text, expected) => {
    const problem = problemOf(() => load(text));
    expect(problem.code).toBe("flex-csv");
    expect(problem.detail.expected).toContain(expected);
    expect(problem.detail.where).toBe(`l.csv:${text.split("\n").length}`);
  });

  it("of nominations has the time of the receipt", () => {
    expect(parseNominations("2026-06-17 14:00,1,2026-06-16 23:00\n", "n.csv", terms)).toEqual([
      { startMs: at("2026-06-17T12:00Z"), energyMwh: 250_000, receiptedMs: at("2026-06-16T21:00Z") },
    ]);
    expect(refusalOf(() => parseNominations("2026-06-17 14:00,1,soon\n", "n.csv", terms))).toBe("flex-csv");
  });
});

describe("an event on the command line", () => {
  const hours = (text: string): number => {
    const { fromMs, toMs } = parseEvent(text, BERLIN);
    return (toMs - fromMs) / (4 * QUARTER);
  };

  it("is in local time, to the end of the day, over the hour that is skipped or comes again", () => {
    expect(parseEvent("2026-06-17T14:00/16:00", BERLIN).fromMs).toBe(Date.parse("2026-06-17T12:00Z"));
    expect(parseEvent("2026-06-17T23:00/24:00", BERLIN).toMs).toBe(dayStart(BERLIN, dayNumber("2026-06-18")));
    expect(hours("2026-03-29T01:00/04:00")).toBe(2);
    expect(hours("2026-10-25T02:00/03:00")).toBe(2);
  });

  it.each([
    "2026-06-17T14:00/14:00",
    "2026-06-17T14:00",
    "2026-02-30T14:00/15:00",
    "2026-03-29T02:30/04:00",
    "T14/15",
  ])("is refused: %s", (text) => {
    expect(refusalOf(() => parseEvent(text, BERLIN))).toBe("config-event");
  });

  it("has a notice in local time or with a zone", () => {
    expect(parseInstant("2026-06-17T10:00", BERLIN, "--notice")).toBe(Date.parse("2026-06-17T08:00Z"));
    expect(parseInstant("2026-06-17T10:00:30-07:00", BERLIN, "--notice")).toBe(
      Date.parse("2026-06-17T17:00:30Z"),
    );
    expect(refusalOf(() => parseInstant("10:00", BERLIN, "--notice"))).toBe("config-event");
  });
});
