import { describe, expect, it } from "vitest";
import { decodeStream, type Found } from "../../../agent/cli/decode-stream.ts";
import { decodedJson, decodedText } from "../../../agent/cli/decode-text.ts";
import { Problem } from "../../../attest/problem.ts";
import { dlmsDecoder } from "../../../drivers/dlms/decoder.ts";
import { dsmrDecoder } from "../../../drivers/dsmr/decoder.ts";
import { iec62056Decoder } from "../../../drivers/iec62056/decoder.ts";
import { mbusDecoder } from "../../../drivers/mbus/decoder.ts";
import { smlSpeaker } from "../../../drivers/simulated/sml-telegram.ts";
import { METER_KINDS } from "../../../drivers/simulated/telegram-kinds.ts";
import { smlDecoder } from "../../../drivers/sml/decoder.ts";
import { speedwireDecoder } from "../../../drivers/speedwire/decoder.ts";
import type { DecodedTelegram } from "../../../drivers/telegram/telegram.ts";
import { vedirectDecoder } from "../../../drivers/vedirect/decoder.ts";
import { SHOWN } from "./decode-kit.ts";

describe("what a meter says", () => {
  const list: DecodedTelegram = {
    meterId: "M\u001b[2J1",
    meterTimeMs: Date.UTC(2026, 6, 15, 12),
    values: [
      {
        code: "1-0:1.8.0*255",
        text: "12345678901234567.89",
        unit: "Wh",
        scaled: { digits: 1_234_567_890_123_456_789n, exponent: -2 },
      },
      { code: "V", text: "a\nb" },
    ],
  };

  it("is one JSON object a list, its digits exact", () => {
    const lines = decodedJson({ kind: "telegram", offset: 7, bytes: 100, lists: [list, { values: [] }] });
    const [first, second, ...more] = lines.trim().split("\n");
    expect(more).toEqual([]);
    expect(JSON.parse(first ?? "")).toEqual({
      ...{ offset: 7, bytes: 100, list: 1, lists: 2 },
      meterId: "M\u001b[2J1",
      meterTime: "2026-07-15T12:00:00.000Z",
      values: [
        {
          code: "1-0:1.8.0*255",
          text: "12345678901234567.89",
          unit: "Wh",
          scaled: { digits: "1234567890123456789", exponent: -2 },
        },
        { code: "V", text: "a\nb" },
      ],
    });
    expect(JSON.parse(second ?? "")).toEqual({ offset: 7, bytes: 100, list: 2, lists: 2, values: [] });
    expect(lines).not.toContain("\u001b");
  });

  it("says what was refused, with its parts", () => {
    const problem = new Problem("sml-checksum", "it is wrong", { where: "byte 4", expected: "1", got: "2" });
    const line = decodedJson({ kind: "refused", offset: 4, problem });
    expect(JSON.parse(line)).toEqual({
      offset: 4,
      refused: {
        ...{ code: "sml-checksum", message: problem.message },
        ...{ where: "byte 4", expected: "1", got: "2" },
      },
    });
    const text = decodedText({ kind: "refused", offset: 4, problem });
    expect(text).toBe(`at byte 4: refused, ${problem.message} (sml-checksum)\n\n`);
  });

  it("is columns for people, and steers no terminal", () => {
    const text = decodedText({ kind: "telegram", offset: 0, bytes: 9, lists: [list] });
    expect(text).toBe(
      [
        "at byte 0, 9 bytes: meter M\\u{1b}[2J1, its clock 2026-07-15T12:00:00.000Z",
        "  1-0:1.8.0*255  12345678901234567.89 Wh",
        "  V              a\\u{a}b",
        "",
        "",
      ].join("\n"),
    );
  });

  it("may be a time that no calendar has", () => {
    const text = decodedText({
      kind: "telegram",
      offset: 0,
      bytes: 9,
      lists: [{ meterTimeMs: 1e17, values: [] }],
    });
    expect(text).toContain("its clock 100000000000000000 ms");
  });
});

describe("a stream", () => {
  const [telegram = new Uint8Array()] = smlSpeaker().telegrams(SHOWN);

  it("is not read on before its telegrams were printed", async () => {
    let read = 0;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (; read < 5; ) {
        read += 1;
        yield telegram;
      }
    }
    const readThen: number[] = [];
    const options = { decoder: smlDecoder, keys: {}, hex: false, isStopped: () => false };
    const tally = await decodeStream(pieces(), options, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      readThen.push(read);
    });
    expect(readThen).toEqual([1, 2, 3, 4, 5]);
    expect(tally).toMatchObject({ good: 5, refused: 0, bytes: 5 * telegram.length });
  });

  it("that is stopped within a telegram has not refused it", async () => {
    let stopped = false;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield telegram;
      stopped = true;
      yield telegram.subarray(0, 50);
    }
    const options = { decoder: smlDecoder, keys: {}, hex: false, isStopped: () => stopped };
    const tally = await decodeStream(pieces(), options, async () => undefined);
    expect(tally).toMatchObject({ good: 1, refused: 0 });
  });

  it("that ends within one has", async () => {
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(...telegram, ...telegram.subarray(0, 50));
    }
    const options = { decoder: smlDecoder, keys: {}, hex: false, isStopped: () => false };
    const found: Found[] = [];
    await decodeStream(pieces(), options, async (one) => void found.push(one));
    expect(found.map(({ kind, offset }) => [kind, offset])).toEqual([
      ["telegram", 0],
      ["refused", telegram.length],
    ]);
  });
});

it("has a decoder for all simulated meters", async () => {
  const decoders = [
    ...[
      dsmrDecoder,
      smlDecoder,
      dlmsDecoder,
      iec62056Decoder,
      mbusDecoder,
      vedirectDecoder,
      speedwireDecoder,
    ],
  ];
  expect(decoders.map(({ name }) => name).sort()).toEqual(Object.keys(METER_KINDS).sort());
});
