import { expect, it } from "vitest";
import { startRegisterImage } from "../../../drivers/simulated/register-image.ts";
import { Block } from "../../../drivers/sunspec/block.ts";
import type { Fields } from "../../../drivers/sunspec/fields.ts";
import type { Point, Points, PointType } from "../../../drivers/sunspec/models.ts";
import { COMMON_MODEL } from "../../../drivers/sunspec/models-ac.ts";
import { READ_MODELS } from "../../../drivers/sunspec/survey.ts";
import {
  cleanupAfterEach,
  corpusImage,
  corpusText,
  describeCorpus,
  frameDigest,
  openSunSpec,
  problemOf,
} from "./kit.ts";

const later = cleanupAfterEach();

async function serve(name: string, options: object = {}) {
  const image = corpusImage(name);
  const server = await startRegisterImage({ port: 0, image });
  later(() => server.close());
  const meter = openSunSpec(server, options);
  later(() => meter.close());
  return { meter, registers: image.blocks[0]?.registers ?? [], server };
}

/** Registers `from`..`to` (holding addresses from 40000) of an image. */
function slice(registers: readonly (number | null)[], from: number, count: number): number[] {
  return registers.slice(from - 40000, from - 40000 + count).map((r) => r ?? 0);
}

/** What upstream's decoder printed for one point of one model, as text. */
function expectedText(yaml: string, model: string, point: string): string | undefined {
  const tests = yaml.slice(yaml.indexOf("\ntests:"));
  const from = tests.slice(tests.indexOf(`'${model}'\n        expected`));
  return new RegExp(`'${point}':\\s+\\[ '([^']*)' \\]`).exec(from)?.[1];
}

