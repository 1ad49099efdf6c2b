import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import {
  AskedProcess,
  type AskedProgram,
  programBeside,
} from "../../../firmware-bridge/child/asked-process.ts";
import { isAlive } from "../relay/fake-gpio.ts";

/** Holds back every answer until the question "all", and gives them in the reverse order then. */
const PROGRAM = `
const settings = JSON.parse(process.argv[2]);
const { spawn } = await import("node:child_process");
const other = spawn("sleep", ["1000"], { stdio: "ignore" });
process.send({ kind: "ready", ready: other.pid });
const answers = [];
process.on("message", ({ ask, question }) => {
  if (question === "nothing") return;
  if (question === "refuse") process.send({ kind: "refused", ask, code: "trade-refused", message: "no" });
  else if (question === "fail") process.send({ kind: "failed", code: "trade-failed", message: "over" }, () => process.exit(1));
  else if (question === "words") process.stderr.write("the words", () => process.exit(3));
  else answers.push({ kind: "answer", ask, answer: settings + question });
  if (question === "all") for (const answer of answers.splice(0).reverse()) process.send(answer);
});
`;

const folder = mkdtempSync(join(tmpdir(), "asked-"));
const path = join(folder, "program.mjs");
beforeAll(() => writeFileSync(path, PROGRAM));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let asked: AskedProcess<string, string, number>;
let others: number[];
let silences: number;

function program(more: Partial<AskedProgram<number>> = {}): AskedProcess<string, string, number> {
  others = [];
  silences = 0;
  asked = new AskedProcess<string, string, number>({
    path,
    settings: "so: ",
    times: { firstRetryMs: 5, longestRetryMs: 20, answerMs: 20_000 },
    takesAlong: true,
    problems: {
      lost: (got) => new Problem("trade-lost", "lost", { got }),
      absent: (cause) => new Problem("trade-absent", "absent", { cause }),
      closed: () => new Problem("trade-closed", "closed"),
    },
    onReady: (other) => others.push(other),
    onSilent: () => {
      silences += 1;
    },
    ...more,
  });
  return asked;
}

afterEach(async () => {
  await asked.stop();
  for (const other of others) end(other);
});

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

describe("a process that is asked", () => {
  it("answers each question, whatever their order", async () => {
    await program().start();
    const answers = Promise.all(["one", "two", "all"].map((question) => asked.ask(question)));
    expect(await answers).toEqual(["so: one", "so: two", "so: all"]);
    await expect(asked.ask("refuse")).rejects.toMatchObject({ code: "trade-refused" });
    expect(await asked.ask("all")).toBe("so: all");
  });

  it("rejects every question when it ends, with its own problem or its last words, and is started again", async () => {
    await program().start();
    const open = asked.ask("one");
    const failed = asked.ask("fail");
    // In the same turn: the next process is there before long.
    const absent = expect(failed.catch(() => asked.ask("one"))).rejects.toMatchObject({
      code: "trade-absent",
      cause: { code: "trade-failed" },
    });
    await expect(open).rejects.toMatchObject({ code: "trade-failed" });
    await expect(failed).rejects.toMatchObject({ code: "trade-failed" });
    await absent;
    await expect.poll(() => others.length).toBe(2);
    await expect(asked.ask("words")).rejects.toMatchObject({
      code: "trade-lost",
      detail: { got: "ended with code 3: the words" },
    });
    await expect.poll(() => others.length).toBe(3);
  });

  it("is killed when it does not answer, with what it has started", async () => {
    await program({ times: { firstRetryMs: 5, longestRetryMs: 20, answerMs: 100 } }).start();
    const [other = Number.NaN] = others;
    await expect(asked.ask("nothing")).rejects.toMatchObject({ code: "trade-lost" });
    expect(silences).toBe(1);
    await expect.poll(() => isAlive(other)).toBe(false);
  });

  it("leaves what it has started to itself where that is so", async () => {
    await program({ takesAlong: false }).start();
    const [other = Number.NaN] = others;
    await expect(asked.ask("words")).rejects.toMatchObject({ code: "trade-lost" });
    await expect.poll(() => others.length).toBe(2);
    expect(isAlive(other)).toBe(true);
  });

  it("is started once where it never was ready, and again and again where it is kept", async () => {
    const missing = programBeside(import.meta.url, "no-such-program");
    await expect(program({ path: missing }).start()).rejects.toMatchObject({ code: "trade-lost" });
    expect(asked.pid).toBeUndefined();
    const seen = new Set<number>();
    program({ path: missing }).keep();
    await expect
      .poll(() => {
        if (asked.pid !== undefined) seen.add(asked.pid);
        return seen.size;
      })
      .toBeGreaterThan(2);
  });

  it("is asked nothing any more once it is stopped, though it has begun only now", async () => {
    const started = program().start();
    await Promise.all([expect(started).rejects.toMatchObject({ code: "trade-closed" }), asked.stop()]);
    await expect(asked.ask("one")).rejects.toMatchObject({ code: "trade-closed" });
    await expect(asked.start()).rejects.toMatchObject({ code: "trade-closed" });
    asked.keep();
    expect([asked.pid, others]).toEqual([undefined, []]);
  });

  it("that cannot even be spawned is said, and tried again", async () => {
    // Longer than an argument of a program may be (execve(2), MAX_ARG_STRLEN): spawn throws, as it does without memory.
    const big = program({ settings: "x".repeat(200_000) });
    expect(() => big.keep()).not.toThrow();
    await expect(big.ask("all")).rejects.toMatchObject({
      code: "trade-absent",
      cause: { code: "trade-lost", message: expect.stringContaining("E2BIG") },
    });
    await expect(big.start()).rejects.toMatchObject({ code: "trade-lost" });
  });
});
