import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RUNTIME = `${ROOT}node_modules/node/bin/node`;
const ADDON = `${ROOT}node_modules/epoll/build/Release/epoll.node`;

function pinnedVersion(): string {
  const manifest: { devDependencies: { node: string } } = JSON.parse(
    readFileSync(`${ROOT}package.json`, "utf8"),
  );
  return `v${manifest.devDependencies.node}`;
}

function run(script: string): string {
  return execFileSync(RUNTIME, ["-e", script], { cwd: ROOT, encoding: "utf8", timeout: 20_000 }).trim();
}

describe("the pinned runtime", () => {
  it("is the version that package.json names", () => {
    expect(run("console.log(process.version)")).toBe(pinnedVersion());
  });

  // In a process of its own: the addon is not made for worker threads.
  it("loads onoff and its epoll addon", ({ skip }) => {
    skip(!existsSync(ADDON), "epoll is not built here (optional; 'npm run prepare' says why)");
    expect(
      run(
        "const e = new (require('epoll').Epoll)(() => {}); e.close(); console.log(typeof require('onoff').Gpio)",
      ),
    ).toBe("function");
  });
});
