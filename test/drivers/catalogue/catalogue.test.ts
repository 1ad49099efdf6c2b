import { describe, expect, it } from "vitest";
import { z } from "zod";
import { catalogueOf, driverCatalogue } from "../../../drivers/catalogue.ts";
import type { DriverDefinition } from "../../../drivers/driver.ts";
import * as entry from "../../../drivers/index.ts";
import { bundledProfiles } from "../../../drivers/profile/bundled.ts";

function driver(name: string, schema: z.ZodObject = z.strictObject({ host: z.string() })): DriverDefinition {
  const open = () => {
    throw new Error("never opened");
  };
  return { name, summary: "", schema, open };
}

describe("the catalogue", () => {
  it("has the project's drivers, each with a summary", () => {
    const { names, definitions } = driverCatalogue;
    expect(names).toEqual([...names].sort());
    expect(names).toEqual(expect.arrayContaining(["dsmr-p1", "profile", "sunspec", ...bundledProfiles()]));
    expect(definitions.map((definition) => definition.name)).toEqual(names);
    expect(definitions.filter(({ summary }) => summary.length < 5)).toEqual([]);
  });

  it("makes a driver when it is asked for, once, and checks it then", () => {
    const made: string[] = [];
    const load = (name: string): DriverDefinition => {
      made.push(name);
      return name === "c-bad" ? driver(name, z.looseObject({})) : driver(name);
    };
    const catalogue = catalogueOf([driver("b-meter")], { names: ["c-bad", "a-meter"], load });
    expect({ names: catalogue.names, made }).toEqual({ names: ["a-meter", "b-meter", "c-bad"], made: [] });
    expect(catalogue.find("a-meter")).toBe(catalogue.find("a-meter"));
    expect(made).toEqual(["a-meter"]);
    expect(() => catalogue.find("c-bad")).toThrow("expected z.strictObject");
    expect(() => catalogueOf([driver("a")], { names: ["a"], load })).toThrow("two drivers have one name");
    expect(() => catalogueOf([], { names: ["A"], load })).toThrow("not a name of a driver");
  });

  it("names a few drivers, and of many only how to see them", () => {
    const many = Array.from({ length: 9 }, (_, at) => driver(`meter-${at}`));
    expect(() => catalogueOf(many).find("x")).toThrow(
      "one of the 9 drivers that 'kilowitness drivers' lists",
    );
  });

  it("finds a driver, or lists the known ones", () => {
    const catalogue = catalogueOf([driver("b-meter"), driver("a-meter")]);
    expect(catalogue.find("b-meter").name).toBe("b-meter");
    expect(() => catalogue.find("c-meter")).toThrow(
      'driver: there is no such driver; expected one of a-meter, b-meter, got "c-meter"',
    );
    expect(() => catalogue.find("toString")).toThrow("there is no such driver");
  });

  it("refuses two drivers of one name", () => {
    expect(() => catalogueOf([driver("a"), driver("b"), driver("a")])).toThrow(
      "driver catalogue: a: two drivers have one name; rename one of them",
    );
  });

  it.each(["", "A", "a b", "-a", "a-", "a--b", "a_b"])("refuses the name %j", (name) => {
    expect(() => catalogueOf([driver(name)])).toThrow("not a name of a driver");
  });

  it("refuses a schema that drops unknown keys or claims a key of every device", () => {
    expect(() => catalogueOf([driver("a", z.object({}))])).toThrow("expected z.strictObject");
    expect(() => catalogueOf([driver("a", z.looseObject({}))])).toThrow("expected z.strictObject");
    expect(() => catalogueOf([driver("a", z.strictObject({ channels: z.string() }))])).toThrow(
      "driver a: a driver's own option has the name of a key of every device, got channels",
    );
  });

  it("is what the public entry gives", () => {
    expect(entry.driverCatalogue).toBe(driverCatalogue);
    expect(Object.keys(entry).sort()).toEqual([
      "CHANNEL_ROLES",
      "CONTROL_KINDS",
      "CONTROL_MODES",
      "Problem",
      "READING_STATUS",
      "catalogueOf",
      "driverCatalogue",
    ]);
  });
});
