import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkRelayLines } from "../../../firmware-bridge/relay/relay-check.ts";
import { FakeGpio } from "./fake-gpio.ts";
import { gpioinfoLines, installGpioinfo } from "./fake-gpioinfo.ts";

let gpio: FakeGpio;
beforeEach(() => {
  gpio = new FakeGpio();
});
afterEach(() => gpio.close());

describe.each([1, 2] as const)("the lines of a relay, looked at with gpioinfo %i", (version) => {
  const check = (...lines: readonly number[]): Promise<readonly string[]> =>
    checkRelayLines(lines.map((line) => gpio.output(line)));

  it("are free, or in use by somebody who is named", async () => {
    gpio.install(version);
    installGpioinfo(gpio.folder, version, gpioinfoLines(version));
    expect(await check(17, 27)).toEqual([]);
    expect(await check(4)).toEqual(["gpiochip0 line 4 is in use by kernel"]);
    installGpioinfo(gpio.folder, version, gpioinfoLines(version, { line: 17, by: "gpioset" }));
    expect(await check(17, 27)).toEqual(["gpiochip0 line 17 is in use by gpioset"]);
    expect(gpio.history(17)).toEqual([]);
  });

  it("have to be on the chip", async () => {
    gpio.install(version);
    installGpioinfo(gpio.folder, version, gpioinfoLines(version));
    const other = checkRelayLines([gpio.output(17, { chip: "gpiochip9" })]);
    await expect(other).rejects.toMatchObject({
      code: "gpioinfo-ended",
      message: expect.stringContaining("gpioinfo: "),
    });
    await expect(check(28)).rejects.toMatchObject({
      ...{ code: "relay-line", message: expect.stringContaining("got gpiochip0 - 28 lines") },
    });
  });

  it("need the programs", async () => {
    vi.stubEnv("PATH", join(gpio.folder, "bin"));
    await expect(check(17)).rejects.toMatchObject({ code: "gpioset-missing" });
    gpio.install(version);
    vi.stubEnv("PATH", `${join(gpio.folder, "bin")}`);
    rmSync(join(gpio.folder, "bin/gpioinfo"), { force: true });
    await expect(check(17)).rejects.toMatchObject({ code: "gpioinfo-missing" });
  });
});
