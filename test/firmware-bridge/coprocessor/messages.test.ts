import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { lineSchema } from "../../../drivers/line/address.ts";
import { describeCoprocessor } from "../../../firmware-bridge/coprocessor/describe.ts";
import { DESCRIBE, KEY, READ, SIGN } from "../../../firmware-bridge/coprocessor/protocol.ts";
import { readKey, signMessage } from "../../../firmware-bridge/coprocessor/signing.ts";
import { decodeSnapshot, readSnapshot } from "../../../firmware-bridge/coprocessor/snapshot.ts";
import { type SmpMap, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import type { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { RefusalProblem } from "../../../firmware-bridge/smp/problems.ts";
import { hex } from "../smp/kit.ts";
import { bench, PLACE } from "./kit.ts";

/** What is said of one conversation with a coprocessor that answers `command` with `fields`. */
async function saidOf(
  {
    command,
    fields,
    version = 2,
  }: { readonly command: number; readonly fields: SmpMap; readonly version?: 1 | 2 },
  work: (connection: SmpConnection) => Promise<unknown>,
): Promise<Problem> {
  const { lines } = bench({
    exchanged: (asked, answer) => (asked === command ? fields : answer),
    settings: { version },
  });
  const line = lines.lease(lineSchema.parse(PLACE));
  try {
    await line.talk(work);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  } finally {
    await line.release();
  }
  throw new Error("nothing was wrong");
}

const MESSAGE = new Uint8Array(40);
const sign = (connection: SmpConnection): Promise<unknown> =>
  signMessage(connection, MESSAGE, { attempts: 1 });

describe("an error of group 64 in the form of version 1", () => {
  it.each([1, 3, 5, 6, 11])("is told as that, upon a request of version 2: rc %i", async (rc) => {
    const problem = await saidOf({ command: SIGN.command, fields: smpMap({ rc }) }, sign);
    expect(problem).toMatchObject({
      code: "coprocessor-answer",
      detail: {
        where: expect.stringMatching(/: coprocessor sign$/),
        expected: '{"err": {"group": 64, "rc": N}} to a request of version 2',
        got: `{"rc": ${rc}}`,
      },
    });
    expect(problem.message).not.toMatch(/denies access|unlocked|--smp 1/);
    // With its numbers, for who asks what it meant.
    expect(problem).toBeInstanceOf(RefusalProblem);
    expect(problem).toMatchObject({ refusal: { group: undefined, rc } });
  });

  it("is told of every command, with a reason beside it as well", async () => {
    const fields = smpMap({ rc: 6, rsn: "warming up" });
    for (const [{ command }, work] of [
      [DESCRIBE, describeCoprocessor],
      [READ, readSnapshot],
      [KEY, readKey],
    ] as const)
      expect(await saidOf({ command, fields }, (connection) => work(connection))).toMatchObject({
        code: "coprocessor-answer",
        message: expect.stringContaining("an error of group 64 in the form of version 1"),
      });
  });

  it("is none upon a request of version 1, nor where SMP itself does not know the command", async () => {
    const denied = { command: SIGN.command, fields: smpMap({ rc: 11 }), version: 1 } as const;
    expect(await saidOf(denied, sign)).toMatchObject({ code: "smp-denied", detail: { got: "rc 11" } });
    const unknown = { command: SIGN.command, fields: smpMap({ rc: 8 }) };
    expect(await saidOf(unknown, sign)).toMatchObject({ code: "smp-not-supported" });
    const whole = smpMap({ err: smpMap({ group: 64, rc: 5 }) });
    expect(await saidOf({ command: SIGN.command, fields: whole }, sign)).toMatchObject({
      code: "coprocessor-not-signable",
    });
  });
});

describe("a value that is not read", () => {
  /** {"kw": 1, "ch": [{"n": "grid", "p": VALUE}]} */
  const snapshotWith = (value: string): Uint8Array =>
    hex(`a2 626b7701 626368 81 a2 616e 6467726964 6170 ${value}`);

  it.each([
    ["fa4a000000", "a float"],
    ["f94a00", "a float"],
    ["fb40b0000000000000", "a float"],
    ["f7", "a simple value that is not read"],
    ["c101", "a tag, which is not read"],
    ["5f420102ff", "a string of indefinite length"],
  ])("is told with its byte and its name, once: %s", (value, got) => {
    const problem = problemOf(() => decodeSnapshot(snapshotWith(value), "port: coprocessor read"));
    expect(problem.code).toBe("coprocessor-answer");
    expect(problem.message).toBe(
      "port: coprocessor read: s: byte 19 (ch[0].p): the answer is not as the protocol has it; " +
        `expected a CBOR map of integers, true, false, null, text, bytes, lists and maps, got ${got}; ` +
        "the firmware has another idea of the protocol: whoever writes it needs this line",
    );
  });

  it("is named by the keys and places that it stands in, and by none where it is the whole", () => {
    const where = (bytes: string): string | undefined =>
      problemOf(() => decodeSnapshot(hex(bytes), "s")).detail.where;
    // {"a": [1, {"b": VALUE}]}
    expect(where("a1 6161 82 01 a1 6162 f93c00")).toBe("s: s: byte 8 (a[1].b)");
    expect(where("a2 6161 8101 6162 f93c00")).toBe("s: s: byte 7 (b)");
    expect(where("f93c00")).toBe("s: s: byte 0");
    expect(where("a0 00")).toBe("s: s: byte 1");
    const long = `a1 78 64 ${"61".repeat(100)} f93c00`;
    expect(where(long)).toBe(`s: s: byte 103 (${"a".repeat(40)})`);
  });
});

describe("a field that can have one value only", () => {
  const key = { alg: -19, pub: new Uint8Array(32), max: 1024, boot: 1, n: 0 };

  it("is told with that value", async () => {
    const fields = smpMap({ ...key, alg: -8 });
    const problem = await saidOf({ command: KEY.command, fields }, (connection) => readKey(connection));
    expect(problem.message).toMatch(
      /: coprocessor key: alg: the answer is not as the protocol has it; expected -19, got -8; /,
    );
  });

  it("is told with both bounds where there are two", async () => {
    const fields = smpMap({ ...key, max: 512 });
    const problem = await saidOf({ command: KEY.command, fields }, (connection) => readKey(connection));
    expect(problem.detail).toMatchObject({ expected: "a whole number from 1024 to 65535", got: "512" });
  });

  it("is told as a byte string where something else stands for one", async () => {
    const fields = smpMap({ s: smpMap({ kw: 1 }), age: 0 });
    const problem = await saidOf({ command: READ.command, fields }, (connection) => readSnapshot(connection));
    expect(problem.detail).toMatchObject({ expected: "a byte string of 1 to 4096 bytes", got: "a map" });
  });
});

describe("what to do about an answer that is not as the protocol has it", () => {
  it("stands there once, and is for who writes the firmware as well as for who has it", async () => {
    const spoilt: readonly (readonly [number, SmpMap])[] = [
      [KEY.command, smpMap({ alg: -8 })],
      [KEY.command, smpMap({ rc: 11 })],
    ];
    for (const [command, fields] of spoilt) {
      const { message } = await saidOf({ command, fields }, (connection) => readKey(connection));
      expect(message.match(/whoever writes it needs this line/g)).toHaveLength(1);
      expect(message).not.toContain("tell its maker");
    }
  });
});

function problemOf(work: () => unknown): Problem {
  try {
    work();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error("nothing was wrong");
}
