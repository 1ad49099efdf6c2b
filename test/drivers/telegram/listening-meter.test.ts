import { afterEach, describe, expect, it, vi } from "vitest";
import { describeProblem, Problem } from "../../../attest/problem.ts";
import type { MeterIdentity, Snapshot } from "../../../drivers/driver.ts";
import type { ByteLine, LineListener } from "../../../drivers/line/line.ts";
import { ListeningMeter } from "../../../drivers/telegram/listening-meter.ts";
import type { MeterTelegram, TelegramProtocol } from "../../../drivers/telegram/protocol.ts";
import type { Framed } from "../../../drivers/telegram/telegram.ts";

const open: ListeningMeter[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  vi.useRealTimers();
});

/** A line that says what it is told to. */
class ToldLine implements ByteLine {
  readonly name = "told";
  #listener: LineListener | undefined;

  async open(listener: LineListener): Promise<void> {
    this.#listener = listener;
  }

  say(text: string): void {
    this.#listener?.onBytes(new Uint8Array(Buffer.from(text, "latin1")));
  }

  async write(): Promise<void> {
    throw new Error("a meter that speaks by itself is not spoken to");
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }
}

/**
 * Telegrams of one character: a letter is the meter's number, `0` a meter that does not say it, `~` one that does not say
 * who it is at all, `-` one without a reading, `!` a refused one, `.` noise; at `?` and `*` the protocol itself
 * fails, `#` is refused with a hint.
 */
class LetterProtocol implements TelegramProtocol {
  readonly what = "letter";
  readonly wiringHint = "check the letters";
  readonly finalCodes = [];
  readonly unvouched: boolean;
  readonly courseMs?: number;
  reason: Problem | undefined;

  constructor({ unvouched = false, courseMs }: { unvouched?: boolean; courseMs?: number } = {}) {
    this.unvouched = unvouched;
    if (courseMs !== undefined) this.courseMs = courseMs;
  }

  createFramer() {
    const framed = (byte: number): Framed[] => {
      if (byte === 0x2a) throw new RangeError("framed too far");
      if (byte === 0x2e) return [];
      if (byte === 0x21)
        return [{ kind: "refused", offset: 0, problem: new Problem("letter-wrong", "wrong") }];
      return [{ kind: "telegram", offset: 0, bytes: Uint8Array.of(byte) }];
    };
    return { push: (bytes: Uint8Array) => [...bytes].flatMap(framed), end: () => [] };
  }

  decode([byte = 0]: Uint8Array): MeterTelegram | undefined {
    const letter = String.fromCharCode(byte);
    if (letter === "-") return undefined;
    if (letter === "?") throw new TypeError("read too far");
    if (letter === "#")
      throw new Problem("letter-damaged", "damaged", { got: "1 letter", hint: "look at the cable" });
    const identity: MeterIdentity = {
      ...{ make: "ABC", model: "letters", firmware: "" },
      serial: letter === "0" ? "" : letter,
    };
    return {
      ...(letter === "~" ? {} : { identity }),
      unvouched: this.unvouched,
      channels: [{ name: "grid", role: "grid", quantities: ["import"] }],
      readings: [{ channel: "grid", importMwh: byte }],
      absent: [],
    };
  }

  whyNone(): Problem | undefined {
    return this.reason;
  }

  forget(): void {
    this.reason = undefined;
  }
}

interface Bench {
  readonly meter: ListeningMeter;
  readonly line: ToldLine;
  readonly protocol: LetterProtocol;
  /** The letters of what was delivered. */
  readonly delivered: string[];
  readonly problems: string[];
}

/** A meter on an open line, and timers that go when they are told to. */
async function bench(settings: { unvouched?: boolean; courseMs?: number } = {}): Promise<Bench> {
  vi.useFakeTimers();
  const line = new ToldLine();
  const protocol = new LetterProtocol(settings);
  const meter = new ListeningMeter(
    protocol,
    { silenceMs: 10_000, identifyTimeoutMs: 30_000 },
    { createLine: () => line, nowMs: Date.now },
  );
  open.push(meter);
  const delivered: string[] = [];
  const problems: string[] = [];
  meter.start({
    onSnapshot: ({ readings }: Snapshot) =>
      delivered.push(...readings.map(({ importMwh = 0 }) => String.fromCharCode(importMwh))),
    onProblem: (problem) => problems.push(describeProblem(problem).code),
  });
  await vi.advanceTimersByTimeAsync(0);
  return { meter, line, protocol, delivered, problems };
}

/** Says the letters, one a second. */
async function speak(line: ToldLine, letters: string): Promise<void> {
  for (const letter of letters) {
    line.say(letter);
    await vi.advanceTimersByTimeAsync(1_000);
  }
}

