import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { raiseCounter, readCounter } from "../../../agent/cli/firmware-counter.ts";
import { readTrustedImage } from "../../../agent/cli/firmware-image.ts";
import { FirmwareProgress } from "../../../agent/cli/firmware-progress.ts";
import { buildImage, publicKeyOf, SEED, securityCounter } from "../../firmware-bridge/image/build.ts";
import { problemOf } from "../../firmware-bridge/image/refused.ts";

const folder = mkdtempSync(join(tmpdir(), "kilowitness-firmware-parts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string): string => join(folder, name);

describe("the file of the greatest security counter", () => {
  it("is made, raised and never lowered, and nothing else is left beside it", () => {
    mkdirSync(file("own"));
    const path = join(file("own"), "counter");
    expect(readCounter(path)).toBeUndefined();
    for (const [counter, kept] of [
      [7, 7],
      [9, 9],
      [8, 9],
      [4_294_967_295, 4_294_967_295],
    ] as const) {
      raiseCounter(path, counter);
      expect(readCounter(path)).toBe(kept);
    }
    expect(readdirSync(file("own"))).toEqual(["counter"]);
    expect(readFileSync(path, "utf8")).toBe("4294967295\n");
  });

  it.each(["", "-1", "7 8", "0x7", "4294967296", "7\n\n", "1e3"])("is refused with %j in it", (text) => {
    writeFileSync(file("wrong"), text);
    expect(problemOf(() => readCounter(file("wrong")))).toEqual({ code: "firmware-counter-file" });
    expect(problemOf(() => raiseCounter(file("wrong"), 9))).toEqual({ code: "firmware-counter-file" });
    expect(readFileSync(file("wrong"), "utf8")).toBe(text);
  });

  it("that cannot be written says so", () => {
    expect(problemOf(() => raiseCounter(join(folder, "none", "counter"), 1))).toEqual({
      code: "firmware-counter-file",
    });
  });
});

describe("an image's file", () => {
  const trust = { key: file("key"), variant: "digest", maxBytes: 1_000 } as const;
  const image = buildImage({ protectedTlvs: [securityCounter(7)] });
  writeFileSync(trust.key, Buffer.from(publicKeyOf(SEED)).toString("hex"));
  writeFileSync(file("image"), image);
  writeFileSync(file("kept"), "6\n");

  it.each([
    [{}, undefined],
    [{ minCounter: 5 }, 5],
    [{ counterFile: file("kept") }, 6],
    [{ minCounter: 7, counterFile: file("kept") }, 7],
    [{ minCounter: 5, counterFile: file("kept") }, 6],
    [{ counterFile: file("not-yet") }, undefined],
  ])("is asked for the greater counter of %j", (asked, least) => {
    const { leastCounter, image: read } = readTrustedImage(file("image"), { ...trust, ...asked });
    expect([leastCounter, read.securityCounter]).toEqual([least, 7]);
  });

  it("is refused below it, and where it is none or too large", () => {
    const code = (path: string, asked: object = {}): string =>
      problemOf(() => readTrustedImage(path, { ...trust, ...asked })).code;
    expect(code(file("image"), { minCounter: 8 })).toBe("image-security-counter");
    expect(code(file("none"))).toBe("firmware-file");
    expect(code(file("image"), { maxBytes: image.length - 1 })).toBe("firmware-file");
    expect(code(file("image"), { variant: "pure" })).toBe("image-variant");
    expect(code(file("image"), { key: file("none") })).toBe("firmware-file");
  });
});

describe("the progress of an upload", () => {
  function written(isTTY: boolean, ...stored: readonly number[]): string[] {
    const texts: string[] = [];
    const progress = new FirmwareProgress({ isTTY, write: (text: string) => texts.push(text) });
    for (const storedBytes of stored) progress.show({ storedBytes, totalBytes: 1_000 });
    progress.end();
    return texts;
  }

  it("is a line for every ten percent, or one line that changes on a terminal", () => {
    expect(written(false, 5, 50, 120, 125, 60, 1_000)).toEqual([
      "0 %, 5 of 1000 bytes\n",
      "12 %, 120 of 1000 bytes\n",
      "6 %, 60 of 1000 bytes\n",
      "100 %, 1000 of 1000 bytes\n",
    ]);
    expect(written(true, 120, 121, 130)).toEqual([
      "\r\u001b[K12 %, 120 of 1000 bytes",
      "\r\u001b[K13 %, 130 of 1000 bytes",
      "\n",
    ]);
  });
});
