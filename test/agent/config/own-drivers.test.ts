import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AgentConfig, loadAgentConfig } from "../../../agent/config/config.ts";
import { Problem } from "../../../attest/problem.ts";
import { conformance } from "../../../drivers/kit/index.ts";
import { temporaryFolder } from "../kit.ts";

/** As a device maker's bundler writes it: one file, the house's own packages left outside. */
const DRIVER = `"use strict";
const { z } = require("zod");
const { Problem } = require("kilowitness/drivers");
const { createHash } = require("node:crypto");
class Acme {
  mode = "polled";
  constructor(options) { this.wh = options.startWh; }
  #open() { if (this.closed) throw new Problem("driver-closed", "the driver is closed"); }
  async identify() { this.#open(); return { make: "Acme", model: "X1", serial: "7", firmware: "" }; }
  channels() { return [{ name: "grid", role: "grid", quantities: ["import"], resolutionMwh: 1000 }]; }
  async read() {
    this.#open();
    this.wh += 1;
    if (this.wh > 1000) throw new Problem("driver-acme", "the meter is at its end");
    const bytes = Buffer.from(String(this.wh));
    const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
    return { readings: [{ channel: "grid", importMwh: this.wh * 1000, evidence: digest }], flexibility: [], absent: [] };
  }
  async close() { this.closed = true; }
}
exports.driver = {
  name: "acme-x1",
  summary: "Acme X1",
  schema: z.strictObject({ startWh: z.int().default(5) }),
  open: (options) => new Acme(options),
};
`;

describe("a driver from outside", () => {
  let home: ReturnType<typeof temporaryFolder>;
  beforeEach(() => {
    home = temporaryFolder();
  });
  afterEach(() => home.remove());

  function digestOf(source: string): string {
    return createHash("sha256").update(source).digest("hex");
  }

  function load(
    source: string,
    { sha256 = digestOf(source), device = "driver: acme-x1, startWh: 41", file = "acme.cjs" } = {},
  ): AgentConfig {
    writeFileSync(join(home.folder, "acme.cjs"), source);
    const path = join(home.folder, "agent.yaml");
    writeFileSync(
      path,
      `{network: t, key: k, journal: j, drivers: [{file: ${file}, sha256: ${sha256}}], devices: [{id: x, ${device}}]}`,
    );
    return loadAgentConfig(path);
  }

  function problemOf(work: () => unknown): Problem {
    try {
      work();
    } catch (thrown) {
      if (thrown instanceof Problem) return thrown;
      throw thrown;
    }
    throw new Error("nothing was refused");
  }

  it("reads like one of the house, its options checked by its own schema", async () => {
    const [device] = load(DRIVER).devices;
    const meter = device?.definition.open(device.options);
    expect(meter?.mode === "polled" ? (await meter.read()).readings[0]?.importMwh : 0).toBe(42_000);
    const wrong = problemOf(() => load(DRIVER, { device: "driver: acme-x1, start: 41" }));
    expect(wrong).toMatchObject({ code: "config-invalid", detail: { hint: 'did you mean "startWh"?' } });
  });

  it("is held to the contract of a driver", async () => {
    const [device] = load(DRIVER).devices;
    if (device === undefined) throw new Error("no device");
    const results = await conformance(device.definition, { startWh: 1 });
    expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
  });

  it("does not load with one byte changed, and nothing of it has run", () => {
    const changed = `${DRIVER}globalThis.acmeRan = true;\n`;
    const { code, detail } = problemOf(() => load(changed, { sha256: digestOf(DRIVER) }));
    expect(code).toBe("driver-digest");
    expect(detail).toMatchObject({ expected: `SHA-256 ${digestOf(DRIVER)}`, got: digestOf(changed) });
    expect(globalThis).not.toHaveProperty("acmeRan");
  });

  it("does not take the name of a driver of the house", () => {
    const { code } = problemOf(() => load(DRIVER.replace("acme-x1", "dsmr-p1")));
    expect(code).toBe("driver-duplicate");
  });

  it.each([
    ["a file that is not there", DRIVER, { file: "none.cjs" }, /no such file/],
    ["an import of its own", `require("./other.js")`, {}, /asks for ".\/other.js"/],
    ["an import that a driver has no use for", `require("node:fs")`, {}, /asks for "node:fs"/],
    ["a file that is none", "export const driver = 1;", {}, /CommonJS/],
    ["a file that throws", "throw new Error('not today');", {}, /not today/],
    ["nothing exported", "", {}, /an export called driver/],
    [
      "no schema",
      "exports.driver = { name: 'a', summary: 'b', schema: {}, open() {} };",
      {},
      /driver.schema/,
    ],
    [
      "ports that are none",
      DRIVER.replace("  open:", "  ports: [],\n  open:"),
      {},
      /driver.ports, a function/,
    ],
    ["a schema that drops keys", DRIVER.replace("strictObject", "object"), {}, /drop unknown keys/],
  ])("is refused: %s", (_name, source, options, message) => {
    const problem = problemOf(() => load(source, options));
    expect(problem.code).toMatch(/^driver-/);
    expect(problem.message).toMatch(message);
  });
});
