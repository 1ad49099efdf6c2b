import { createReadStream, existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { type DecodeTally, decodeStream, type Found } from "../../../agent/cli/decode-stream.ts";
import { decodedJson, decodedText } from "../../../agent/cli/decode-text.ts";
import { dlmsDecoder } from "../../../drivers/dlms/decoder.ts";
import { dsmrDecoder } from "../../../drivers/dsmr/decoder.ts";
import { mbusDecoder } from "../../../drivers/mbus/decoder.ts";
import { smlDecoder } from "../../../drivers/sml/decoder.ts";
import type { TelegramDecoder, TelegramKeys } from "../../../drivers/telegram/decoder.ts";
import { vedirectDecoder } from "../../../drivers/vedirect/decoder.ts";

const CORPORA = "../shared/corpora";
const ran = { files: 0, telegrams: 0, refused: 0 };
afterAll(() => {
  process.stdout.write(
    `decode: ${ran.files} real files, ${ran.telegrams} telegrams good, ${ran.refused} refused\n`,
  );
});

interface DecodedFile {
  readonly tally: DecodeTally;
  readonly found: readonly Found[];
}

async function decodedFile(
  decoder: TelegramDecoder,
  path: string,
  { hex, keys = {} }: { readonly hex: boolean; readonly keys?: TelegramKeys },
): Promise<DecodedFile> {
  const found: Found[] = [];
  // Pieces of an odd length, so that telegrams and digits are cut anywhere.
  const input = createReadStream(path, { highWaterMark: 777 });
  const tally = await decodeStream(input, { decoder, keys, hex, isStopped: () => false }, async (one) => {
    found.push(one);
  });
  ran.files += 1;
  ran.telegrams += tally.good;
  ran.refused += tally.refused;
  return { tally, found };
}

function filesOf(name: string, pattern: RegExp): string[] {
  const path = `${CORPORA}/${name}`;
  return existsSync(path) ? readdirSync(path).filter((one) => pattern.test(one)) : [];
}

/** Whole frames with a right checksum, as the corpus' own description counts them. */
const SML_GOOD: Readonly<Record<string, number>> = {
  "DZG_DVS-7420.2V.G2_mtr1_error": 0,
  "DZG_DVS-7420.2V.G2_mtr2_neg": 3,
  "DrNeuhaus_SMARTY_ix-130": 12,
  "EMH_eHZ-GW8E2A500AK2": 16,
  "EMH_mME40-AE6AKF0K0": 12,
  EasyMeter_Q3A_A1064V1009: 4,
  "HOLLEY_DTZ541-ZDBA": 7,
  "ISKRA_MT631-D1A52-K0z-H01_with_PIN": 5,
  "ISKRA_MT631-D1A52-K0z-H01_without_PIN": 5,
  "ITRON_OpenWay-3.HZ_with_PIN": 5,
  dzg_dwsb20_2th_3byte: 14,
  "eBZ_DD3_DD32R06DTA-SMZ1": 4,
};

describe("recordings of real meters", () => {
  it.each(filesOf("sml", /\.bin$/))("%s, and the same in hexadecimal", async (name) => {
    const path = `${CORPORA}/sml/${name}`;
    const binary = await decodedFile(smlDecoder, path, { hex: false });
    const text = await decodedFile(smlDecoder, path.replace(/bin$/, "hex"), { hex: true });
    expect(binary.tally.good).toBe(SML_GOOD[name.replace(/\.bin$/, "")]);
    expect(text.found.map(decodedJson)).toEqual(binary.found.map(decodedJson));
  });

  it.each(filesOf("dsmr-p1", /^TELEGRAM.*\.txt$/))("%s", async (name) => {
    const path = `${CORPORA}/dsmr-p1/${name}`;
    const { tally, found } = await decodedFile(dsmrDecoder, path, { hex: false });
    expect(tally).toMatchObject({ good: 1, refused: 0 });
    // Every line with a value is there.
    const codes = [...readFileSync(path, "latin1").matchAll(/^(\d+-\d+:[\d.]+)\(/gm)].map(([, code]) => code);
    const [line] = found.map(decodedJson);
    for (const code of codes) expect(line).toContain(`"code":"${code}"`);
  });

  it.each(filesOf("mbus/test-frames", /\.hex$/))("%s", async (name) => {
    const { tally } = await decodedFile(mbusDecoder, `${CORPORA}/mbus/test-frames/${name}`, { hex: true });
    expect(tally).toMatchObject({ good: 1, refused: 0 });
  });

  it.each(filesOf("mbus/error-frames", /^premature.*\.hex$/))("%s is refused", async (name) => {
    const path = `${CORPORA}/mbus/error-frames/${name}`;
    const { tally, found } = await decodedFile(mbusDecoder, path, { hex: true });
    expect(tally).toMatchObject({ good: 0, refused: 1 });
    expect(found.map(decodedJson).join("")).toMatch(/"refused":\{"code":"mbus-/);
  });

  it.each(filesOf("han/dlms", /^hdlc_(?!.*_decoded).*\.log$/))("%s", async (name) => {
    const path = `${CORPORA}/han/dlms/${name}`;
    const [key, authenticationKey] = ["key", "gak"].map((end) => keyAt(path.replace(/log$/, end)));
    const keys = {
      ...(key === undefined ? {} : { key }),
      ...(authenticationKey === undefined ? {} : { authenticationKey }),
    };
    const { tally, found } = await decodedFile(dlmsDecoder, path, { hex: true, keys });
    expect(tally).toMatchObject({ good: 1, refused: 0 });
    if (key === undefined) return;
    expect(found.map(decodedText).join("")).not.toContain(Buffer.from(key).toString("hex"));
    const locked = await decodedFile(dlmsDecoder, path, { hex: true });
    expect(locked.found.map(decodedJson).join("")).toContain('"code":"dlms-key-missing"');
  });

  it.each(filesOf("vedirect", /\.dump$/))("%s", async (name) => {
    const { tally } = await decodedFile(vedirectDecoder, `${CORPORA}/vedirect/${name}`, { hex: false });
    expect(tally.good).toBe(name.startsWith("bvm") ? 906 : 248);
  });
});

function keyAt(path: string): Uint8Array | undefined {
  return existsSync(path) ? new Uint8Array(Buffer.from(readFileSync(path, "utf8").trim(), "hex")) : undefined;
}
