import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { loadAgentConfig } from "../../agent/config/config.ts";
import { nodeConfigSchema } from "../../network/config.ts";
import { readConfigFile } from "../../runtime/config-file.ts";

const PACKAGING = fileURLToPath(new URL("../../packaging/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kilowitness-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The installed file after the installer took the '#' away from its examples. */
function withExamples(): string {
  const path = join(folder, "agent.yaml");
  const text = readFileSync(`${PACKAGING}agent.yaml`, "utf8");
  writeFileSync(path, text.replaceAll(": []", ":").replaceAll(/^#(?= {2})/gm, ""));
  return path;
}

describe("the configuration that an installer finds", () => {
  it("asks for devices, and for nothing else", () => {
    expect(() => loadAgentConfig(`${PACKAGING}agent.yaml`)).toThrow(/devices.*at least 1/s);
  });

  it("has examples that are right", () => {
    const config = loadAgentConfig(withExamples());
    expect(config.devices.map((device) => device.definition.name)).toEqual(["dsmr-p1", "sunspec"]);
    expect(config.nodes).toHaveLength(1);
  });

  it("keeps key and log in the folder that the service may write", () => {
    const { key, journal } = loadAgentConfig(withExamples());
    const unit = readFileSync(`${PACKAGING}kilowitness-agent.service`, "utf8");
    const state = `/var/lib/${/^StateDirectory=(.+)$/m.exec(unit)?.[1]}/`;
    expect([key, journal].every((path) => path.startsWith(state))).toBe(true);
  });

  it("starts a node as it is", () => {
    const { store, devices } = readConfigFile(`${PACKAGING}node.yaml`, nodeConfigSchema);
    expect(store).toBe("/var/lib/kilowitness-node/node.sqlite");
    expect(devices).toBe("open");
  });
});
