import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { SmlFile, type SmlListEntry } from "open-sml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { smlSpeaker } from "../../../drivers/simulated/sml-telegram.ts";
import { decodeSml, type SmlValue } from "../../../drivers/sml/decode.ts";
import { telegrams } from "../telegram/framed.ts";
import { frame } from "./kit.ts";
import { anySettings, anyShown } from "./shown.ts";

const FOLDER = "../shared/corpora/sml";
const SOURCE = "test/drivers/sml/libsml-dump.c";

const CAPTURES = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith(".bin")) : [];

function filesOf(capture: string): readonly Uint8Array[] {
  return telegrams(frame(new Uint8Array(readFileSync(`${FOLDER}/${capture}`))));
}

const SIMULATED: readonly Uint8Array[] = fc
  .sample(fc.tuple(anyShown, anySettings), 400)
  .flatMap(([shown, settings]) => smlSpeaker(settings).telegrams(shown));

interface Said {
  readonly code: string;
  readonly status?: string | undefined;
  readonly unit?: number | undefined;
  readonly exponent?: number | undefined;
  readonly value: string;
}

/** One line a value. Unit and exponent count with a number only; an exponent that is left out is 0. */
function line({ code, status, unit, exponent, value }: Said): string {
  const isNumber = /^-?\d+$/.test(value);
  return [code, status ?? "-", isNumber ? (unit ?? "-") : "-", isNumber ? (exponent ?? 0) : "-", value].join(
    " ",
  );
}

function ours(bytes: Uint8Array): readonly string[] {
  return decodeSml(bytes).flatMap(({ values }) =>
    values.map((value) =>
      line({
        code: value.code,
        status: value.status?.toString(),
        unit: value.unitCode,
        exponent: value.scaled?.exponent,
        value: valueText(value),
      }),
    ),
  );
}

function valueText({ scaled, octets, text }: SmlValue): string {
  if (scaled !== undefined) return scaled.digits.toString();
  return octets === undefined ? text || "-" : octetText(octets);
}

/** Octets stay apart from numbers. */
function octetText(octets: Uint8Array): string {
  return `0x${Buffer.from(octets).toString("hex")}`;
}

describe("SML beside libsml", () => {
  let folder = "";
  let reason: string | undefined;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "libsml-"));
    const built = spawnSync("cc", ["-O1", "-o", join(folder, "dump"), SOURCE, "-lsml"], { encoding: "utf8" });
    if (built.status !== 0)
      reason = `libsml-dump.c was not built: ${built.error?.message ?? built.stderr.slice(0, 200)}`;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** What libsml says of files one behind the other; its own transport finds them. */
  function libsml(files: readonly Uint8Array[]): readonly (readonly string[])[] {
    const { stdout, status, error } = spawnSync(join(folder, "dump"), [String(files.length)], {
      input: Buffer.concat(files),
      encoding: "utf8",
      timeout: 10_000,
    });
    if (status !== 0) throw new Error(`libsml-dump ended with ${status} ${error?.message ?? ""}`);
    const said = stdout.split("file\n").slice(1);
    return said.map((text) =>
      text
        .split("\n")
        .filter((row) => row !== "")
        .map(normalized),
    );
  }

  function normalized(row: string): string {
    const [code = "", status, unit, exponent, kind, value = "-"] = row.split(" ");
    const known = (text: string | undefined): number | undefined => (text === "-" ? undefined : Number(text));
    return line({
      code,
      status: status === "-" ? undefined : status,
      unit: known(unit),
      exponent: known(exponent),
      value: kind === "o" ? `0x${value}` : value,
    });
  }

  /** Captures that this libsml (0.1.1) reads otherwise, and why. */
  const EXPLAINED: Readonly<Record<string, string>> = {
    "HOLLEY_DTZ541-ZDBA.bin":
      "times of values without their choice, which libsml reads from its version of 2019 on",
  };

  it.for(CAPTURES)("says the same of %s", (capture, { skip }) => {
    if (reason !== undefined) skip(reason);
    const files = filesOf(capture);
    const theirs = libsml(files);
    if (EXPLAINED[capture] === undefined) expect(theirs).toEqual(files.map(ours));
    else expect(theirs).toEqual(files.map(() => []));
  });

  it(`says the same of ${SIMULATED.length} simulated files`, ({ skip }) => {
    if (reason !== undefined) skip(reason);
    expect(libsml(SIMULATED)).toEqual(SIMULATED.map(ours));
  });
});

describe("SML beside open-sml", () => {
  const LIST = 0x0701;

  function openSml(bytes: Uint8Array): readonly string[] | string {
    const file = new SmlFile();
    try {
      file.parse(Buffer.from(bytes));
    } catch (thrown) {
      return thrown instanceof Error ? thrown.message : String(thrown);
    }
    const lists = file.getMessages().filter((message) => message.getMessageTag() === LIST);
    return lists.flatMap((message) => message.getMessageBody().getValList().getListEntries().map(entryLine));
  }

  function entryLine(entry: SmlListEntry): string {
    const [a, b, c, d, e, f] = entry.getObjName();
    const value = entry.getValue();
    return line({
      code: `${a}-${b}:${c}.${d}.${e}*${f}`,
      status: entry.getStatus()?.toString(),
      unit: entry.getUnit(),
      exponent: entry.getScaler(),
      value: value instanceof Uint8Array ? octetText(value) : String(value ?? "-"),
    });
  }

  it.each(CAPTURES)("says the same of %s", (capture) => {
    for (const bytes of filesOf(capture)) expect(openSml(bytes)).toEqual(ours(bytes));
  });

  it(`says the same of ${SIMULATED.length} simulated files`, () => {
    for (const bytes of SIMULATED)
      expect([hexText(bytes), openSml(bytes)]).toEqual([hexText(bytes), ours(bytes)]);
  });

  function hexText(bytes: Uint8Array): string {
    return Buffer.from(bytes).toString("hex");
  }
});
