import { describe, it, vi } from "vitest";
import { enclosureAtRealLine } from "./enclosure.ts";
import { lampOfTheKernel, noSimulatedLamp } from "./lamp.ts";
import { installedPrograms } from "./programs.ts";
import { pulsesOfRealLines } from "./pulses.ts";
import { relaysOnRealLines } from "./relays.ts";
import { noSimulatedLines } from "./sim-chip.ts";
import { linesOfSysfs, noSysfsLines } from "./sysfs-lines.ts";

/*
 * What the firmware bridge does at lines that the kernel simulates (docs/gpio-testing.md): `npm run test:gpio`. Where there are none,
 * one line says why.
 */

vi.mock("../relay/fake-gpio.ts", async (original) => {
  const { onSimulatedLines } = await import("./real-gpioset.ts");
  const actual = await original<typeof import("../relay/fake-gpio.ts")>();
  return { ...actual, FakeGpio: onSimulatedLines(actual.FakeGpio) };
});

const programs = installedPrograms();

/** Why nothing of it can run here; undefined where it can. */
function missing(): string | undefined {
  return noSimulatedLines() ?? (programs.size === 0 ? "gpiomon is not installed (Debian: gpiod)" : undefined);
}

/** Runs what there is, and says of the rest why not. */
async function unless(
  why: string | undefined,
  name: string,
  tests: () => void | Promise<void>,
): Promise<void> {
  if (why === undefined) await tests();
  else it(name, ({ skip }) => skip(why));
}

/** The tests of the relays as they are, with the real gpioset and a simulated line in the place of a played one. */
function sameRelayTests(): void {
  describe("relays, as with a played gpioset", async () => {
    await import("../relay/gpioset.test.ts");
  });
  describe("holding processes, as with a played gpioset", async () => {
    await import("../relay/relay-holder.test.ts");
  });
  describe("meters with relays, as with a played gpioset", async () => {
    await import("../relay/relayed-meter.test.ts");
  });
}

const why = missing();
await unless(why, "GPIO lines of the kernel", async () => {
  for (const [major, folder] of programs) {
    pulsesOfRealLines(folder, major);
    relaysOnRealLines(folder, major);
    enclosureAtRealLine(folder, major);
  }
  await unless(noSysfsLines(), "lines through sysfs", linesOfSysfs);
  await unless(noSimulatedLamp(), "a lamp", lampOfTheKernel);
  const both =
    programs.size === 2 ? undefined : "wants programs of both versions of libgpiod: GPIOD_PROGRAMS";
  await unless(both, "the tests of the relays as they are", sameRelayTests);
});
