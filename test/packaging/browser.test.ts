import { isBuiltin } from "node:module";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { rolldown } from "rolldown";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Bundles an entry of attest/ as a web page would; anything of Node's own is an error, not a warning. */
async function bundle(entry: string): Promise<string> {
  const build = await rolldown({
    input: `${ROOT}attest/${entry}`,
    platform: "browser",
    plugins: [
      {
        name: "nothing of Node",
        resolveId(specifier): null {
          if (isBuiltin(specifier)) throw new Error(`${specifier} is not there in a browser`);
          return null;
        },
      },
    ],
  });
  const { output } = await build.generate({ format: "iife", name: "attest" });
  return output[0].code;
}

describe("attest in a browser", () => {
  it("starts with nothing of Node around it", async () => {
    // A context has the language and nothing else; text encoding is what every browser adds and attest/ may use.
    const page = createContext({ TextEncoder, TextDecoder });
    const names: unknown = runInContext(`${await bundle("index.ts")}\nObject.keys(attest)`, page);
    expect(names).toEqual(expect.arrayContaining(["portableSuite", "checkFile"]));
    expect(runInContext("typeof process + typeof Buffer + typeof require", page)).toBe(
      "undefinedundefinedundefined",
    );
  });

  it("is refused with node: below it", async () => {
    await expect(bundle("native.ts")).rejects.toThrow("node:crypto is not there in a browser");
  });
});
