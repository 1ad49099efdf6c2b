import { afterAll, describe, expect, it } from "vitest";
import type { PolledMeter } from "../../../drivers/driver.ts";
import { decodeEvidence } from "../../../drivers/evidence/decode.ts";
import type { DecodedChannel } from "../../../drivers/evidence/decoded.ts";
import { startRegisterImage } from "../../../drivers/simulated/register-image.ts";
import type { SimulatedModel } from "../../../drivers/simulated/sunspec-encode.ts";
import * as device from "../sunspec/devices.ts";
import {
  cleanupAfterEach,
  corpusImage,
  describeCorpus,
  fixed,
  openSuite,
  openSunSpec,
} from "../sunspec/kit.ts";
import { channelsOf, expectSame, frameOf } from "./kit.ts";

const later = cleanupAfterEach();
const ran = { frames: 0, readings: 0, cut: 0, real: 0 };

afterAll(() => {
  process.stdout.write(
    `evidence: ${ran.frames} SunSpec frames decoded again, ${ran.cut} of them of devices that give 40 registers at once, ` +
      `${ran.real} of recorded devices; ${ran.readings} readings\n`,
  );
});

const INVERTERS = [101, 102, 103, 111, 112, 113];
const METERS = [201, 202, 203, 204, 211, 212, 213, 214];
const DER = [device.derAc(), device.derCapacity(), device.enterService(), device.derControls()];

const DEVICES: readonly (readonly [name: string, models: readonly SimulatedModel[]])[] = [
  ...INVERTERS.map((id) => [`inverter ${id}`, [device.inverter(id), device.nameplate()]] as const),
  ...METERS.map((id) => [`meter ${id}`, [device.meterOf(id)]] as const),
  ["two meters behind an inverter", [device.inverter(103), device.meterOf(203), device.meterOf(201)]],
  ["inverter with controls", [device.inverter(103), device.settings(), device.immediate()]],
  ["inverter of IEEE 1547", DER],
  ["roof with a battery", [...DER, device.derStorage(), device.derDc()]],
  ["hybrid with modules", [device.inverter(103), device.nameplate(), device.hybridStorage(), device.mppt()]],
  ["battery bank", [device.bank()]],
  ["bank that charges", [device.bank({ W: -1500, ChaSt: 4 })]],
  [
    "bank with strings",
    [device.bank(), device.lithiumBank(), device.lithiumString(0, 51), device.lithiumString(1, 52)],
  ],
];

/** One snapshot of the device, and what its frame decodes to. */
async function decodeOnce(meter: PolledMeter): Promise<readonly DecodedChannel[]> {
  const { make } = await meter.identify();
  const snapshot = await meter.read();
  const { bytes } = frameOf(snapshot);
  const decoded = channelsOf(decodeEvidence("sunspec", { make }, bytes));
  const own = snapshot.readings.map(({ channel }) => channel);
  // What the device has only on demand is decoded, too.
  expectSame(
    decoded.filter(({ reading }) => own.includes(reading.channel)),
    snapshot,
    meter.channels(),
  );
  ran.frames += 1;
  ran.readings += own.length;
  return decoded;
}

describe.each(DEVICES)("a frame of a SunSpec %s", (_name, models) => {
  it("decodes to what the driver read", async () => {
    const { meter } = await openSuite(later, { models: fixed(...models) });
    await decodeOnce(meter);
    const { meter: direct } = await openSuite(later, { models: fixed(...models) }, { dcChannels: true });
    await decodeOnce(direct);
  });

  it("decodes so where the device gives it in portions", async () => {
    const limit = { kind: "read-limit", registers: 40, answer: "illegal-value" } as const;
    const suite = { models: fixed(...models), faults: () => [limit] };
    const { meter } = await openSuite(later, suite, { maxRegisters: 40 });
    await decodeOnce(meter);
    ran.cut += 1;
  });
});

describe("the maker and the configuration", () => {
  it.each(["Kilowitness", "SolarEdge ", "Fronius", "KOSTAL"])(
    "the sign of a meter of %s is its maker's",
    async (make) => {
      const models = fixed(device.meterOf(203, { TotWhExp: 4_294_960_000 }));
      const { meter } = await openSuite(later, { make, models });
      await decodeOnce(meter);
    },
  );

  it("a sign that is set otherwise is the other reading of the channel", async () => {
    const models = fixed(device.meterOf(203), device.bank({ ChaSt: 6 }));
    const usual = await openSuite(later, { models });
    const { readings } = await usual.meter.read();
    const turned = { meterPowerSign: "export-positive", batteryPowerSign: "charge-positive" };
    const { meter } = await openSuite(later, { models }, turned);
    const snapshot = await meter.read();
    const decoded = channelsOf(decodeEvidence("sunspec", { make: "Kilowitness" }, frameOf(snapshot).bytes));
    const settings = decoded.flatMap(({ otherwise }) => otherwise?.setting ?? []);
    expect(settings).toEqual(["meterPowerSign", "batteryPowerSign"]);
    for (const [at, { activePowerMw }] of snapshot.readings.entries()) {
      expect(decoded[at]?.reading.activePowerMw).toBe(readings[at]?.activePowerMw);
      expect(decoded[at]?.otherwise?.reading.activePowerMw).toBe(activePowerMw);
      expect(activePowerMw).toBe(-(readings[at]?.activePowerMw ?? 0));
    }
  });
});

describeCorpus("frames of recorded SunSpec devices", () => {
  it.each(["DeviceSMASunnyBoy36Dated20250518", "EmulatedDER"])("%s", async (name) => {
    const server = await startRegisterImage({ port: 0, image: corpusImage(name) });
    later(() => server.close());
    for (const options of [{}, { dcChannels: true }, { maxRegisters: 50 }]) {
      const meter = openSunSpec(server, options);
      later(() => meter.close());
      await decodeOnce(meter);
      ran.real += 1;
    }
  });
});
