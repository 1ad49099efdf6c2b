import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { decodeCommand } from "../../agent/cli/decode.ts";
import { type AgentConfig, loadAgentConfig } from "../../agent/config/config.ts";
import { COMMON_DEVICE_KEYS, driverCatalogue } from "../../drivers/catalogue.ts";
import { METER_KINDS } from "../../drivers/simulated/telegram-kinds.ts";
import { gatewayCatalogue } from "../../firmware-bridge/catalogue.ts";

const ROOT = join(import.meta.dirname, "../..");
const PAGE = readFileSync(join(ROOT, "docs/meters.md"), "utf8");
const EXAMPLE = join(ROOT, "examples/serial-meters.yaml");
/** Drivers of pins and microcontrollers. */
const GATEWAY_NAMES = gatewayCatalogue.names.filter((name) => !driverCatalogue.names.includes(name));
/** The other drivers that the page is about. */
const NAMES = [...new Set(Object.values(METER_KINDS).map(({ driver }) => driver))].sort();

/** What stands under the heading that has these words, up to the next one. */
function section(words: string): string {
  const found = PAGE.split(/^(?=## )/m).filter((part) => part.slice(0, part.indexOf("\n")).includes(words));
  expect(found, `one heading with ${words}`).toHaveLength(1);
  return found[0] ?? "";
}

/** The words in backticks. */
function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);
}

function cells(row: string): string[] {
  return row
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function tableRows(text: string): string[][] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map(cells);
}

/** Options of a section's table with what it says of the default of each. */
function describedOptions(text: string): [string, string][] {
  const rows = tableRows(text).filter(([first = ""]) => first.startsWith("`"));
  return rows.flatMap(([names = "", , defaults = ""]) => {
    const said = defaults.split(", ");
    return quoted(names).map((name, at): [string, string] => [name, said[at] ?? ""]);
  });
}

/** The default as a page has it; undefined where the schema has none. */
function defaultOf(option: z.core.$ZodType | undefined): string | undefined {
  const def = option?._zod.def ?? {};
  return "defaultValue" in def ? String(def.defaultValue) : undefined;
}

describe.each([...NAMES, ...GATEWAY_NAMES])("docs/meters.md on %s", (name) => {
  const options = describedOptions(section(`\`${name}\``));
  const { shape } = gatewayCatalogue.find(name).schema;

  it("has every option of the driver, each once, and no other", () => {
    expect(options.map(([option]) => option).sort()).toEqual(Object.keys(shape).sort());
  });

  it("says the driver's own defaults", () => {
    const own = options.filter(([option]) => defaultOf(shape[option]) !== undefined);
    expect(own).toEqual(own.map(([option]) => [option, defaultOf(shape[option])]));
  });
});

const FOLDERS = ["dsmr", "sml", "dlms", "iec62056", "mbus", "vedirect", "speedwire", "telegram", "line"];
const CODE =
  /"((?:dsmr|sml|dlms|iec62056|mbus|vedirect|speedwire|telegram|line|driver)-[a-z0-9-]+|key-file[a-z-]*)"/g;

const PIN_FOLDERS = ["pulse", "relay", "gpio"];
const PIN_CODE = /"((?:pulse|gpioset|gpioinfo|relay)-[a-z-]*[a-z])"/g;

/** All codes of problems that these drivers can end in, as their sources have them. */
function codes(floor: string, folders: readonly string[], form: RegExp): string[] {
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, floor, folder)).map((file) => join(ROOT, floor, folder, file)),
  );
  const found = files.flatMap((file) => [...readFileSync(file, "utf8").matchAll(form)]);
  const all = new Set(found.map(([, code = ""]) => code));
  return [...all].filter((code) => !NAMES.includes(code)).sort();
}

describe("docs/meters.md", () => {
  it("says of every code what to do, once, and of no other", () => {
    const said = tableRows(section("When it does not work")).flatMap(([first = "", second = ""]) =>
      quoted(first.startsWith("`") ? first : second),
    );
    expect(said.sort()).toEqual(codes("drivers", FOLDERS, CODE));
  });

  it("says of every code of pins what to do, once, and of no other", () => {
    const said = tableRows(section("When pins do not work")).flatMap(([first = ""]) => quoted(first));
    expect(said.sort()).toEqual(codes("firmware-bridge", PIN_FOLDERS, PIN_CODE));
  });

  it("names simulated meters and protocols that there are", () => {
    const simulated = [...PAGE.matchAll(/simulate meter (\S+)(?: --layout (\S+))?/g)];
    expect(new Set(simulated.map(([, kind = ""]) => kind))).toEqual(new Set(Object.keys(METER_KINDS)));
    for (const [, kind = "", layout] of simulated)
      if (layout !== undefined) expect(METER_KINDS[kind]?.layouts, kind).toContain(layout);
    const known = decodeCommand().registeredArguments[0]?.argChoices;
    const decoded = [...PAGE.matchAll(/kilowitness decode (\w+)/g)].map(([, protocol = ""]) => protocol);
    expect(known).toEqual(expect.arrayContaining(decoded));
  });

  it("leads to headings that there are", () => {
    const anchors = [...PAGE.matchAll(/^## (.+)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, "")
        .replaceAll(" ", "-"),
    );
    const linked = [...PAGE.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = ""]) => anchor);
    expect(linked.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
  });
});

/** The example with its keys in files of the folder. */
function loadedIn(folder: string): AgentConfig {
  const path = join(folder, "agent.yaml");
  const text = readFileSync(EXAMPLE, "utf8").replaceAll("/etc/kilowitness/", `${folder}/`);
  for (const [, file = ""] of text.matchAll(/keyFile: (\S+)/g))
    writeFileSync(file, "00112233445566778899aabbccddeeff\n", { mode: 0o600 });
  writeFileSync(path, text);
  return loadAgentConfig(path);
}

/** Options of a device's block that are comments, `# key: value`, as they are without the `#`. */
function commentedOptions(block: string): Record<string, unknown> {
  const found = block.matchAll(/^ {4}# ([a-z][a-zA-Z]*): (\S.*)$/gm);
  return Object.fromEntries([...found].map(([, key = "", value = ""]) => [key, parse(value)]));
}

const blockSchema = z.tuple([z.looseObject({ driver: z.string() })]);

describe("examples/serial-meters.yaml", () => {
  it("has an entry for every driver of the page", () => {
    const { devices } = loadAgentConfig(EXAMPLE);
    expect([...new Set(devices.map(({ definition }) => definition.name))].sort()).toEqual(NAMES);
  });

  it("has devices that can be opened as they stand there", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kilowitness-meters-"));
    try {
      const opened = loadedIn(folder).devices.map(({ definition, options }) => definition.open(options));
      expect(opened.map(({ mode }) => mode)).toContain("push");
      for (const meter of opened) await meter.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("has comments that would be accepted, too", () => {
    const [devices = ""] = readFileSync(EXAMPLE, "utf8").split(/^nodes:/m);
    const [, ...blocks] = devices.split(/^(?= {2}- id: )/m);
    const tried = blocks.flatMap((block) => {
      const [device] = blockSchema.parse(parse(block));
      const { schema } = driverCatalogue.find(device.driver);
      const changed = Object.entries({ ...device, ...commentedOptions(block) });
      const own = changed.filter(([key]) => !COMMON_DEVICE_KEYS.includes(key));
      schema.parse(Object.fromEntries(own));
      return Object.keys(commentedOptions(block));
    });
    expect(tried).toEqual(expect.arrayContaining(["winterOffsetMinutes", "registerStepWh", "clock"]));
  });
});
