import { describe, expect, it } from "vitest";
import { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { ConsoleFramer, encodeConsoleFrame } from "../../../firmware-bridge/smp/console-frame.ts";
import { encodeMessage, type SmpMessage } from "../../../firmware-bridge/smp/message.ts";
import { echo } from "../../../firmware-bridge/smp/os-group.ts";
import { closeLater } from "../../kit/close-later.ts";
import { bytesOf, latin1, lineTo } from "./kit.ts";

const QUICK = { timeoutMs: 15, attempts: 2 };

function foreign(changes: Partial<SmpMessage> = {}): Uint8Array {
  return encodeConsoleFrame(
    encodeMessage({
      ...{ version: 2, operation: "readAnswer", group: 9, sequence: 200, command: 3 },
      ...{ body: Uint8Array.of(0xa0), ...changes },
    }),
  );
}

async function asked(answer: () => Uint8Array): Promise<unknown> {
  const connection = closeLater(await SmpConnection.over(lineTo(answer), QUICK));
  return await echo(connection, "hello").catch((error: unknown) => error);
}

describe("what comes in the place of an answer", () => {
  it("is said to be messages of somebody else, where those come", async () => {
    expect(await asked(() => foreign())).toMatchObject({
      code: "smp-timeout",
      detail: {
        got: "none, but a message to something else: group 9, command 3, number 200; expected group 0, command 0, number 1",
        hint: expect.stringContaining("end other programs on this port"),
      },
    });
  });

  it("is said to be the beginning of a message, where its end never comes", async () => {
    const [firstLine = new Uint8Array()] = linesOf(foreign({ body: bytesOf(300) }));
    expect(await asked(() => firstLine)).toMatchObject({
      code: "smp-timeout",
      detail: {
        got: expect.stringContaining("a line begins a new message in the middle of one"),
        hint: expect.stringContaining("check cable and baud rate"),
      },
    });
    let isFirst = true;
    const once = (): Uint8Array => {
      const said = isFirst ? firstLine : new Uint8Array();
      isFirst = false;
      return said;
    };
    expect(await asked(once)).toMatchObject({
      code: "smp-timeout",
      detail: {
        got: "the beginning of a message, and not its end",
        hint: expect.stringContaining("slower than its baud rate"),
      },
    });
  });

  it("has no byte of a message counted as text, and every byte of what only begins like one", () => {
    const framer = new ConsoleFramer();
    framer.push(foreign({ body: bytesOf(300) }));
    expect(framer.takeOther().count).toBe(0);
    framer.push(latin1("a\x06b\x04c\x06\x06d"));
    const { count, beginning } = framer.takeOther();
    expect([count, Buffer.from(beginning).toString("latin1")]).toEqual([8, "a\x06b\x04c\x06\x06d"]);
    expect(framer.isWithin).toBe(false);
  });
});

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const end = bytes.indexOf(0x0a) + 1;
  return end === 0 ? [] : [bytes.slice(0, end), ...linesOf(bytes.slice(end))];
}
