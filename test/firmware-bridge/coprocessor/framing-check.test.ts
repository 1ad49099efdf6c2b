import { describe, expect, it } from "vitest";
import { Checklist, type CheckResult } from "../../../drivers/kit/checklist.ts";
import { checkFraming } from "../../../firmware-bridge/coprocessor/conformance/framing.ts";
import { encodeSmpMap, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { ConsoleFramer, encodeConsoleFrame } from "../../../firmware-bridge/smp/console-frame.ts";
import { crc16Xmodem } from "../../../firmware-bridge/smp/crc16.ts";
import { decodeMessage, encodeMessage, type SmpMessage } from "../../../firmware-bridge/smp/message.ts";
import { connect, microcontroller, type Wire } from "../smp/kit.ts";
import { faultsOf, plainFirmware } from "./plain-key.ts";

const VERSION = "framing: an answer has the version of its request";
const ONCE = "framing: one answer to one request";
const CRC = "framing: a message that fails its CRC is not answered, and the next one is";
const INDEFINITE = "framing: takes maps of indefinite length";

interface Firmware extends Wire {
  readonly bufferBytes?: number;
  readonly meterOnly?: boolean;
  readonly version?: 1 | 2;
}

async function checked({
  bufferBytes = 384,
  meterOnly,
  version,
  ...wire
}: Firmware = {}): Promise<readonly CheckResult[]> {
  const group = plainFirmware();
  const mcu = microcontroller({
    bufferBytes,
    groups: new Map([
      [64, (request) => (meterOnly === true && request.command > 1 ? smpMap({ rc: 8 }) : group(request))],
    ]),
  });
  const list = new Checklist();
  const settings = { wire, timeoutMs: 40, ...(version === undefined ? {} : { version }) };
  await checkFraming(await connect(mcu, settings), list);
  return list.results;
}

/** The bytes of answers, each changed as a message. */
function changed(change: (answer: SmpMessage) => readonly SmpMessage[]): Wire {
  const framer = new ConsoleFramer();
  return {
    fromDevice: (bytes) =>
      Buffer.concat(
        framer
          .push(bytes)
          .flatMap((framed) => (framed.kind === "telegram" ? change(decodeMessage(framed.bytes)) : []))
          .map((answer) => encodeConsoleFrame(encodeMessage(answer))),
      ),
  };
}

/** A line that mends every CRC, so that firmware answers what it should not. */
function mendsCrc(bytes: Uint8Array): Uint8Array {
  const packet = Buffer.from(Buffer.from(bytes.subarray(2, -1)).toString("latin1"), "base64");
  packet.writeUInt16BE(crc16Xmodem(packet.subarray(2, -2)), packet.length - 2);
  const text = Buffer.from(packet.toString("base64"), "latin1");
  return Buffer.concat([bytes.subarray(0, 2), text, Uint8Array.of(0x0a)]);
}

/** What is answered to a map of indefinite length by firmware that does not know any: the form is wrong. */
function refusing(command: { readonly group: number; readonly command: number }, body: Uint8Array): Wire {
  let isRefused = false;
  const heard = new ConsoleFramer();
  return {
    toDevice: (bytes) => {
      for (const framed of heard.push(bytes))
        if (framed.kind === "telegram") isRefused = decodeMessage(framed.bytes).body[0] === 0xbf;
      return bytes;
    },
    ...changed((answer) => {
      const isOf = answer.group === command.group && answer.command === command.command;
      return [isRefused && isOf ? { ...answer, body } : answer];
    }),
  };
}

const GROUP_ERROR = encodeSmpMap(smpMap({ err: smpMap({ group: 64, rc: 1 }) }));
const SMP_ERROR = encodeSmpMap(smpMap({ rc: 3 }));

describe("messages as such", () => {
  it.each<[string, Firmware]>([
    ["a key and a front end", {}],
    ["a front end alone", { meterOnly: true }],
    ["requests of version 1", { version: 1 }],
    ["short buffers", { bufferBytes: 128 }],
  ])("have nothing wrong, with %s", async (_what, firmware) => {
    const results = await checked(firmware);
    expect(faultsOf(results)).toEqual(new Map());
    expect(results.map(({ name }) => name)).toEqual([VERSION, ONCE, CRC, INDEFINITE]);
  });

  it.each<[string, Firmware, string, string]>([
    [
      "has another version than its request",
      changed((answer) => [{ ...answer, version: 1 }]),
      VERSION,
      "asked in version 2, answered in version 1",
    ],
    ["comes twice", changed((answer) => [answer, answer]), ONCE, "expected one, got 2"],
    ["comes to what fails its CRC", { toDevice: mendsCrc }, CRC, "it was answered"],
    [
      "refuses describe by a map of indefinite length",
      refusing({ group: 64, command: 0 }, GROUP_ERROR),
      INDEFINITE,
      "coprocessor describe refuses bf … ff: group 64, rc 1",
    ],
    [
      "refuses sign by a map of indefinite length",
      refusing({ group: 64, command: 3 }, GROUP_ERROR),
      INDEFINITE,
      "coprocessor sign refuses bf … ff: group 64, rc 1",
    ],
    [
      "refuses an echo by a map of indefinite length",
      refusing({ group: 0, command: 0 }, SMP_ERROR),
      INDEFINITE,
      "echo refuses bf … ff: rc 3",
    ],
  ])("are found where an answer %s", async (_what, firmware, check, words) => {
    expect(faultsOf(await checked(firmware))).toEqual(new Map([[check, words]]));
  });

  it("are found where firmware does not answer any more after a message that failed its CRC", async () => {
    let isDead = false;
    const framer = new ConsoleFramer();
    const toDevice = (bytes: Uint8Array): Uint8Array | undefined => {
      isDead ||= framer.push(bytes).some(({ kind }) => kind !== "telegram");
      return isDead ? undefined : bytes;
    };
    const faults = faultsOf(await checked({ toDevice }));
    expect(faults.get(CRC)).toContain("does not answer");
  });

  it("are asked for once where nobody answers", async () => {
    const results = await checked({ fromDevice: () => undefined });
    expect(results).toMatchObject([{ name: VERSION, outcome: "failed" }]);
  });
});
