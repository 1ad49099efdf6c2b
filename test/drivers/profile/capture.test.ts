import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Problem } from "../../../attest/problem.ts";
import { captureYaml, type DumpRange, dump } from "../../../drivers/profile/dump.ts";
import { readImage, registerMap } from "../../../drivers/profile/image.ts";
import { parseProfile } from "../../../drivers/profile/load.ts";
import { redacted } from "../../../drivers/profile/redact.ts";
import { changed, compiled, ExampleMeter } from "./kit.ts";

const FACTS = { device: "Example EX-3", source: "a test", taken: "2026-11-22" };

function reader(memory: ExampleMeter, most = 125): Parameters<typeof dump>[0] {
  return async (table, { start, count }) => {
    const answer = memory.read({ unit: 3, table, start, count });
    if (count > most) throw new Problem("modbus-illegal-value", "too many");
    if (!("exception" in answer)) return Uint16Array.from(answer);
    throw new Problem("modbus-illegal-address", "no such register");
  };
}

const LIVE: DumpRange = { table: "input", start: 0, count: 20 };

describe("a dump", () => {
  it("reads ranges in requests that the device takes, and leaves out what it refuses", async () => {
    const memory = new ExampleMeter();
    memory.registers.delete("input 13");
    const blocks = await dump(reader(memory, 6), [LIVE], 60);
    expect(blocks.map(({ start, registers }) => [start, registers.length])).toEqual([
      [0, 13],
      [14, 6],
    ]);
    expect(await dump(reader(memory), [{ table: "holding", start: 900, count: 5 }], 60)).toEqual([]);
  });

  it("stops at a line that fails", async () => {
    const failing = async (): Promise<Uint16Array> => {
      throw new Problem("modbus-timeout", "no answer");
    };
    await expect(dump(failing, [LIVE], 60)).rejects.toThrow("no answer");
  });
});

describe("a redacted dump", () => {
  const device: DumpRange = { table: "holding", start: 100, count: 12 };

  it("has no serial number, and keeps make and model", async () => {
    const blocks = await dump(reader(new ExampleMeter()), [device], 60);
    const shown = redacted(blocks, compiled());
    expect(shown.blanked).toEqual(["holding 104-105: serial"]);
    expect(shown.blocks[0]?.registers.slice(0, 7)).toEqual([0x4558, 0x2d33, 0, 0, 0, 0, 7]);
  });

  it("has no text that nobody knows", async () => {
    const memory = new ExampleMeter();
    memory.set("holding", 107, [0x4d72, 0x204d, 0x6569, 0x6572, 0]);
    const blocks = await dump(reader(memory), [device], 60);
    const shown = redacted(blocks);
    expect(shown.blanked).toEqual(["holding 107-110: reads as text"]);
    expect(shown.blocks[0]?.registers.slice(7, 12)).toEqual([0, 0, 0, 0, 0]);
    expect(JSON.stringify(captureYaml(shown, FACTS))).not.toMatch(/4D72/i);
  });
});

describe("a capture", () => {
  it("goes into the profile as it is printed, and decodes to what it says", async () => {
    const memory = new ExampleMeter();
    const ranges: DumpRange[] = [
      LIVE,
      { table: "holding", start: 100, count: 12 },
      { table: "holding", start: 200, count: 1 },
    ];
    const blocks = await dump(reader(memory), ranges, 60);
    const text = captureYaml(redacted(blocks, compiled()), FACTS, compiled());
    const value: unknown = parse(text);
    const captures = Object.getOwnPropertyDescriptor(value, "captures")?.value;
    const { profile } = parseProfile(changed({ captures }), "example.yaml");
    const [capture] = profile.captures === "none" ? [] : profile.captures;
    expect(capture).toMatchObject({
      ...FACTS,
      expected: {
        grid: { activePowerMw: 600_000, importMwh: 123_450_000, exportMwh: 670_000, voltageMv: [230_100] },
      },
    });
    const again = readImage(compiled(), registerMap(capture?.registers ?? {}));
    expect(again.readings[0]).toMatchObject(capture?.expected["grid"] ?? {});
  });

  it("says nothing of registers that were not captured", () => {
    const snapshot = readImage(compiled(), registerMap({ input: { "3": "0000 0258" } }));
    expect(snapshot.readings).toMatchObject([{ channel: "grid", activePowerMw: 600_000 }]);
    expect(snapshot.readings[0]).not.toHaveProperty("importMwh");
    expect(snapshot.absent).toContain("grid import: not captured");
  });
});
