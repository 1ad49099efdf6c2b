import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { parseLineAddress, type SerialFormat } from "../../../drivers/line/address.ts";
import { type Connection, SharedLines } from "../../../drivers/line/shared-lines.ts";

const FORMAT: SerialFormat = { baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1 };
const ADDRESS = parseLineAddress("tcp://meters:10001");

class FakeConnection implements Connection {
  lost = false;
  readied = 0;

  async close(): Promise<void> {
    this.lost = true;
  }
}

/** `unready`: how many times nobody can be made ready. */
function setUp(unready: number): {
  readonly lines: SharedLines<FakeConnection>;
  readonly made: FakeConnection[];
} {
  const made: FakeConnection[] = [];
  let failing = unready;
  const lines = new SharedLines<FakeConnection>({
    async open() {
      const connection = new FakeConnection();
      made.push(connection);
      return connection;
    },
    async makeReady(connection) {
      failing -= 1;
      if (failing >= 0) throw new Problem("test-unready", "not yet");
      connection.readied += 1;
    },
    conflict: (_, known, wanted) => new Problem("test-conflict", `${known} and ${wanted}`),
  });
  return { lines, made };
}

describe("lines that several users share", () => {
  it("are made ready before each conversation, over the same connection also after that failed", async () => {
    const { lines, made } = setUp(1);
    const line = lines.lease(ADDRESS, FORMAT);
    let talks = 0;
    const talk = (): Promise<number> =>
      line.talk(async ({ readied }) => {
        talks += 1;
        return readied;
      });
    await expect(talk()).rejects.toMatchObject({ code: "test-unready" });
    expect(talks).toBe(0);
    expect(await Promise.all([talk(), talk()])).toEqual([1, 2]);
    expect(made).toHaveLength(1);
    await line.release();
  });

  it("have the settings that the first user gave, whichever way they were given", async () => {
    const { lines } = setUp(0);
    const lease = (query: string, defaults: SerialFormat): ReturnType<typeof lines.lease> =>
      lines.lease(parseLineAddress(`serial:///dev/none${query}`), defaults);
    const first = lease("?baud=300&format=7E1", FORMAT);
    const second = lease("", { baudRate: 300, dataBits: 7, parity: "even", stopBits: 1 });
    expect(() => lease("", FORMAT)).toThrow(/300 7E1 and 9600 8N1/);
    await first.release();
    expect(() => lease("", FORMAT)).toThrow(/300 7E1 and 9600 8N1/);
    await second.release();
    await lease("", FORMAT).release();
  });

  it("are named as messages call them", () => {
    const { lines } = setUp(0);
    expect(lines.lease(ADDRESS, FORMAT).name).toBe("tcp://meters:10001");
    expect(lines.lease(parseLineAddress("serial:///dev/none"), FORMAT).name).toBe("/dev/none");
  });
});
