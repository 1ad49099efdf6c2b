import { describe, expect, it } from "vitest";
import { coprocessorProblem } from "../../../firmware-bridge/coprocessor/problems.ts";
import type { GroupHandler } from "../../../firmware-bridge/simulated/smp-server.ts";
import { smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { testImage } from "../../../firmware-bridge/smp/image-group.ts";
import { GROUP } from "../../../firmware-bridge/smp/message.ts";
import { echo } from "../../../firmware-bridge/smp/os-group.ts";
import { answerProblem, type RefusalProblem } from "../../../firmware-bridge/smp/problems.ts";
import { closeLater } from "../../kit/close-later.ts";
import { connect, latin1, lineTo, microcontroller } from "./kit.ts";

function refusal(group: number, rc: number): RefusalProblem {
  const problem = answerProblem(smpMap({ err: smpMap({ group, rc }) }), "here");
  if (problem === undefined) throw new Error("no refusal");
  return problem;
}

describe("what a microcontroller refuses with", () => {
  it.each([
    [GROUP.os, 6],
    [GROUP.image, 34],
    [GROUP.statistics, 5],
    [GROUP.application, 8],
  ])("of group %i is data, and says what to do, for every number up to %i and one more", (group, last) => {
    const codes = Array.from({ length: last + 1 }, (_, at) => refusal(group, at + 1));
    expect(codes.map((one) => one.refusal)).toEqual(codes.map((_, at) => ({ group, rc: at + 1 })));
    for (const { detail, message } of codes) {
      expect(detail.hint?.length).toBeGreaterThan(10);
      expect(message).toMatch(/^here: .+, got group \d+, rc \d+; .+$/);
    }
    expect(codes.at(-1)?.code).toBe("smp-refused");
  });

  it("of the original protocol has no group", () => {
    for (let rc = 1; rc <= 14; rc += 1) {
      const problem = answerProblem(smpMap({ rc }), "here");
      expect(problem?.refusal).toEqual({ group: undefined, rc });
      expect(problem?.detail.hint).toBeDefined();
    }
    expect(answerProblem(smpMap({ rc: "a" }), "here")?.refusal).toEqual({ group: undefined, rc: undefined });
  });

  it("is a coprocessor's where the group is 64, whatever the text says", () => {
    expect(coprocessorProblem(refusal(64, 5))).toMatchObject({ code: "coprocessor-not-signable" });
    expect(coprocessorProblem(refusal(65, 5))).toMatchObject({ code: "smp-refused" });
    const told = answerProblem(smpMap({ rc: 5, rsn: "group 64, rc 5" }), "here");
    expect(coprocessorProblem(told)).toBe(told);
  });
});

describe("a hash of another length than the firmware's", () => {
  it.each([32, 48, 64])(
    "of %i bytes goes out, and is refused where it is not the firmware's",
    async (bytes) => {
      const hash = new Uint8Array(bytes).fill(1);
      for (const [kind, length] of [
        ["sha256", 32],
        ["sha512", 64],
      ] as const) {
        const connection = await connect(microcontroller({ hash: kind }));
        const code = length === bytes ? "smp-image-hash-not-found" : "smp-image-bad-hash";
        await expect(testImage(connection, hash)).rejects.toMatchObject({ code });
      }
    },
  );
});

describe("a line on which something else speaks", () => {
  const QUICK = { timeoutMs: 15, attempts: 2 };

  it("is told by what came instead", async () => {
    const meter = (): Uint8Array => latin1("/XMX5LGF0010455445\r\n\r\n1-3:0.2.8(50)\r\n");
    const connection = closeLater(await SmpConnection.over(lineTo(meter), QUICK));
    await expect(echo(connection, "hello")).rejects.toMatchObject({
      code: "smp-timeout",
      detail: {
        // Two requests and the newline between them, each answered.
        got: `none, but ${3 * meter().length} bytes of something else, beginning "/XMX5LGF0010455445\\r\\n\\r\\n1-"`,
        hint: expect.stringContaining("something else speaks"),
      },
    });
  });

  it("is told by the echo of what was sent", async () => {
    const connection = closeLater(
      await SmpConnection.over(
        lineTo((bytes) => bytes),
        QUICK,
      ),
    );
    await expect(echo(connection, "hello")).rejects.toMatchObject({
      detail: { got: "what was sent, echoed", hint: expect.stringContaining("RX") },
    });
  });
});

describe("an answer that cannot be read", () => {
  it("says whose it is", async () => {
    const handler: GroupHandler = () => smpMap({ r: "x" });
    const mcu = microcontroller({ groups: new Map([[GROUP.os, handler]]) });
    const connection = await connect(mcu, {
      wire: {
        fromDevice: (bytes) => (bytes.length === 0 ? bytes : latin1("\x06\x09AAwJAAACAAAAAIAAAAA=\n")),
      },
    });
    await expect(echo(connection, "hello", { attempts: 1 })).rejects.toMatchObject({
      code: "smp-timeout",
      message: expect.stringMatching(/^test \(near\): echo: .*none that is whole: /),
    });
  });
});
