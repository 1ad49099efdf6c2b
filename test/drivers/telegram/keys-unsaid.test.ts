import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeProblem, Problem } from "../../../attest/problem.ts";
import { dlmsDecoder } from "../../../drivers/dlms/decoder.ts";
import { dlmsPushDriver } from "../../../drivers/dlms/driver.ts";
import { dlmsProtocol } from "../../../drivers/dlms/protocol.ts";
import type { DriverDefinition } from "../../../drivers/driver.ts";
import { dsmrDecoder } from "../../../drivers/dsmr/decoder.ts";
import { dsmrP1Driver } from "../../../drivers/dsmr/driver.ts";
import { P1Protocol } from "../../../drivers/dsmr/protocol.ts";
import { dlmsSpeaker } from "../../../drivers/simulated/dlms-telegram.ts";
import { p1Speaker } from "../../../drivers/simulated/p1-telegram.ts";
import type { TelegramDecoder, TelegramKeys } from "../../../drivers/telegram/decoder.ts";
import { readKeyFile } from "../../../drivers/telegram/key-file.ts";
import type { TelegramProtocol } from "../../../drivers/telegram/protocol.ts";
import { shownAt } from "./sealed-kit.ts";

/** No run of these bytes stands anywhere by chance. */
const KEY = Uint8Array.from({ length: 16 }, (_, at) => 0xc1 + ((at * 37) & 0x3f));
const AUTHENTICATION_KEY = Uint8Array.from({ length: 16 }, (_, at) => 0x83 + ((at * 29) & 0x3f));
const KEYS = { key: KEY, authenticationKey: AUTHENTICATION_KEY };

/** Every form in which a key, or half of it, could stand in a text. */
const FORMS: readonly string[] = [KEY, AUTHENTICATION_KEY].flatMap((key) =>
  [key, key.subarray(0, 8), key.subarray(8)].flatMap((part) => {
    const bytes = Buffer.from(part);
    const hex = bytes.toString("hex");
    return [hex, [...part].join(","), bytes.toString("base64").slice(0, 10)];
  }),
);

/** Forms of a key that a text has, whatever stands between its bytes. */
function formsIn(text: string): readonly string[] {
  const folded = text.toLowerCase().replaceAll(/"\d+":|[\s:]/g, "");
  return FORMS.filter((form) => folded.includes(form.toLowerCase()));
}

/** All that anybody could print of a value: as it is logged, as JSON, as the debugger shows it. */
function printed(value: unknown): string {
  const problem = value instanceof Error ? describeProblem(value) : undefined;
  const detail = value instanceof Problem ? value.detail : undefined;
  return [
    inspect(value, { depth: 20, maxArrayLength: null, showHidden: true }),
    JSON.stringify([value, problem, detail], (_name, one: unknown) =>
      typeof one === "bigint" ? `${one}` : one,
    ),
    String(value),
  ].join("\n");
}

interface Kind {
  readonly protocol: (keys: TelegramKeys) => TelegramProtocol;
  readonly decoder: TelegramDecoder;
  readonly driver: DriverDefinition;
  readonly telegram: (keys: TelegramKeys) => Uint8Array;
}

const KINDS: Readonly<Record<string, Kind>> = {
  dlms: {
    protocol: (keys) => dlmsProtocol({ keys }),
    ...{ decoder: dlmsDecoder, driver: dlmsPushDriver },
    telegram: (keys) =>
      dlmsSpeaker({ layout: "sagemcom", framing: "mbus", ...keys }).telegrams(
        shownAt(0, 1_780_000_000_000),
      )[0] ?? expect.fail("no telegram"),
  },
  dsmr: {
    protocol: (keys) => new P1Protocol({ winterOffsetMinutes: 60, keys }),
    ...{ decoder: dsmrDecoder, driver: dsmrP1Driver },
    telegram: (keys) =>
      p1Speaker(keys).telegrams(shownAt(0, 1_780_000_000_000))[0] ?? expect.fail("no telegram"),
  },
};

