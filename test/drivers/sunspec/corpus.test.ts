import { expect, it } from "vitest";
import { startRegisterImage } from "../../../drivers/simulated/register-image.ts";
import {
  cleanupAfterEach,
  corpusImage,
  corpusText,
  describeCorpus,
  openSunSpec,
  problemOf,
  sha256Of,
} from "./kit.ts";

const later = cleanupAfterEach();

async function serve(name: string) {
  const image = corpusImage(name);
  const server = await startRegisterImage({ port: 0, image });
  later(() => server.close());
  const meter = openSunSpec(server);
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
        signSource: expect.stringContaining("701"),
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
        evidence: sha256Of(block),
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
  it("skips what it does not know and reads model 713", async () => {
    const { meter, registers } = await serve("EmulatedDER");
    const yaml = corpusText("expected/SunSpecEmulatedDer.yaml");
    expect((await meter.identify()).serial).toBe("SN-Three-Phase");
    expect(meter.channels().map((channel) => channel.name)).toEqual(["battery"]);
    const { readings, flexibility } = await meter.read();
    const of = (point: string) => Number(expectedText(yaml, "Model 713", point));
    const evidence = sha256Of(slice(registers, 41068, 9));
    expect(readings).toEqual([
      { channel: "battery", stateOfChargePpm: of("SoC") * 10_000, status: 0, evidence },
    ]);
    expect(flexibility).toEqual([
      {
        channel: "battery",
        stateOfChargePpm: of("SoC") * 10_000,
        capacityMwh: of("WHRtg") * 1000,
        usableEnergyMwh: of("WHAvail") * 1000,
        reduceEnergyMwh: of("WHAvail") * 1000,
        available: false,
        evidence,
      },
    ]);
    expect(expectedText(yaml, "Model 713", "Sta")).toBe("OK");
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
