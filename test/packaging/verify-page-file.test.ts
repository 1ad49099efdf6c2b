import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseFragment, parseTrust } from "../../packaging/verify-page/keys.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = join(ROOT, "docs/verify.html");
const KEY = "0123456789abcdef".repeat(4);

describe("the page's file", () => {
  it("is what its sources make, byte for byte", () => {
    const words = [join(ROOT, "packaging/verify-page/build.js"), "--check"];
    execFileSync(process.execPath, words, { encoding: "utf8", timeout: 30_000, stdio: "pipe" });
  });

  it("names no other file or place to load", () => {
    const page = readFileSync(PAGE, "utf8");
    expect(page).toContain("default-src 'none'");
    expect(page.match(/\b(?:src|href|action|srcset|poster)=["'](?!data:,)[^"']*/g) ?? []).toEqual([]);
    expect(page.match(/@import|url\(/g) ?? []).toEqual([]);
  });
});

describe("the keys of the page", () => {
  const bytes = new Uint8Array(Buffer.from(KEY, "hex"));

  it("are read by role, one a line", () => {
    expect(parseTrust(`device:${KEY}\n\n  node:${KEY.toUpperCase()}\r\n${KEY}`, " net ")).toEqual({
      value: { deviceKeys: [bytes, bytes], nodeKeys: [bytes], network: "net" },
    });
  });

  it.each(["device:12", `witness:${KEY}`, `${KEY}0`, "<img src=x>", `device:${KEY} node:${KEY}`])(
    "are refused by line when one is %s",
    (line) => {
      const parsed = parseTrust(`device:${KEY}\n${line}`, "");
      expect(parsed).toEqual({ fault: expect.stringContaining("Line 2 is not a key") });
    },
  );

  it("are refused beyond 64", () => {
    expect(parseTrust(`${KEY}\n`.repeat(64), "")).toHaveProperty("value");
    expect(parseTrust(`${KEY}\n`.repeat(65), "")).toHaveProperty("fault");
  });

  it("may come in the address, which may say nothing else", () => {
    expect(parseFragment(`#trust=device:${KEY},node:${KEY}&network=net`)).toEqual({
      value: { lines: `device:${KEY}\nnode:${KEY}`, network: "net" },
    });
    expect(parseFragment("")).toEqual({ value: { lines: "", network: "" } });
    expect(parseFragment("#trusted=a")).toEqual({ fault: expect.stringContaining('"trusted"') });
    expect(parseFragment("#trust=a&trust=b")).toEqual({ fault: expect.stringContaining('"trust"') });
  });
});
