import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { bundledProfiles } from "../../../drivers/profile/bundled.ts";
import { devicesPage } from "./published/page.ts";
import { profileSchemaText } from "./published/schema.ts";

const ROOT = new URL("../../../", import.meta.url);

function textOf(path: string): string {
  return readFileSync(new URL(path, ROOT), "utf8");
}

function profileValue(name: string): unknown {
  return parse(textOf(`drivers/profiles/${name}.yaml`));
}

describe("what is made from the profiles ('npm run devices' makes it anew)", () => {
  it("is the JSON Schema as published", () => {
    expect(textOf("drivers/profiles/profile.schema.json")).toBe(profileSchemaText());
  });

  it("is the page of devices as published", () => {
    expect(textOf("docs/devices.md")).toBe(devicesPage());
  });
});

describe("the published JSON Schema in another program's hands (ajv)", () => {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(
    JSON.parse(textOf("drivers/profiles/profile.schema.json")),
  );

  it.each(bundledProfiles())("accepts %s", (name) => {
    expect(validate(profileValue(name)), JSON.stringify(validate.errors)).toBe(true);
  });

  const [first = ""] = bundledProfiles();
  it.each([
    ["an unknown key", { colour: "red" }],
    ["an unknown unit", { points: { power: { snapshot: "a", address: 0, type: "u16", unit: "hp" } } }],
    ["an address out of range", { points: { power: { snapshot: "a", address: 65536, type: "u16" } } }],
    ["no provenance", { provenance: [] }],
    ["another version", { format: 2 }],
  ])("refuses %s", (_what, change) => {
    expect(validate({ ...Object(profileValue(first)), ...change })).toBe(false);
  });
});
