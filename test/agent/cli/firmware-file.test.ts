import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { raiseCounter, readCounter } from "../../../agent/cli/firmware-counter.ts";
import { readTrustedImage } from "../../../agent/cli/firmware-image.ts";
import { buildImage, publicKeyOf, SEED } from "../../firmware-bridge/image/build.ts";

const folder = mkdtempSync(join(tmpdir(), "kilowitness-firmware-file-"));
const file = (name: string): string => join(folder, name);
const trust = { key: file("key"), variant: "digest", maxBytes: 1_000 } as const;

beforeAll(() => {
  // Whoever opens it to read waits for somebody who writes.
  execFileSync("mkfifo", [file("pipe")]);
  writeFileSync(file("sparse"), "");
  truncateSync(file("sparse"), 2 ** 31);
  writeFileSync(trust.key, Buffer.from(publicKeyOf(SEED)).toString("hex"));
  writeFileSync(file("image"), buildImage());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ODD = [
  ["pipe", "a regular file"],
  ["/dev/zero", "a regular file"],
  ["sparse", "at most"],
] as const;

describe("what never begins or never ends", () => {
  it.each(ODD)("is refused as an image: %s", (name, expected) => {
    const path = name.startsWith("/") ? name : file(name);
    expect(() => readTrustedImage(path, trust)).toThrow(
      expect.objectContaining({
        code: "firmware-file",
        detail: expect.objectContaining({ where: path, expected: expect.stringContaining(expected) }),
      }),
    );
  });

  it.each(ODD)("is refused as a key: %s", (name, expected) => {
    const path = name.startsWith("/") ? name : file(name);
    expect(() => readTrustedImage(file("image"), { ...trust, key: path })).toThrow(
      expect.objectContaining({
        code: "firmware-file",
        detail: expect.objectContaining({ where: path, expected: expect.stringContaining(expected) }),
      }),
    );
  });

  it.each(ODD)("is refused as the file of the greatest counter: %s", (name, expected) => {
    const path = name.startsWith("/") ? name : file(name);
    const refused = expect.objectContaining({
      code: "firmware-counter-file",
      detail: expect.objectContaining({ where: path, expected: expect.stringContaining(expected) }),
    });
    expect(() => readCounter(path)).toThrow(refused);
    expect(() => raiseCounter(path, 7)).toThrow(refused);
  });
});
