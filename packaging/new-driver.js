// Makes a new driver: profile or class, simulated device, capture, test, example configuration and documentation row.
// Everything passes at once, and everything that is not yet true says PLACEHOLDER. See docs/add-a-device.md.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const USAGE = `usage: npm run new:driver VENDOR-MODEL [-- --class]
  VENDOR-MODEL  words of a-z and 0-9 with hyphens, the vendor first, such as eastron-sdm630
  --class       a device with a protocol of its own, instead of a profile of Modbus registers`;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const templates = join(root, "packaging", "new-driver");

/** Which template becomes which file. */
const PROFILE = {
  "profile.yaml.txt": "drivers/profiles/acme-x1.yaml",
  "profile.test.ts.txt": "test/drivers/profiles/acme-x1.test.ts",
  "agent.yaml.txt": "examples/acme-x1.yaml",
};
const CLASS = {
  "driver.ts.txt": "drivers/acme-x1/driver.ts",
  "exchange.ts.txt": "drivers/acme-x1/exchange.ts",
  "simulated.ts.txt": "drivers/simulated/acme-x1.ts",
  "driver.test.ts.txt": "test/drivers/acme-x1/driver.test.ts",
  "agent.yaml.txt": "examples/acme-x1.yaml",
};

function fail(line) {
  process.stderr.write(`new:driver: ${line}\n`);
  process.exit(1);
}

function arguments_() {
  try {
    return parseArgs({ allowPositionals: true, options: { class: { type: "boolean", default: false } } });
  } catch (error) {
    return fail(`${error.message}\n${USAGE}`);
  }
}

/** The names of a new driver in every spelling, beside those of the templates. */
function spellings(name) {
  const words = name.split("-").map((word) => word[0].toUpperCase() + word.slice(1));
  const [vendor, ...rest] = words;
  const pascal = words.join("");
  const model = rest.map((word) => word.toUpperCase()).join(" ");
  return [
    ["acme-x1", name],
    ["acmeX1", pascal[0].toLowerCase() + pascal.slice(1)],
    ["AcmeX1", pascal],
    ["Acme X1", `${vendor} ${model}`],
    ["Acme;X1", `${vendor};${model}`],
    ["make: Acme", `make: ${vendor}`],
    ["model: X1", `model: ${model}`],
    ['"Acme"', `"${vendor}"`],
    ['"X1"', `"${model}"`],
  ];
}

function write(kind, files, names) {
  const spell = (text) => names.reduce((so, [from, to]) => so.replaceAll(from, to), text);
  const made = Object.entries(files).map(([template, place]) => [template, spell(place)]);
  const taken = made.map(([, place]) => place).find((place) => existsSync(join(root, place)));
  if (taken !== undefined) fail(`${taken} is there already; choose another name`);
  for (const [template, place] of made) {
    mkdirSync(dirname(join(root, place)), { recursive: true });
    writeFileSync(join(root, place), spell(readFileSync(join(templates, kind, template), "utf8")), {
      flag: "wx",
    });
  }
  return made.map(([, place]) => place);
}

/** A driver with a class stands in the catalogue, which lists every one by hand. */
function enlist(names) {
  const path = join(root, "drivers", "catalogue.ts");
  const [[, name], [, camel]] = names;
  const text = readFileSync(path, "utf8");
  const list = "driverCatalogue: DriverCatalogue = catalogueOf([";
  if (!text.includes(list)) fail(`drivers/catalogue.ts has no "${list}"; add the driver by hand`);
  const imported = `import { ${camel}Driver } from "./${name}/driver.ts";\n`;
  writeFileSync(path, imported + text.replace(list, `${list}${camel}Driver, `));
  return "drivers/catalogue.ts";
}

function run(...args) {
  const done = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (done.status !== 0) fail(`${args[0]} failed:\n${done.stdout}${done.stderr}`);
}

const { values, positionals } = arguments_();
const [name, ...more] = positionals;
if (name === undefined || more.length > 0 || !/^[a-z][a-z0-9]*(?:-[a-z0-9]+)+$/.test(name))
  fail(`no name\n${USAGE}`);
if (readdirSync(join(root, "drivers", "profiles")).includes(`${name}.yaml`))
  fail(`there is a driver ${name} already`);
const names = spellings(name);
const files = values.class ? write("class", CLASS, names) : write("profile", PROFILE, names);
if (values.class) files.push(enlist(names));
const code = files.filter((file) => file.endsWith(".ts"));
run(join("node_modules", "@biomejs", "biome", "bin", "biome"), "check", "--write", ...code);
run(join("test", "drivers", "profiles", "published", "make.ts"));
files.push("docs/devices.md");

process.stdout.write(`${files.map((file) => `  ${file}`).join("\n")}

They pass as they are:  npx vitest run ${code.find((file) => file.endsWith(".test.ts"))}
What is not true yet says PLACEHOLDER:  grep -rn PLACEHOLDER ${files.filter((file) => file !== "docs/devices.md").join(" ")}
Next: docs/add-a-device.md\n`);