/** What the decoder printed for the points of one model: text, or undefined for "not implemented". */
function expectedPoints(yaml: string, model: string): ReadonlyMap<string, string | undefined> {
  const tests = yaml.slice(yaml.indexOf("\ntests:"));
  const section = tests.slice(tests.indexOf(`'${model}'\n        expected`));
  const end = section.indexOf("\n      - id:");
  const lines = section.slice(0, end < 0 ? undefined : end).matchAll(/'(\w+)': +\[(?: '([^']*)' )?(,?)/g);
  return new Map([...lines].map(([, name = "", value, more]) => [name, more === "," ? "several" : value]));
}

/** Names of states and bits are the other decoder's own; bits that are all clear it does not print. */
function isComparable(type: PointType, text: string | undefined): boolean {
  if (type.startsWith("bitfield")) return false;
  return text === undefined || type === "string" || !Number.isNaN(Number(text));
}

/** Our value as the other decoder prints it. */
function printed(fields: Fields, { name, type, scale }: Point): string | undefined {
  if (type === "string") return fields.text(name);
  if (scale === undefined) return fields.state(name)?.toString();
  const milli = fields.optionalMilli(name);
  return milli === undefined ? undefined : (milli / 1000).toFixed(3);
}

interface PrintedBlock {
  readonly block: Block;
  readonly sets: readonly (readonly [prefix: string, fields: Fields, points: Points])[];
}

/** The models of an image that the driver knows, straight from its registers. */
function blocksOf(registers: readonly (number | null)[]): readonly PrintedBlock[] {
  const blocks: PrintedBlock[] = [];
  for (let at = 2; registers[at] !== 0xffff; at += 2 + (registers[at + 1] ?? 0)) {
    const [id = 0, length = 0] = [registers[at] ?? 0, registers[at + 1] ?? 0];
    const model = id === 1 ? COMMON_MODEL : READ_MODELS.get(id);
    if (model === undefined) continue;
    const all = Uint16Array.from(registers.slice(at, at + 2 + length), (register) => register ?? 0);
    const block = new Block({ model, place: { id, start: at, length } }, { registers: all, runs: [] });
    const prefix = id === 160 ? "Module" : "Prt";
    const sets = block
      .sets()
      .map((fields, n) => [`${prefix}_${n}_`, fields, model.group?.points ?? new Map()] as const);
    blocks.push({ block, sets });
  }
  return blocks;
}

describeCorpus("a recorded SMA Sunny Boy 3.6", () => {
  it("says who it is", async () => {
    const { meter } = await serve("DeviceSMASunnyBoy36Dated20250518");
    expect(await meter.identify()).toEqual({
      make: "SMA",
      model: "SB3.6-1AV-41",
      serial: "3005067415",
      firmware: "4.01.15.R",
    });
    expect(meter.channels()).toEqual([
      {
        name: "inverter",
        role: "generation",
        quantities: ["export", "power"],
        resolutionMwh: 10_000,
        rolloverMwh: 4294967296 * 10_000,
        maxExportMw: 3_680_000,
        signSource: expect.stringContaining("W positive, St MPPT"),
        signVerified: true,
      },
    ]);
  });

  it("reads what its registers hold", async () => {
    const { meter, registers } = await serve("DeviceSMASunnyBoy36Dated20250518");
    const snapshot = await meter.read();
    // Model 101 has its ID at 40185 in the annotated dump; WH is a 32-bit value in steps of 10^1 Wh.
    const block = slice(registers, 40185, 52);
    const wh = ((block[24] ?? 0) * 65536 + (block[25] ?? 0)) * 10;
    expect(wh).toBe(30_388_530);
    expect(snapshot.readings).toEqual([
      {
        channel: "inverter",
        exportMwh: wh * 1000,
        activePowerMw: -3_680_000,
        voltageMv: [244_000],
        currentMa: [15_100],
        frequencyMhz: 49_990,
        status: 0,
        evidence: frameDigest([40185, block]),
      },
    ]);
    expect(snapshot.absent).toEqual([]);
  });

  it("agrees with another decoder", async () => {
    const { meter } = await serve("DeviceSMASunnyBoy36Dated20250518");
    const yaml = corpusText("expected/SunSpec2025.yaml");
    const [reading] = (await meter.read()).readings;
    const text = (point: string) => Number(expectedText(yaml, "Model 101", point));
    expect(reading?.exportMwh).toBe(text("WH") * 1000);
    expect(reading?.activePowerMw).toBe(-text("W") * 1000);
    expect(reading?.voltageMv).toEqual([text("PhVphA") * 1000]);
    expect(reading?.frequencyMhz).toBe(text("Hz") * 1000);
  });
});

describeCorpus("the output of a DER emulator", () => {
  it("is an inverter without a storage, whatever models it has", async () => {
    const { meter, registers } = await serve("EmulatedDER");
    expect((await meter.identify()).serial).toBe("SN-Three-Phase");
    expect(meter.channels()).toMatchObject([
      { name: "inverter", role: "generation", quantities: ["import", "export", "power"] },
    ]);
    // By hand: model 701 has its ID at 40070 in the annotated dump, and is read up to its last scale factor that counts.
    const block = slice(registers, 40070, 121);
    const at = (address: number): number => registers[address - 40000] ?? Number.NaN;
    expect([at(40080), at(40087) * 65536 + at(40088), at(40092), at(40096)]).toEqual([9800, 60_010, 150, 0]);
    // Beside it 702, 703 and 704, which follow, all of them whole.
    const evidence = frameDigest(
      [40070, block],
      [40225, slice(registers, 40225, 52)],
      [40277, slice(registers, 40277, 19)],
      [40296, slice(registers, 40296, 67)],
    );
    const { readings, flexibility, absent } = await meter.read();
    expect(readings).toEqual([
      {
        channel: "inverter",
        importMwh: 0,
        exportMwh: 150_000,
        activePowerMw: -9_800_000,
        // VL1 at 40117, VL2 at 40140, VL3 at 40163, and AL1 at 40115 and so on, in tenths.
        voltageMv: [at(40117), at(40140), at(40163)].map((tenths) => tenths * 100),
        currentMa: [at(40115), at(40138), at(40161)].map((tenths) => tenths * 100),
        frequencyMhz: 60_010,
        status: 0,
        evidence,
      },
    ]);
    expect(readings[0]?.voltageMv).toEqual([276_800, 277_300, 277_600]);
    expect(flexibility).toEqual([
      {
        channel: "inverter",
        exportLimitMw: 10_000_000,
        available: true,
        evidence,
      },
    ]);
    expect(absent).toEqual([]);
  });

  it("has two DC inputs where they are asked for", async () => {
    const { meter } = await serve("EmulatedDER", { dcChannels: true });
    const { readings } = await meter.read();
    const { evidence } = readings[0] ?? {};
    const input = { importMwh: 0, exportMwh: 346_121_000, activePowerMw: -5_500_000, evidence };
    expect(readings.slice(1)).toEqual([
      { channel: "dc1", ...input },
      { channel: "dc2", ...input },
    ]);
  });
});

describeCorpus("the DC inputs of the recorded Sunny Boy", () => {
  it("are two of six", async () => {
    const { meter, registers } = await serve("DeviceSMASunnyBoy36Dated20250518", { dcChannels: true });
    const { readings } = await meter.read();
    // In the annotated dump DCW of the modules is at 40642 and 40662, in steps of 10 W; 3680 W come out of the inverter.
    expect([registers[642], registers[662]]).toEqual([221, 160]);
    expect(readings.slice(1)).toMatchObject([
      { channel: "dc1", activePowerMw: -2_210_000 },
      { channel: "dc2", activePowerMw: -1_600_000 },
    ]);
    expect(readings[1]).not.toHaveProperty("exportMwh");
  });
});

describeCorpus("every point that is read", () => {
  it.each([
    ["DeviceSMASunnyBoy36Dated20250518", "SunSpec2025", 8, 72],
    ["EmulatedDER", "SunSpecEmulatedDer", 7, 60],
  ] as const)("of %s is what another decoder says", (name, expected, models, count) => {
    const yaml = corpusText(`expected/${expected}.yaml`);
    const registers = corpusImage(name).blocks[0]?.registers ?? [];
    let compared = 0;
    const blocks = blocksOf(registers);
    expect(blocks).toHaveLength(models);
    for (const { block, sets } of blocks) {
      const said = expectedPoints(yaml, `Model ${block.model.id}`);
      for (const [prefix, fields, points] of [["", block, block.model.points] as const, ...sets])
        for (const point of points.values()) {
          expect([...said.keys()]).toContain(`${prefix}${point.name}`);
          const text = said.get(`${prefix}${point.name}`);
          if (!isComparable(point.type, text)) continue;
          expect(printed(fields, point), `model ${block.model.id} ${prefix}${point.name}`).toBe(text);
          compared += 1;
        }
    }
    console.log(`corpora: sunspec points of ${name} compared with another decoder: ${compared}`);
    expect(compared).toBe(count);
  });
});

describeCorpus("recorded devices", () => {
  it("are not found on a unit or base where they are not", async () => {
    const { server } = await serve("EmulatedDER");
    const meter = openSunSpec(server, { base: 50000 });
    later(() => meter.close());
    expect((await problemOf(meter.identify())).code).toBe("driver-not-sunspec");
    console.log("corpora: sunspec register images: 2");
  });
});
