import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const folder = fileURLToPath(new URL("../python/", import.meta.url));

/** Distributions keep their Python packages out of reach of other interpreters; the system's one goes last. */
const candidates = ["python3", "/usr/bin/python3"];

/** OpenSSL, by the package cryptography, is one opinion more on signatures; the verifier itself needs none. */
const wanted = ["import cryptography, sys", "import sys"].map(
  (imports) => `${imports}; assert sys.version_info >= (3, 11)`,
);

const python = wanted
  .flatMap((script) => candidates.map((candidate) => ({ candidate, script })))
  .find(({ candidate, script }) => spawnSync(candidate, ["-c", script]).status === 0)?.candidate;

/** What a script of the folder prints last, and how it ends. */
function run(script: string): {
  readonly status: number | null;
  readonly last: string;
  readonly all: string;
} {
  const done = spawnSync(python ?? "", [`${folder}${script}`], { encoding: "utf8" });
  const all = `${done.stdout}${done.stderr}`;
  return { status: done.status, last: all.trimEnd().split("\n").at(-1) ?? "", all };
}

describe("a verifier in Python, written from the document alone", () => {
  if (python === undefined) return void it.skip("Python 3.11 is not installed");

  it("holds to what others published and to the example of the document", () => {
    const done = run("self_check.py");
    expect(done.last, done.all).toMatch(/^OK/);
    expect(done.status).toBe(0);
  });

  it("agrees on every published vector", () => {
    const done = run("run_vectors.py");
    const [, vectors = "0", passed] = /^(\d+) vectors, (\d+) passed, 0 failed$/.exec(done.last) ?? [];
    expect(passed, done.all).toBe(vectors);
    expect(Number(vectors)).toBeGreaterThan(400);
    expect(done.status).toBe(0);
  });
});
