import { describe, expect, it } from "vitest";
import { READING_STATUS } from "../../../attest/reading.ts";
import { conformance } from "../../../drivers/kit/conformance.ts";
import { physicsFault } from "../../../drivers/kit/physics.ts";
import { bundledProfile, bundledProfiles } from "../../../drivers/profile/bundled.ts";
import { driverOfProfile } from "../../../drivers/profile/definition.ts";
import { benches, differences, placeOptions } from "./kit.ts";

/*
 * Every profile that comes with the project, simulated and read by its own driver: the device's registers were put
 * together by another encoder from what truly flows, and the driver has to find the same.
 */

const bench = benches();
/** Minutes of the home's day: sun, clouds, a car that charges, evening, night. */
const LOOKS = [0, 7, 25, 220, 260, 500];

describe.each(bundledProfiles())("a simulated %s", (name) => {
  it("is read as what truly flows", async () => {
    const { device, compiled, pass, open } = await bench(bundledProfile(name));
    const { identity, channels } = compiled.profile;
    const meter = open();
    const said = await meter.identify();
    for (const field of ["make", "model", "serial"] as const)
      if (typeof identity[field] === "object") expect(said[field]).not.toBe("");
    expect(meter.channels().map((channel) => channel.name)).toEqual(Object.keys(channels));
    const directions = new Set<string>();
    let passed = 0;
    for (const minute of LOOKS) {
      pass(minute - passed);
      passed = minute;
      const snapshot = await meter.read();
      expect(differences(compiled, snapshot, device.truth())).toEqual([]);
      expect(snapshot.absent).toEqual([]);
      expect(physicsFault(snapshot)).toBeUndefined();
      for (const { channel, activePowerMw = 0, status = 0 } of snapshot.readings) {
        directions.add(`${channel} ${Math.sign(activePowerMw)}`);
        expect(status & READING_STATUS.deviceFault).toBe(0);
      }
    }
    for (const [channel, { role, power }] of Object.entries(channels))
      if (power !== undefined) expect(directions).toContain(`${channel} ${role === "generation" ? -1 : 1}`);
  });

  it("conforms to the contract of drivers", async () => {
    const compiled = bundledProfile(name);
    const { device } = await bench(compiled, { clock: () => performance.now() });
    const options = { ...placeOptions(device, "tcp"), connectDelayMs: 0, minGapMs: 0 };
    const results = await conformance(driverOfProfile(compiled), options, { reads: 2, pauseMs: 1 });
    expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
    expect(results.length).toBeGreaterThan(10);
  });
});
