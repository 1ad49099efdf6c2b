import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { forged, makeProofFile, type ProofFile } from "./proof-file.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAME = "kilowitness-attest";
const DEPENDENCIES = ["@noble/ed25519", "@noble/hashes"];
const INSTALL_MS = 240_000;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly scripts?: object;
  readonly dependencies?: Readonly<Record<string, string>>;
}

let place = "";
let proof: ProofFile;
const user = (path = ""): string => join(place, "user", path);

function run(program: string, words: readonly string[], more: NodeJS.ProcessEnv = {}): string {
  const env = { ...process.env, ...more };
  return execFileSync(program, words, {
    cwd: user(),
    env,
    encoding: "utf8",
    stdio: "pipe",
    timeout: 120_000,
  });
}

function manifestOf(...path: readonly string[]): Manifest {
  return JSON.parse(readFileSync(join(...path, "package.json"), "utf8"));
}

/** Every file below the user's folder, with `/`. */
function installed(): string[] {
  const entries = readdirSync(user("node_modules"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((file) =>
    relative(user("node_modules"), join(file.parentPath, file.name)).replaceAll(sep, "/"),
  );
}

/** Builds elsewhere than in dist/, which others pack at the same time; installs where nothing else is. */
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), "kilowitness-verifier-"));
  mkdirSync(user());
  const built = join(place, "built");
  run(process.execPath, [join(ROOT, "packaging/build.js"), "--out", built]);
  run("npm", ["pack", "--pack-destination", place, join(built, "attest")]);
  const tarball = readdirSync(place).find((name) => name.endsWith(".tgz"));
  writeFileSync(user("package.json"), '{ "private": true, "type": "module" }\n');
  run("npm", ["install", "--omit=dev", "--prefer-offline", "--no-audit", "--no-fund", `../${tarball}`]);
  proof = await makeProofFile();
  writeFileSync(user("hour.kwp"), proof.bytes);
  writeFileSync(user("forged.kwp"), forged(proof.bytes));
}, INSTALL_MS);

afterAll(() => rmSync(place, { recursive: true, force: true }));

describe("the verifier alone", () => {
  it("brings two packages, of the versions that the project chose, and no other", () => {
    const project = manifestOf(ROOT);
    const own = manifestOf(user("node_modules"), NAME);
    expect(own).toMatchObject({ name: NAME, version: project.version });
    expect(own.scripts).toBeUndefined();
    expect(own.dependencies).toEqual(
      Object.fromEntries(DEPENDENCIES.map((name) => [name, project.dependencies?.[name]])),
    );
    const packages = installed()
      .filter((file) => file.endsWith("/package.json"))
      .map((file) => manifestOf(user("node_modules"), file.slice(0, -"/package.json".length)).name)
      .filter((name) => name !== undefined);
    expect(packages.sort()).toEqual([...DEPENDENCIES, NAME]);
  });

  it("brings nothing native, no sources and no second copy of anything", () => {
    const files = installed();
    expect(files.filter((file) => /\.(?:node|gyp|c|cc|cpp|wasm|so|sh)$/.test(file))).toEqual([]);
    const own = files
      .filter((file) => file.startsWith(`${NAME}/`))
      .map((file) => file.slice(NAME.length + 1));
    expect(own).toEqual(
      expect.arrayContaining(["LICENSE", "README.md", "index.js", "index.d.ts", "native.js"]),
    );
    expect(own.filter((file) => !/\.(?:js|d\.ts)$/.test(file)).sort()).toEqual([
      ...["LICENSE", "README.md", "package.json"],
    ]);
  });

  it("has nothing of Node below its main entry", async () => {
    expect(await builtinsBelow(NAME)).toEqual([]);
    expect(await builtinsBelow(`${NAME}/native`)).toEqual(["node:crypto"]);
  });

  it.each(["docs/verify.md", "attest/README.md"])("verifies a proof with the example of %s", (document) => {
    const example = /```js\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, document), "utf8"))?.[1] ?? "";
    writeFileSync(user("example.js"), example);
    const said = run(process.execPath, ["example.js"], { DEVICE_KEY: proof.deviceKey });
    expect(said).toMatch(/^valid: signed by the device you trust, device-asserted/);
    expect(said).toContain("12 Wh into the boundary");
  });

  it("is described with fault codes that there are", () => {
    const rows = readFileSync(join(ROOT, "docs/verify.md"), "utf8").match(/^\| `[a-z-]+`.*?\|/gm) ?? [];
    const codes = rows.flatMap((row) => row.match(/[a-z]+-[a-z-]+/g) ?? []);
    const sources = readdirSync(join(ROOT, "attest")).filter((file) => file.endsWith(".ts"));
    const text = sources.map((file) => readFileSync(join(ROOT, "attest", file), "utf8")).join("\n");
    expect(codes.length).toBeGreaterThan(3);
    expect(codes.filter((code) => !text.includes(`"${code}"`))).toEqual([]);
  });

  it("says the same by either suite, and names a fault by its code", () => {
    const script = `
      import { readFileSync } from "node:fs";
      import { checkProof, portableSuite } from "${NAME}";
      import { nativeSuite } from "${NAME}/native";
      const keys = process.argv.slice(1).map((hex) => new Uint8Array(Buffer.from(hex, "hex")));
      const policy = { deviceKeys: keys.slice(0, 1), nodeKeys: keys.slice(1), witnesses: 2 };
      const verdictOf = (suite, file) => {
        const checked = checkProof(suite, new Uint8Array(readFileSync(file)), policy);
        return checked.valid ? checked.value.standing : checked.refusal.code;
      };
      const files = ["hour.kwp", "forged.kwp", "package.json"];
      console.log(JSON.stringify([portableSuite, nativeSuite].map((suite) => files.map((file) => verdictOf(suite, file)))));`;
    const words = ["--input-type=module", "-e", script, proof.deviceKey, ...proof.nodeKeys];
    const [portable, native] = JSON.parse(run(process.execPath, words));
    expect(portable).toEqual(["witnessed", expect.stringMatching(/^[a-z]+-[a-z-]+$/), "proof-format"]);
    expect(native).toEqual(portable);
  });

  it("has types that a strict program compiles against, without Node's", () => {
    writeFileSync(
      user("program.ts"),
      `import { checkProof, portableSuite, type Verdict } from "${NAME}";
export function standing(file: Uint8Array, key: Uint8Array): Verdict["standing"] | undefined {
  const checked = checkProof(portableSuite, file, { deviceKeys: [key], nodeKeys: [], witnesses: 2 });
  return checked.valid ? checked.value.standing : undefined;
}
`,
    );
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2023", "--lib", "es2023"];
    run(process.execPath, [tsc, ...options, "--types", "", "program.ts"]);
  });
});

/** The built-in modules that a bundler finds below an import of the installed package. */
async function builtinsBelow(specifier: string): Promise<string[]> {
  const found = new Set<string>();
  writeFileSync(user("entry.js"), `export * from "${specifier}";\n`);
  const build = await rolldown({
    cwd: user(),
    input: user("entry.js"),
    treeshake: false,
    plugins: [
      {
        name: "note what is built in",
        resolveId(name) {
          if (!isBuiltin(name)) return null;
          found.add(name);
          return { id: name, external: true };
        },
      },
    ],
  });
  await build.generate({ format: "esm" });
  await build.close();
  return [...found];
}
