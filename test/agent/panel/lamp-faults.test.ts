import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LAMP_FAULTS, lampFaults } from "../../../agent/panel/lamp-faults.ts";
import { FAULT_FLASHES } from "../../../firmware-bridge/indicator/indicated.ts";

const PAGE = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");

/** Every code that can need attention: test/agent/outlet/operations-page.test.ts holds the page to the sources. */
function codesOfPage(): string[] {
  const section = PAGE.split("\n### What can need attention\n")[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, names = ""]) =>
    [...names.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name),
  );
}

describe("what a lamp says of what needs attention", () => {
  it("is decided for every code, and for no other", () => {
    expect(codesOfPage().length).toBeGreaterThan(30);
    expect(Object.keys(LAMP_FAULTS).sort()).toEqual(codesOfPage().sort());
  });

  it("is what the page for installers says", () => {
    const page = readFileSync(new URL("../../../docs/indicator.md", import.meta.url), "utf8");
    const section = page.split("\n| name | codes of docs/operations.md |\n")[1]?.split("\n\n")[0] ?? "";
    const said = [...section.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].flatMap(([, fault = "", codes = ""]) =>
      [...codes.matchAll(/`([^`]+)`/g)].map(([, code]) => `${code} ${fault}`),
    );
    const shown = Object.entries(LAMP_FAULTS).filter(([, fault]) => fault !== "none");
    expect(said.sort()).toEqual(shown.map(([code, fault]) => `${code} ${fault}`).sort());
    expect(new Set(shown.map(([, fault]) => fault))).toEqual(new Set(Object.keys(FAULT_FLASHES)));
  });

  it("is each fault once, and nothing of what nobody there can see to", () => {
    const codes = ["device-offline", "mqtt-failed", "disk-space", "journal-full", "invented-by-nobody"];
    expect(lampFaults(codes.map((code) => ({ code })))).toEqual(["meterSilent", "storageFailing"]);
  });
});
