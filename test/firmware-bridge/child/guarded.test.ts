import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { endGuarded, spawnGuarded } from "../../../firmware-bridge/child/guarded.ts";
import { isAlive } from "../relay/fake-gpio.ts";

describe("a program under a guard", () => {
  it("gets its words as they are, and its output and its code are handed on", async () => {
    const odd = `it's "$HOME" \\ *; exit 9`;
    const child = spawnGuarded(["sh", "-c", 'printf %s "$1"; printf oh >&2; exit 7', "sh", odd]);
    const [out, err, end] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    expect([out, err, end]).toEqual([odd, "oh", [7, null]]);
  });

  it("ends when it is told to, without a word", async () => {
    const child = spawnGuarded(["sleep", "1000"]);
    child.stdout.resume();
    const said = text(child.stderr);
    endGuarded(child);
    const [code] = await once(child, "close");
    // 128 and SIGTERM.
    expect([code, await said]).toEqual([143, ""]);
  });

  it("is not waited for when its guard was killed, and ends with its next word", async () => {
    const child = spawnGuarded([
      "sh",
      "-c",
      'trap "" TERM; echo $$; sleep 1; while echo more; do sleep 0.1; done',
    ]);
    const [first] = await once(child.stdout, "data");
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    endGuarded(child);
    expect((await once(child, "close"))[1]).toBe("SIGKILL");
    const pid = Number.parseInt(String(first), 10);
    expect(pid).toBeGreaterThan(0);
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it("that is not there has the shell's code for that", async () => {
    const child = spawnGuarded(["there is no such program"]);
    child.stdout.resume();
    child.stderr.resume();
    expect((await once(child, "close"))[0]).toBe(127);
  });
});