/** What comes of it, whether it is given or thrown. */
function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (thrown) {
    return thrown;
  }
}

describe("the forms of a key", () => {
  it("are found where one is printed", () => {
    const hex = Buffer.from(KEY).toString("hex");
    const spaced = hex.toUpperCase().replaceAll(/../g, "$& ");
    for (const shown of [hex, spaced, inspect(KEY), JSON.stringify({ key: KEY }), JSON.stringify([...KEY])])
      expect(formsIn(shown)).not.toEqual([]);
    expect(formsIn(printed(new Problem("key", "shown", { got: hex.slice(16) })))).not.toEqual([]);
  });
});

describe.each(Object.entries(KINDS))("a key of %s", (_name, { protocol, decoder, telegram, driver }) => {
  const wrong = { key: KEY.with(3, 1), authenticationKey: AUTHENTICATION_KEY };
  const SETS: readonly TelegramKeys[] = [
    KEYS,
    { key: KEY },
    wrong,
    { key: KEY.slice(0, 15) },
    { ...KEYS, authenticationKey: AUTHENTICATION_KEY.slice(1) },
    { key: KEY, authenticationKey: KEY },
  ];

  it("is in no reading and no problem, whatever is changed in a telegram", () => {
    const sent = [telegram(KEYS), telegram({ key: KEY }), telegram({})];
    const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(
        fc.constantFrom(...sent),
        fc.constantFrom(...SETS),
        fc.array(change, { maxLength: 3 }),
        (bytes, keys, changes) => {
          const changed = bytes.slice();
          for (const [at, bits] of changes)
            changed[at % bytes.length] = (changed[at % bytes.length] ?? 0) ^ bits;
          const one = protocol(keys);
          const framed = [...one.createFramer().push(changed), ...decoder.createFramer().push(changed)];
          const results = framed.flatMap((each) =>
            each.kind === "refused"
              ? [each.problem]
              : [outcome(() => one.decode(each.bytes)), outcome(() => decoder.decode(each.bytes, keys))],
          );
          results.push(
            outcome(() => one.decode(changed)),
            outcome(() => decoder.decode(changed, keys)),
          );
          for (const result of results) expect(formsIn(printed(result))).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  describe("in a file", () => {
    let folder = "";
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "keys-"));
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    function fileOf(name: string, text: string, mode = 0o600): string {
      const path = join(folder, name);
      writeFileSync(path, text);
      chmodSync(path, mode);
      return path;
    }

    const hex = Buffer.from(KEY).toString("hex");

    it("is in no message, however the file is spoilt", () => {
      const spoilt = [
        fileOf("open", hex, 0o644),
        fileOf("short", hex.slice(1)),
        fileOf("long", `${hex}00`),
        fileOf("two", `${hex}\n${hex}`),
        fileOf("spaced", hex.replaceAll(/../g, "$& ")),
        fileOf("raw", Buffer.from(KEY).toString("latin1")),
        fileOf("named", `key: ${hex}`),
        fileOf("huge", hex.repeat(100)),
        join(folder, hex),
        hex,
      ];
      for (const path of spoilt) {
        const result = outcome(() => readKeyFile(path));
        expect(result).toBeInstanceOf(Problem);
        expect(formsIn(printed(result))).toEqual([]);
      }
    });

    it("is in nothing that is printed of its driver, whatever becomes of it", async () => {
      const keyFile = fileOf("good", hex);
      const options = driver.schema.parse({ line: "tcp://127.0.0.1:9", keyFile, identifyTimeoutMs: 1_000 });
      const meter = driver.open(options);
      const ended = await meter.identify().catch((problem: unknown) => problem);
      for (const shown of [meter, ended, driver, options]) expect(formsIn(printed(shown))).toEqual([]);
      await meter.close();
    });
  });
});
