import { isBuiltin } from "node:module";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { vectorNames, vectorText } from "../attest/vectors/files.ts";
import { parseVector } from "../attest/vectors/schema.ts";
import { reportCount } from "../kit/vectors.ts";
import { Browser, CHROMIUM } from "./chromium.ts";

const ENTRY = fileURLToPath(new URL("../attest/vectors/browser.ts", import.meta.url));

/** The runner with attest's portable entry, as a web page would load them; anything of Node's own is an error. */
async function bundle(): Promise<string> {
  const build = await rolldown({
    input: ENTRY,
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
  const { output } = await build.generate({ format: "iife", name: "vectors" });
  return output[0].code;
}

describe.skipIf(CHROMIUM === undefined)("the vectors in Chromium (skipped where none is installed)", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await Browser.start(CHROMIUM ?? "");
    await browser.evaluate(await bundle());
  });

  afterAll(() => browser?.end());

  it("have the outcome that they say", async () => {
    const texts = vectorNames().map(vectorText);
    const said = await browser.evaluate(`vectors.runTexts(${JSON.stringify(texts)})`);
    const outcomes: unknown = JSON.parse(String(said));
    expect(outcomes).toEqual(texts.map((text) => parseVector(text).expect));
    expect(texts.length).toBeGreaterThan(0);
    reportCount("attest/vectors in Chromium", texts.length);
  });
});
