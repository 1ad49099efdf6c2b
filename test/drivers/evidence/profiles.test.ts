import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import type { MeterReading } from "../../../attest/reading.ts";
import { decodeEvidence } from "../../../drivers/evidence/decode.ts";
import { ProfileLibrary } from "../../../drivers/evidence/profile-library.ts";
import { type RegisterRun, registerFrame } from "../../../drivers/evidence/register-frame.ts";
import { bundledProfile, bundledProfiles } from "../../../drivers/profile/bundled.ts";
import type { CompiledProfile } from "../../../drivers/profile/compiled.ts";
import { type RegisterMap, registerMap } from "../../../drivers/profile/image.ts";
import type { Capture } from "../../../drivers/profile/profile.ts";
import { corpusRegisters } from "../profiles/corpora.ts";
import { benches } from "../simulated/kit.ts";
import { channelsOf, expectSame, frameOf } from "./kit.ts";

const bench = benches();
const library = new ProfileLibrary();
const ran = { frames: 0, bytes: 0, turned: 0, captures: 0, values: 0 };

afterAll(() => {
  process.stdout.write(
    `evidence: ${ran.frames} frames of ${bundledProfiles().length} simulated profiles decoded again, ` +
      `${Math.round(ran.bytes / ran.frames)} bytes each; ${ran.turned} powers both ways; ` +
      `${ran.values} values of ${ran.captures} captures\n`,
  );
});

/** The profile as a manifest pins it. */
function pinned(name: string): CompiledProfile {
  const found = library.find(bundledProfile(name).digest);
  if (found === undefined) throw new Error(`no profile has the digest of ${name}`);
  return found;
}

describe.each(bundledProfiles())("a frame of %s", (name) => {
  const profile = pinned(name);
  const captures = profile.profile.captures === "none" ? [] : profile.profile.captures;

  it("decodes to what its driver read", async () => {
    const { pass, open } = await bench(bundledProfile(name));
    const meter = open();
    await meter.identify();
    for (const seconds of [25, 260]) {
      pass(seconds);
      const snapshot = await meter.read();
      const { bytes, digest } = frameOf(snapshot);
      expect(Buffer.from(digest)).toEqual(createHash("sha256").update(bytes).digest());
      const decoded = channelsOf(decodeEvidence(name, { profile, make: "" }, bytes));
      expectSame(decoded, snapshot, meter.channels());
      ran.frames += 1;
      ran.bytes += bytes.length;
    }
  });

  it("decodes to what the driver reads where the configuration turns the powers", async () => {
    const { pass, open } = await bench(bundledProfile(name));
    const powered = Object.entries(profile.profile.channels).filter(([, { power }]) => power !== undefined);
    const positive = Object.fromEntries(
      powered.map(([channel, { sign }]) => [channel, sign?.positive === "import" ? "export" : "import"]),
    );
    const meter = open({ positive });
    pass(300);
    const snapshot = await meter.read();
    const decoded = channelsOf(decodeEvidence(name, { profile, make: "" }, frameOf(snapshot).bytes));
    for (const { channel, activePowerMw } of snapshot.readings) {
      const again = decoded.find(({ reading }) => reading.channel === channel);
      if (again?.otherwise === undefined) expect(activePowerMw ?? 0).toBe(0);
      else {
        expect(again.otherwise.setting).toBe(`positive.${channel}`);
        expect(again.otherwise.reading.activePowerMw).toBe(activePowerMw);
        expect(again.reading.activePowerMw).toBe(-(activePowerMw ?? 0));
        ran.turned += 1;
      }
    }
  });

  it.each(captures)("decodes the registers of its capture of $device", (capture) => {
    const map =
      capture.registers === undefined
        ? corpusRegisters(capture.corpus ?? "")
        : registerMap(capture.registers);
    if (map === undefined) return;
    const { bytes } = registerFrame(answersOf(profile, map));
    const decoded = channelsOf(decodeEvidence(name, { profile, make: "" }, bytes));
    ran.captures += 1;
    for (const [channel, expected] of Object.entries(capture.expected)) {
      const reading = decoded.find((one) => one.reading.channel === channel)?.reading;
      expectPublished(reading, expected);
    }
  });
});

/** A list that was captured in part has zeros behind what is known. */
function expectPublished(
  reading: Partial<MeterReading> | undefined,
  expected: Capture["expected"][string],
): void {
  for (const [key, value] of Object.entries(expected)) {
    const decoded: unknown = Object.getOwnPropertyDescriptor(reading ?? {}, key)?.value;
    const known = Array.isArray(decoded) && Array.isArray(value) ? decoded.slice(0, value.length) : decoded;
    expect({ [key]: known }).toEqual({ [key]: value });
    ran.values += 1;
  }
}

/** What a device with these registers answers to one reading; zero where nothing was captured, as a gap has it. */
function answersOf(profile: CompiledProfile, map: RegisterMap): readonly RegisterRun[] {
  const names = Object.entries(profile.profile.snapshots).filter(
    ([, { interval }]) => interval !== "identify",
  );
  const { requests } = profile.plan(names.map(([name]) => name));
  const runs = requests.map(({ table, start, count, optional }) => {
    const registers = Array.from({ length: count }, (_, at) => map[table].get(start + at));
    const captured = registers.some((register) => register !== undefined);
    const words = Uint16Array.from(registers, (register) => register ?? 0);
    return captured || !optional ? { table, start, registers: words } : [];
  });
  return runs.flat();
}
