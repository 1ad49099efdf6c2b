import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import type { ByteLine, LineListener } from "../../../drivers/line/line.ts";
import { ReconnectingLine } from "../../../drivers/line/reconnecting.ts";

/** A line that opens or fails as told. */
class ScriptedLine implements ByteLine {
  readonly name = "scripted";
  readonly #fails: boolean;
  listener: LineListener | undefined;
  closed = 0;

  constructor(fails: boolean) {
    this.#fails = fails;
  }

  open(listener: LineListener): Promise<void> {
    this.listener = listener;
    return this.#fails ? Promise.reject(new Problem("line-refused", "refused")) : Promise.resolve();
  }

  write(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
}

const events: string[] = [];
const lines: ScriptedLine[] = [];
let fails = false;

function reconnecting(random: () => number): ReconnectingLine {
  const createLine = (): ByteLine => {
    const line = new ScriptedLine(fails);
    lines.push(line);
    return line;
  };
  return new ReconnectingLine(
    { createLine, silenceMs: 5_000, random },
    {
      onOpen: () => events.push("open"),
      onBytes: (bytes) => events.push(Buffer.from(bytes).toString("latin1")),
      onProblem: (problem) => events.push(problem.code),
    },
  );
}

beforeEach(() => {
  vi.useFakeTimers();
  fails = false;
  events.length = 0;
  lines.length = 0;
});
afterEach(() => vi.useRealTimers());

describe("reconnecting line", () => {
  it("waits a random part of a ceiling that doubles from 1 s to 60 s", async () => {
    fails = true;
    const line = reconnecting(() => 0.5);
    line.start();
    await vi.advanceTimersByTimeAsync(0);
    for (const halfCeilingMs of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]) {
      const before = lines.length;
      await vi.advanceTimersByTimeAsync(halfCeilingMs - 1);
      expect(lines.length).toBe(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(lines.length).toBe(before + 1);
    }
    expect(new Set(events)).toEqual(new Set(["line-refused"]));
    await line.close();
  });

  it("comes back after a loss, and from the shortest wait only once it was healthy", async () => {
    const line = reconnecting(() => 0.999999);
    line.start();
    await vi.advanceTimersByTimeAsync(0);
    for (const [waitMs, healthy] of [
      [1_000, false],
      [2_000, false],
      [4_000, true],
      [1_000, false],
    ] as const) {
      const current = lines.at(-1);
      current?.listener?.onBytes(Buffer.from("x"));
      current?.listener?.onClosed(new Problem("line-closed", "gone"));
      await vi.advanceTimersByTimeAsync(waitMs - 1);
      expect(lines.at(-1)).toBe(current);
      await vi.advanceTimersByTimeAsync(1);
      expect(lines.at(-1)).not.toBe(current);
      if (healthy) line.healthy();
    }
    expect(events.slice(0, 4)).toEqual(["open", "x", "line-closed", "open"]);
    await line.close();
  });

  it("reports silence and opens the line anew", async () => {
    const line = reconnecting(() => 0);
    line.start();
    await vi.advanceTimersByTimeAsync(4_000);
    lines[0]?.listener?.onBytes(Buffer.from("x"));
    await vi.advanceTimersByTimeAsync(4_999);
    expect(events).toEqual(["open", "x"]);
    await vi.advanceTimersByTimeAsync(2);
    expect(events).toEqual(["open", "x", "line-silent", "open"]);
    expect(lines.map((one) => one.closed)).toEqual([1, 0]);
    await line.close();
  });

  it("hears nothing of a line it has given up", async () => {
    const line = reconnecting(() => 0);
    line.start();
    await vi.advanceTimersByTimeAsync(5_001);
    lines[0]?.listener?.onBytes(Buffer.from("late"));
    lines[0]?.listener?.onClosed(new Problem("line-closed", "late"));
    expect(events).toEqual(["open", "line-silent", "open"]);
    await line.close();
  });

  it("leaves no timer and no line after close", async () => {
    const line = reconnecting(() => 0.5);
    line.start();
    await vi.advanceTimersByTimeAsync(0);
    await line.close();
    await line.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(lines.map((one) => one.closed)).toEqual([1]);
    fails = true;
    const failing = reconnecting(() => 0.5);
    failing.start();
    await vi.advanceTimersByTimeAsync(0);
    await failing.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("closes a line that opens after close", async () => {
    const line = reconnecting(() => 0.5);
    line.start();
    await line.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(lines.every((one) => one.closed > 0)).toBe(true);
    expect(events).toEqual([]);
  });
});
