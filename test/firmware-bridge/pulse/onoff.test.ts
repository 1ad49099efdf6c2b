import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { InputLine } from "../../../firmware-bridge/gpio/line.ts";
import type { EdgeListener } from "../../../firmware-bridge/pulse/edge-source.ts";
import { OnoffSource } from "../../../firmware-bridge/pulse/sysfs.ts";

const exported = vi.hoisted(() => new Set<number>());
const loading = vi.hoisted(() => Promise.withResolvers<void>());

/** As the real one: it exports the line when it is made, and keeps it until it is told otherwise. */
vi.mock("onoff", async () => {
  await loading.promise;
  class Gpio {
    readonly #number: number;
    constructor(number: number) {
      this.#number = number;
      exported.add(number);
    }
    watch(): void {}
    unexport(): void {
      exported.delete(this.#number);
    }
  }
  return { Gpio };
});

const INPUT: InputLine = { chip: "soc", line: 3, activeLow: true, bias: "as-is" };
const LISTENER: EdgeListener = { onEdge: () => undefined, onEnd: () => undefined };

const root = mkdtempSync(join(tmpdir(), "pulse-onoff-"));
beforeAll(() => {
  const chip = join(root, "gpiochip512");
  mkdirSync(chip);
  writeFileSync(join(root, "export"), "");
  for (const [name, text] of Object.entries({ base: "512", label: "soc", ngpio: "8" }))
    writeFileSync(join(chip, name), text);
});
afterEach(() => exported.clear());
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a line through onoff", () => {
  it("is not exported by one that was stopped while onoff was being loaded", async () => {
    const source = new OnoffSource(INPUT, root);
    const started = source.start(LISTENER);
    await source.stop();
    loading.resolve();
    await started;
    expect([...exported]).toEqual([]);
  });

  it("is exported until it is stopped", async () => {
    loading.resolve();
    const source = new OnoffSource(INPUT, root);
    await source.start(LISTENER);
    expect([...exported]).toEqual([515]);
    await source.stop();
    expect([...exported]).toEqual([]);
  });
});
