import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type AgentConfig, loadAgentConfig } from "../../../agent/config/config.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../../docs/firmware-bridge.md"), "utf8");
const [pulses, relay, lidAndLamp, coprocessor] = [...PAGE.matchAll(/```yaml\n([^`]+)```/g)].map(
  ([, text = ""]) => text,
);
const HEAD = "network: test\nkey: device.key\njournal: journal.db\n";
const folder = mkdtempSync(join(tmpdir(), "kilowitness-page-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(...blocks: readonly (string | undefined)[]): AgentConfig {
  const path = join(folder, "agent.yaml");
  writeFileSync(path, HEAD + blocks.join(""));
  return loadAgentConfig(path);
}

describe("the blocks of docs/firmware-bridge.md", () => {
  it("make one configuration: the meter, its relay, and the panel", () => {
    const config = load(pulses, relay, lidAndLamp);
    expect(config.devices).toMatchObject([{ id: "heat-pump" }]);
    expect(config.control?.resources).toMatchObject([{ device: "heat-pump" }]);
    expect(config.tamper).toHaveLength(1);
    expect(config.indicator?.lamps).toHaveLength(1);
  });

  it("make another one of the coprocessor, whose two lines are one", () => {
    const config = load(coprocessor);
    expect(config.devices).toMatchObject([{ id: "feeder" }]);
    expect(config.signer).toBeDefined();
  });
});
