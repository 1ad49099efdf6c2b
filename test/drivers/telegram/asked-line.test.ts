import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { parseLineAddress, type SerialFormat } from "../../../drivers/line/address.ts";
import type { ByteLine, LineListener } from "../../../drivers/line/line.ts";
import { AskedLines } from "../../../drivers/telegram/asked-line.ts";
import type { Talk } from "../../../drivers/telegram/talk.ts";
import type { Framed, Framer } from "../../../drivers/telegram/telegram.ts";

const FORMAT: SerialFormat = { baudRate: 2400, dataBits: 8, parity: "even", stopBits: 1 };
const ADDRESS = parseLineAddress("tcp://meters:10001");

/** Every byte is a telegram. */
class ByteFramer implements Framer {
  push(bytes: Uint8Array): readonly Framed[] {
    return [...bytes].map((byte, offset) => ({ kind: "telegram", offset, bytes: Uint8Array.of(byte) }));
  }

  end(): readonly Framed[] {
    return [];
  }
}

/** Answers each byte with the next number; a zero is never answered. */
class EchoLine implements ByteLine {
  readonly name = "echo";
  listener: LineListener | undefined;
  closed = false;
  failsToOpen = false;

  async open(listener: LineListener): Promise<void> {
    if (this.failsToOpen) throw new Problem("line-refused", "connection refused");
    this.listener = listener;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes[0] !== 0) this.listener?.onBytes(bytes.map((byte) => byte + 1));
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

function setUp(): { readonly lines: AskedLines; readonly made: EchoLine[] } {
  const made: EchoLine[] = [];
  const lines = new AskedLines(() => {
    const line = new EchoLine();
    made.push(line);
    return line;
  });
  return { lines, made };
}

async function ask(talk: Talk, ...numbers: number[]): Promise<number | undefined> {
  await talk.send(Uint8Array.from(numbers));
  const framed = await talk.receive(new ByteFramer(), 20);
  return framed?.kind === "telegram" ? framed.bytes[0] : undefined;
}

describe("a line that meters are asked over", () => {
  it("is opened once for all, and closed by the last one", async () => {
    const { lines, made } = setUp();
    const [one, other] = [lines.lease(ADDRESS, FORMAT), lines.lease(ADDRESS, FORMAT)];
    expect(made).toHaveLength(0);
    expect(await one.talk((talk) => ask(talk, 4))).toBe(5);
    expect(await other.talk((talk) => ask(talk, 7))).toBe(8);
    expect(made).toHaveLength(1);
    await Promise.all([one.release(), one.release()]);
    expect(made[0]?.closed).toBe(false);
    await expect(one.talk((talk) => ask(talk, 1))).rejects.toMatchObject({ code: "driver-closed" });
    await other.release();
    expect(made[0]?.closed).toBe(true);
  });

  it("lets one conversation end before the next begins, also one that fails", async () => {
    const { lines } = setUp();
    const line = lines.lease(ADDRESS, FORMAT);
    const events: string[] = [];
    const talks = [1, 2, 3].map((number) =>
      line.talk(async (talk) => {
        events.push(`${number} begins`);
        await ask(talk, number);
        events.push(`${number} ends`);
        if (number === 2) throw new Problem("mbus-none", "no answer");
      }),
    );
    expect((await Promise.allSettled(talks)).map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(events).toEqual([1, 2, 3].flatMap((number) => [`${number} begins`, `${number} ends`]));
    await line.release();
  });

  it("gives nothing at the deadline, and nothing of one conversation to the next", async () => {
    const { lines, made } = setUp();
    const line = lines.lease(ADDRESS, FORMAT);
    expect(await line.talk((talk) => ask(talk, 0))).toBeUndefined();
    made[0]?.listener?.onBytes(Uint8Array.of(99));
    expect(await line.talk((talk) => ask(talk, 4, 8))).toBe(5);
    expect(await line.talk((talk) => ask(talk, 20))).toBe(21);
    await line.release();
  });

  it("hands out what a framer cut at once one after the other", async () => {
    const { lines } = setUp();
    const line = lines.lease(ADDRESS, FORMAT);
    const got = await line.talk(async (talk) => {
      await talk.send(Uint8Array.of(1, 2, 3));
      const framer = new ByteFramer();
      const outcomes = [await talk.receive(framer, 20), await talk.receive(framer, 20)];
      return outcomes.map((framed) => (framed?.kind === "telegram" ? framed.bytes[0] : undefined));
    });
    expect(got).toEqual([2, 3]);
    await line.release();
  });

  it("is opened anew after it was lost, and says when it cannot be", async () => {
    const { lines, made } = setUp();
    const line = lines.lease(ADDRESS, FORMAT);
    const lost = line.talk(async (talk) => {
      const answer = ask(talk, 0);
      made[0]?.listener?.onClosed(new Problem("line-closed", "pulled"));
      return await answer;
    });
    await expect(lost).rejects.toMatchObject({ code: "line-closed" });
    expect(await line.talk((talk) => ask(talk, 1))).toBe(2);
    expect(made.map(({ closed }) => closed)).toEqual([true, false]);
    await line.release();
    const refusing = new AskedLines(() => Object.assign(new EchoLine(), { failsToOpen: true }));
    const other = refusing.lease(ADDRESS, FORMAT);
    await expect(other.talk((talk) => ask(talk, 1))).rejects.toMatchObject({ code: "line-refused" });
    await other.release();
  });

  it("ends what is under way when it is given back, and may be taken up again at once", async () => {
    const { lines, made } = setUp();
    const line = lines.lease(ADDRESS, FORMAT);
    await line.talk((talk) => ask(talk, 1));
    const underWay = line.talk((talk) => talk.receive(new ByteFramer(), 60_000));
    const released = line.release();
    const again = lines.lease(ADDRESS, FORMAT);
    const answer = again.talk((talk) => ask(talk, 5));
    await expect(underWay).rejects.toThrow(/closed/);
    await Promise.all([released, answer.catch(() => undefined)]);
    expect(await again.talk((talk) => ask(talk, 6))).toBe(7);
    await again.release();
    expect(made.every(({ closed }) => closed)).toBe(true);
  });

  it("cannot have two settings", async () => {
    const { lines } = setUp();
    const serial = (query: string): ReturnType<AskedLines["lease"]> =>
      lines.lease(parseLineAddress(`serial:///dev/none${query}`), FORMAT);
    const first = serial("?baud=2400");
    expect(() => serial("?baud=300")).toThrow(/different settings.*; expected 2400 8E1, got 300 8E1;/);
    const second = serial("");
    await Promise.all([first.release(), second.release()]);
    await serial("?baud=300").release();
  });
});
