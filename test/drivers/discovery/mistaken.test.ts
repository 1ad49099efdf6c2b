import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ear } from "../../../drivers/discovery/listen-ear.ts";
import { knownSpeakers } from "../../../drivers/discovery/listen-known.ts";
import type { ExpectedSpeaker } from "../../../drivers/discovery/listen-plan.ts";
import { MbusFramer } from "../../../drivers/mbus/framing.ts";
import { decodeMbus } from "../../../drivers/mbus/telegram.ts";
import { frame, hex, join, LLC, notification } from "../dlms/kit.ts";
import { SIMULATED } from "./simulated-meters.ts";

const CORPORA = "../shared/corpora";

interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function files(folder: string, ending: string): readonly Sample[] {
  const path = `${CORPORA}/${folder}`;
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith(ending) && !name.includes("_decoded") && name !== "README.md")
    .map((name) => ({ name: `${folder}/${name}`, bytes: new Uint8Array(readFileSync(`${path}/${name}`)) }));
}

function hexFiles(folder: string, ending: string): readonly Sample[] {
  return files(folder, ending).map(({ name, bytes }) => ({
    name,
    bytes: hex(new TextDecoder().decode(bytes)),
  }));
}

/** What the corpus has without its frame is put into one. */
function framed({ name, bytes }: Sample): Sample {
  if (name.includes("hdlc_")) return { name, bytes: join(hex("7e"), bytes, hex("7e")) };
  const body = name.includes("NOTIFICATION_BODY")
    ? join(hex(LLC), notification(Buffer.from(bytes).toString("hex")))
    : bytes;
  return { name, bytes: frame(body) };
}

/** Real telegrams by the driver that they are for. */
const REAL: Readonly<Record<string, readonly Sample[]>> = {
  "dsmr-p1": files("dsmr-p1", ".txt"),
  sml: files("sml", ".bin"),
  "dlms-push": [...hexFiles("han/amshan", ".hex").map(framed), ...hexFiles("han/dlms", ".log")],
  "victron-ve-direct": files("vedirect", ".dump"),
};

/** Captures of which no telegram is whole; the collection says why. */
const NO_TELEGRAM = ["sml/DZG_DVS-7420.2V.G2_mtr1_error.bin"];

/**
 * Within an encrypted DLMS telegram stands what would be an encrypted P1 telegram without a frame around it: its kind
 * takes it, too, where it listens alone.
 */
const TAKEN_BY_OTHERS: Readonly<Record<string, readonly string[]>> = {
  "han/dlms/hdlc_kamstrup_omnipower.log": ["dsmr-p1"],
};

interface Heard {
  /** Whom the bytes are taken for when all kinds of meter listen at once. */
  readonly best: string | undefined;
  /** All kinds that take a telegram in them when they listen alone. */
  readonly alone: readonly string[];
}

function heardIn(bytes: Uint8Array, chunk: number): Heard {
  const speakers = knownSpeakers.flatMap((listening) =>
    listening.formats.slice(0, 1).map((format) => ({ listening, format })),
  );
  const best = (those: readonly ExpectedSpeaker[]): string | undefined => {
    const ear = new Ear(those);
    for (let at = 0; at < bytes.length; at += chunk) ear.take(bytes.subarray(at, at + chunk));
    return ear.best()?.listening.driver;
  };
  return { best: best(speakers), alone: speakers.flatMap((speaker) => best([speaker]) ?? []) };
}

function isWiredBus(bytes: Uint8Array): boolean {
  return new MbusFramer().push(bytes).some((framed) => {
    try {
      return framed.kind === "telegram" && decodeMbus(framed.bytes).frame.kind === "long";
    } catch {
      return false;
    }
  });
}

describe("a telegram", () => {
  it.each(Object.entries(REAL))("of a real meter is for %s and for nobody else", (driver, samples) => {
    if (!existsSync(CORPORA)) return console.info(`no telegrams at ${CORPORA}`);
    const good = samples.filter(({ name }) => !NO_TELEGRAM.includes(name));
    for (const { name, bytes } of good) {
      const { best, alone } = heardIn(bytes, 64);
      expect([name, best]).toEqual([name, driver]);
      expect([name, ...alone]).toEqual([name, driver, ...(TAKEN_BY_OTHERS[name] ?? [])]);
      expect([name, isWiredBus(bytes)]).toEqual([name, false]);
    }
    console.info(`${driver}: ${good.length} real captures, each recognised by its own kind`);
    expect(good.length).toBeGreaterThan(1);
  });

  it("of a real meter on a wired M-Bus is for nobody who listens", () => {
    if (!existsSync(CORPORA)) return console.info(`no telegrams at ${CORPORA}`);
    const frames = hexFiles("mbus/test-frames", ".hex");
    for (const { name, bytes } of frames) {
      expect([name, ...heardIn(bytes, 64).alone]).toEqual([name]);
      expect([name, isWiredBus(bytes)]).toEqual([name, true]);
    }
    console.info(`mbus: ${frames.length} real frames, each recognised by M-Bus alone`);
    expect(frames.length).toBeGreaterThan(1);
  });

  it.each(SIMULATED.map((meter) => [meter.name, meter] as const))(
    "of a simulated meter is for its driver: %s",
    (_, meter) => {
      const bytes = join(...meter.telegrams());
      for (const chunk of [bytes.length, 1])
        expect(heardIn(bytes, chunk)).toEqual({ best: meter.driver, alone: [meter.driver] });
    },
  );
});

describe("what is no telegram", () => {
  it("is nobody's, whatever bytes come", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 100, maxLength: 2000 }), (bytes) => {
        expect(heardIn(bytes, 64)).toEqual({ best: undefined, alone: [] });
      }),
    );
  });

  it("is not taken for a telegram of another kind when it was one", () => {
    const change = fc.record({ at: fc.nat(), xor: fc.integer({ min: 1, max: 255 }) });
    fc.assert(
      fc.property(
        fc.constantFrom(...SIMULATED),
        fc.array(change, { minLength: 1, maxLength: 8 }),
        (meter, changes) => {
          const bytes = join(...meter.telegrams());
          for (const { at, xor } of changes) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ xor;
          expect([meter.driver, undefined]).toContain(heardIn(bytes, bytes.length).best);
        },
      ),
      { numRuns: 300 },
    );
  });
});
