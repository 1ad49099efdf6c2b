import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadAgentConfig } from "../../../agent/config/config.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "config-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function discovery(line: string): unknown {
  const path = join(folder, "agent.yaml");
  const device = "devices: [{ id: a, driver: sunspec, host: 127.0.0.1 }]";
  writeFileSync(path, ["network: n", "key: k", "journal: j", device, line, ""].join("\n"));
  return loadAgentConfig(path).discovery;
}

describe("discovery", () => {
  it.each([
    ["", true],
    ["discovery: {}", true],
    ["discovery: { enabled: true }", true],
    ["discovery: { enabled: false }", false],
  ])("%j leaves it %s", (line, enabled) => {
    expect(discovery(line)).toEqual({ enabled });
  });

  it("takes no other word", () => {
    expect(() => discovery("discovery: { enabled: never }")).toThrow(
      /discovery\.enabled: .* expected true or false/,
    );
    expect(() => discovery("discovery: { enable: false }")).toThrow(/enable.*did you mean "enabled"/);
  });
});
