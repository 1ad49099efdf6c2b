import { afterAll, describe, expect, it } from "vitest";
import type { MeterReading } from "../../../attest/reading.ts";
import type { Snapshot } from "../../../drivers/driver.ts";
import { physicsFault } from "../../../drivers/kit/physics.ts";
import { bundledProfile, bundledProfiles } from "../../../drivers/profile/bundled.ts";
import type { CompiledProfile } from "../../../drivers/profile/compiled.ts";
import { driverOfProfile } from "../../../drivers/profile/definition.ts";
import { readImage, registerMap } from "../../../drivers/profile/image.ts";
import type { Capture } from "../../../drivers/profile/profile.ts";
import { verificationOf } from "../../../drivers/profile/verification.ts";
import { corpusRegisters } from "./corpora.ts";

/*
 * The rules of the house for every profile: it loads, its reads keep the device's limits, its capture decodes to what
 * the profile says of it and breaks no law of physics, and every sign has a source.
 */

const names = bundledProfiles();
const ran = { withCapture: 0, withValues: 0, without: 0, captures: 0, notPresent: 0 };

afterAll(() => {
  process.stdout.write(
    `profiles: ${names.length}, of them ${ran.withCapture} with a real capture, ${ran.withValues} with printed values, ${ran.without} without; ` +
      `${ran.captures} captures decoded, ${ran.notPresent} not present\n`,
  );
});

/** A profile that does not load must not keep the others from being walked. */
function loaded(name: string): CompiledProfile | Error {
  try {
    return bundledProfile(name);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

describe.each(names)("profile %s", (name) => {
  const compiled = loaded(name);
  it("loads", () => {
    expect(compiled instanceof Error ? compiled.message : "loaded").toBe("loaded");
  });
  if (compiled instanceof Error) return;
  const { profile } = compiled;

  it("is a driver whose options need nothing but a place", () => {
    const driver = driverOfProfile(compiled);
    expect(driver.summary).toBe(profile.title);
    const place = profile.transport.tcp === undefined ? { line: "tcp://127.0.0.1:1" } : { host: "127.0.0.1" };
    expect(driver.schema.safeParse(place).error).toBeUndefined();
  });

  it("reads within the device's limits, and everything that it uses", () => {
    const plan = compiled.plan(Object.keys(profile.snapshots));
    for (const { count, table, start } of plan.requests) {
      expect(count, `${table} ${start}`).toBeLessThanOrEqual(profile.transport.maxRegisters);
      expect(start + count).toBeLessThanOrEqual(65536);
    }
    expect([...plan.places.keys()].sort()).toEqual(Object.keys(profile.points).sort());
  });

  it("has a source for every sign, and uses every point", () => {
    for (const { power, sign } of Object.values(profile.channels))
      if (power !== undefined) expect(sign?.source.length).toBeGreaterThan(10);
    const { points: _points, ...rest } = profile;
    const used = JSON.stringify([
      rest,
      Object.values(profile.points).map(({ scaleBy, negativeWhen }) => [scaleBy, negativeWhen]),
    ]);
    // A setting is watched even where nothing else refers to it.
    for (const [name, { kind }] of Object.entries(profile.points))
      if (kind !== "setting") expect(used).toMatch(new RegExp(`"-?${name}"`));
  });

  const { captures, printed } = verificationOf(profile);
  ran[captures > 0 ? "withCapture" : printed > 0 ? "withValues" : "without"] += 1;
  if (profile.captures === "none") return;
  it.each(profile.captures.map((capture) => ({ device: capture.device, capture })))(
    "decodes its capture of $device",
    ({ capture }) => {
      const registers =
        capture.registers === undefined
          ? corpusRegisters(capture.corpus ?? "")
          : registerMap(capture.registers);
      ran[registers === undefined ? "notPresent" : "captures"] += 1;
      if (registers === undefined) return;
      const snapshot = readImage(compiled, registers);
      for (const [channel, expected] of Object.entries(capture.expected))
        expect(valuesOf(snapshot, channel)).toMatchObject(expected);
      expect(Object.keys(capture.expected).length).toBeGreaterThan(0);
      expect(physicsFault(snapshot)).toBeUndefined();
      expectDirections(capture, snapshot);
    },
  );
});

function valuesOf(snapshot: Snapshot, channel: string): Partial<MeterReading> {
  return snapshot.readings.find((reading) => reading.channel === channel) ?? {};
}

/** Where a capture shows a direction, the power has to have it. */
function expectDirections({ shows }: Capture, snapshot: Snapshot): void {
  for (const [channel, direction] of Object.entries(shows)) {
    const power = valuesOf(snapshot, channel).activePowerMw ?? 0;
    expect({ channel, direction: power > 0 ? "import" : power < 0 ? "export" : "none" }).toEqual({
      channel,
      direction,
    });
  }
}