describe("whom a line's meter is taken for", () => {
  it("is who the first telegram names, where a checksum vouches for it", async () => {
    const { meter, line, delivered } = await bench();
    const identity = meter.identify();
    await speak(line, "AA");
    expect((await identity).serial).toBe("A");
    expect(delivered).toEqual(["A", "A"]);
  });

  it("has to come twice in a row where nothing vouches for it: one damaged telegram decides nothing", async () => {
    const { meter, line, delivered, problems } = await bench({ unvouched: true });
    const identity = meter.identify();
    await speak(line, "XAAXA");
    expect((await identity).serial).toBe("A");
    expect(delivered).toEqual(["A", "A"]);
    expect(problems).toEqual(["driver-identity-changed"]);
  });

  it("is who says his number in every tenth telegram only", async () => {
    const { meter, line, delivered, problems } = await bench();
    const identity = meter.identify();
    await speak(line, `${"0".repeat(9)}A${"0".repeat(9)}A`);
    expect((await identity).serial).toBe("A");
    expect(delivered).toHaveLength(11);
    await speak(line, "B");
    expect(problems).toEqual(["driver-identity-changed"]);
    expect(delivered).toHaveLength(11);
  });

  it("is a meter without a number after ten telegrams, or half of the time", async () => {
    const quick = await bench();
    const first = quick.meter.identify();
    await speak(quick.line, "0".repeat(10));
    expect((await first).serial).toBe("");
    expect(quick.delivered).toHaveLength(1);
    const slow = await bench();
    const second = slow.meter.identify();
    await speak(slow.line, "0............~");
    await vi.advanceTimersByTimeAsync(999);
    expect(slow.delivered).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect((await second).serial).toBe("");
    slow.line.say("0");
    expect(slow.delivered).toEqual(["0"]);
  });

  it("is nobody while it is asked anew: nothing is delivered as the one's before", async () => {
    const { meter, line, delivered } = await bench();
    const first = meter.identify();
    await speak(line, "A");
    await first;
    const second = meter.identify();
    await speak(line, "~~0B~");
    expect((await second).serial).toBe("B");
    expect(delivered).toEqual(["A", "B", "~"]);
  });
});

describe("a line on which telegrams come and no reading", () => {
  it("says so again and again", async () => {
    const { meter, line, problems } = await bench();
    const identity = meter.identify();
    await speak(line, "A");
    await identity;
    await speak(line, "-".repeat(35));
    expect(problems).toEqual(["driver-no-telegram", "driver-no-telegram", "driver-no-telegram"]);
    await speak(line, "A--------");
    expect(problems).toHaveLength(3);
  });

  it("says what the protocol knows of it", async () => {
    const { meter, line, protocol, problems } = await bench();
    const identity = meter.identify();
    await speak(line, "A");
    await identity;
    protocol.reason = new Problem("driver-identity-changed", "gone");
    await speak(line, "-".repeat(21));
    expect(problems).toEqual(["driver-identity-changed", "driver-identity-changed"]);
  });

  it("is in order for as long as the protocol says", async () => {
    const { meter, line, problems } = await bench({ courseMs: 60_000 });
    const identity = meter.identify();
    await speak(line, "A");
    await identity;
    await speak(line, "-".repeat(58));
    expect(problems).toEqual([]);
    await speak(line, "--");
    expect(problems).toEqual(["driver-no-telegram"]);
  });

  it("says noise beside it as before, and refused telegrams by their own problem", async () => {
    const { meter, line, problems } = await bench();
    const identity = meter.identify();
    await speak(line, "A");
    await identity;
    await speak(line, ".".repeat(11));
    expect(problems).toEqual(["driver-no-telegram"]);
    await speak(line, "!".repeat(15));
    expect(problems.slice(1)).toEqual(Array.from({ length: 15 }, () => "letter-wrong"));
  });
});

describe("no good telegram in time", () => {
  it("says what came at last, and what to do once", async () => {
    const { meter, line } = await bench();
    const answer = expect(meter.identify()).rejects.toMatchObject({
      code: "driver-no-answer",
      message:
        "no good telegram came; expected one within 30000 ms, got at last: damaged, got 1 letter; look at the cable",
      detail: { hint: "look at the cable" },
      cause: { code: "letter-damaged" },
    });
    await speak(line, "#".repeat(30));
    await answer;
  });
});

describe("a fault of the driver itself", () => {
  it("is a problem like others, and the next telegram is read", async () => {
    const { meter, line, delivered, problems } = await bench();
    const identity = meter.identify();
    await speak(line, "A?A*A");
    await identity;
    expect(delivered).toEqual(["A", "A", "A"]);
    expect(problems).toEqual(["driver-fault", "driver-fault"]);
  });
});
