import { existsSync, readFileSync } from "node:fs";
import { type FileHandle, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Led } from "../../../firmware-bridge/indicator/led.ts";

/** Documentation/leds/uleds.rst of the kernel: 64 bytes of a name and the greatest brightness, then each brightness. */
const DEVICE = "/dev/uleds";
const NAME_BYTES = 64;
const BRIGHTEST = 255;
const NAME = "kilowitness:green:test";

/** Why no lamp can be simulated here; undefined where one can. */
export function noSimulatedLamp(): string | undefined {
  return existsSync(DEVICE) ? undefined : "this kernel has no lamps of the user's own (modprobe uleds)";
}

let device: FileHandle;

async function brightness(): Promise<number> {
  const { buffer } = await device.read(Buffer.alloc(4), 0, 4);
  return buffer.readInt32LE(0);
}

function shown(file: string): string {
  return readFileSync(join("/sys/class/leds", NAME, file), "utf8").trim();
}

/** A lamp of the kernel's LED class, seen from its driver. */
export function lampOfTheKernel(): void {
  describe("a lamp of the kernel's LED class", () => {
    beforeEach(async () => {
      device = await open(DEVICE, "r+");
      const words = Buffer.alloc(NAME_BYTES + 4);
      words.write(NAME);
      words.writeInt32LE(BRIGHTEST, NAME_BYTES);
      await device.write(words, 0, words.length, null);
    });

    afterEach(async () => await device.close());

    it("is lit and dark for whoever drives it", async () => {
      const led = new Led(NAME);
      await led.set(true);
      expect([await brightness(), shown("brightness")]).toEqual([BRIGHTEST, String(BRIGHTEST)]);
      await led.set(false);
      expect([await brightness(), shown("brightness")]).toEqual([0, "0"]);
    });

    it("is taken from what it showed before", async () => {
      await writeFile(join("/sys/class/leds", NAME, "trigger"), "timer");
      expect(shown("trigger")).toContain("[timer]");
      const led = new Led(NAME);
      await led.set(true);
      expect(shown("trigger")).toContain("[none]");
      expect(shown("brightness")).toBe(String(BRIGHTEST));
    });

    it("that goes away is named", async () => {
      const led = new Led(NAME);
      await led.set(true);
      await device.close();
      await expect(led.set(false)).rejects.toMatchObject({
        ...{ code: "indicator-led", message: expect.stringContaining(NAME) },
      });
      device = await open(DEVICE, "r+");
    });
  });
}
