import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemNumber } from "../../../firmware-bridge/pulse/sysfs.ts";

let folder = "";
let root = "";

/** As /sys has it: the class's folder is named for the base, the character device's for its index. */
function addChip(chip: { base: number; label: string; lines: number; device: string }): void {
  const { base, label, lines, device } = chip;
  const parent = join(folder, "devices", label);
  mkdirSync(join(parent, device), { recursive: true });
  const own = join(root, `gpiochip${base}`);
  mkdirSync(own);
  writeFileSync(join(own, "base"), `${base}\n`);
  writeFileSync(join(own, "label"), `${label}\n`);
  writeFileSync(join(own, "ngpio"), `${lines}\n`);
  symlinkSync(parent, join(own, "device"));
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pulse-sysfs-"));
  root = join(folder, "gpio");
  mkdirSync(root);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function number(chip: string, line: number): number | string {
  try {
    return systemNumber({ chip, line }, root);
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

describe("the number of a line", () => {
  it.each([0, 512, 571])("counts from the chip's base: %i", (base) => {
    writeFileSync(join(root, "export"), "");
    addChip({ base, label: "pinctrl-bcm2835", lines: 54, device: "gpiochip0" });
    addChip({ base: base + 54, label: "raspberrypi-exp-gpio", lines: 8, device: "gpiochip1" });
    expect(number("pinctrl-bcm2835", 17)).toBe(base + 17);
    expect(number("gpiochip0", 17)).toBe(base + 17);
    expect(number("/dev/gpiochip1", 7)).toBe(base + 61);
  });

  it("is that of no other chip where the names look alike", () => {
    writeFileSync(join(root, "export"), "");
    addChip({ base: 512, label: "a", lines: 8, device: "gpiochip1" });
    addChip({ base: 0, label: "b", lines: 8, device: "gpiochip512" });
    expect(number("gpiochip512", 3)).toBe(3);
    expect(number("gpiochip0", 3)).toBe("pulse-chip-unknown");
  });

  it("is refused behind the chip's last line", () => {
    writeFileSync(join(root, "export"), "");
    addChip({ base: 512, label: "a", lines: 8, device: "gpiochip0" });
    expect(number("a", 7)).toBe(519);
    expect(number("a", 8)).toBe("pulse-line-range");
  });

  it("is refused where two chips have the name", () => {
    writeFileSync(join(root, "export"), "");
    addChip({ base: 0, label: "a", lines: 8, device: "gpiochip0" });
    addChip({ base: 8, label: "b", lines: 8, device: "gpiochip1" });
    writeFileSync(join(root, "gpiochip8", "label"), "a\n");
    expect(number("a", 1)).toBe("pulse-chip-unknown");
  });

  it("is not to be had where the kernel has no sysfs for lines, or a new one without numbers", () => {
    expect(number("a", 0)).toBe("pulse-sysfs-gone");
    mkdirSync(join(root, "chip0"));
    expect(number("a", 0)).toBe("pulse-sysfs-gone");
    root = join(folder, "nothing");
    expect(number("a", 0)).toBe("pulse-sysfs-gone");
  });
});
