import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { METER } from "../drivers/profile/kit.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RUNTIME = join(ROOT, "node_modules/node/bin/node");
const INSTALL_MS = 240_000;

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}

const manifest: Manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const entries = Object.entries(manifest.exports).flatMap(([key, files]) =>
  typeof files === "string" ? [] : [{ name: key.replace(".", manifest.name), ...files }],
);

let place = "";
const installed = (path: string): string => join(place, "user/node_modules", manifest.name, path);

function npm(folder: string, ...words: readonly string[]): void {
  execFileSync("npm", [...words, "--prefer-offline", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: "pipe",
    timeout: INSTALL_MS,
  });
}

function runPinned(...words: readonly string[]): string {
  return execFileSync(RUNTIME, words, { cwd: join(place, "user"), encoding: "utf8", timeout: 30_000 });
}

/** A device maker's own repository: its profile on the simulated device, and a driver with a fault on purpose. */
const OUTSIDE = `
import { conformance, compileProfile, driverOfProfile, loadProfile, startSimulatedProfile } from "kilowitness/drivers/kit";
import { z } from "zod";

const failed = (results) => results.filter(({ outcome }) => outcome === "failed").map(({ name }) => name);
const compiled = compileProfile("example-meter", loadProfile("meter.yaml"));
const device = await startSimulatedProfile(compiled, { place: { kind: "tcp", port: 0 } });
const profile = failed(await conformance(driverOfProfile(compiled), { host: "127.0.0.1", port: device.port }));
await device.close();

let importMwh = 1_000_000;
const channel = { name: "grid", role: "grid", quantities: ["import"] };
const falling = {
  name: "falling-meter",
  summary: "its register falls",
  schema: z.strictObject({}),
  open: () => ({
    mode: "polled",
    identify: async () => ({ make: "a", model: "b", serial: "c", firmware: "" }),
    channels: () => [channel],
    read: async () => ({
      readings: [{ channel: "grid", importMwh: importMwh--, evidence: new Uint8Array(32).fill(1) }],
      flexibility: [],
      absent: [],
    }),
    close: async () => undefined,
  }),
};
const own = failed(await conformance(falling, {})).filter((name) => name !== "refuses to work after close");
console.log(JSON.stringify({ profile, own }));
`;

/** Packs as a release is packed, and installs as a gateway without compiler, and as a verifier, would. */
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "kilowitness-pack-"));
  mkdirSync(join(place, "user"));
  npm(ROOT, "pack", "--pack-destination", place);
  const tarball = readdirSync(place).find((name) => name.endsWith(".tgz"));
  writeFileSync(join(place, "user/package.json"), '{ "private": true, "type": "module" }\n');
  npm(join(place, "user"), "install", "--omit=dev", "--omit=optional", `../${tarball}`);
}, INSTALL_MS);

afterAll(() => rmSync(place, { recursive: true, force: true }));

describe("the packed project", () => {
  it("ships compiled code, and neither sources nor tests", () => {
    const files = readdirSync(installed(""), { recursive: true, encoding: "utf8" });
    const sources = files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));
    expect(sources.filter((file) => !file.startsWith("examples/"))).toEqual([]);
    expect(files.filter((file) => /^(?:test|bench|\.ci)\b/.test(file))).toEqual([]);
    expect(files).toContain("packaging/install.sh");
  });

  it.each(entries)("exports $name, with its types", (entry) => {
    const names = runPinned("-e", `import("${entry.name}").then((m) => console.log(Object.keys(m).join()))`);
    expect(names.trim()).not.toBe("");
    expect(existsSync(installed(entry.types))).toBe(true);
  });

  it("starts its command outside the project", () => {
    expect(runPinned(installed("bin/kilowitness.js"), "--help")).toMatch(/^Usage: kilowitness/m);
  });

  it("holds a driver and a profile of somebody else against the contract", () => {
    writeFileSync(join(place, "user/meter.yaml"), METER);
    writeFileSync(join(place, "user/outside.mjs"), OUTSIDE);
    const results: unknown = JSON.parse(runPinned("outside.mjs"));
    expect(results).toEqual({ profile: [], own: ["registers never fall"] });
  });

  it("carries every data file that a room reads beside its code", () => {
    const data = ["agent", "attest", "drivers", "firmware-bridge", "network", "runtime"].flatMap((room) =>
      readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" })
        .filter((file) => /\.(?:sql|ya?ml|json|html|css|svg)$/.test(file) && !file.startsWith("vectors"))
        .map((file) => `dist/${room}/${file}`),
    );
    expect(data.filter((file) => !existsSync(installed(file)))).toEqual([]);
  });
});
