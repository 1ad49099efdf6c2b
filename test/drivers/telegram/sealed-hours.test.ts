import { afterEach, describe, expect, it, vi } from "vitest";
import { DISCONTINUITY } from "../../../attest/leaf.ts";
import { dlmsProtocol } from "../../../drivers/dlms/protocol.ts";
import { crc16Arc } from "../../../drivers/dsmr/checksum.ts";
import { P1Protocol } from "../../../drivers/dsmr/protocol.ts";
import { iec62056Protocol } from "../../../drivers/iec62056/protocol.ts";
import type { DlmsLayout } from "../../../drivers/simulated/dlms-lists.ts";
import { dlmsSpeaker } from "../../../drivers/simulated/dlms-telegram.ts";
import { iec62056Speaker } from "../../../drivers/simulated/iec62056-telegram.ts";
import { p1Speaker } from "../../../drivers/simulated/p1-telegram.ts";
import { smlSpeaker } from "../../../drivers/simulated/sml-telegram.ts";
import type { SimulatedSpeaker } from "../../../drivers/simulated/speaking.ts";
import { speedwireSpeaker } from "../../../drivers/simulated/speedwire-telegram.ts";
import {
  type MeterFaultName,
  TelegramFaults,
  withMeterFaults,
  withTelegramFault,
} from "../../../drivers/simulated/telegram-faults.ts";
import { vedirectSpeaker } from "../../../drivers/simulated/vedirect-telegram.ts";
import { smlProtocol } from "../../../drivers/sml/protocol.ts";
import { speedwireProtocol } from "../../../drivers/speedwire/protocol.ts";
import type { TelegramProtocol } from "../../../drivers/telegram/protocol.ts";
import { vedirectProtocol } from "../../../drivers/vedirect/protocol.ts";
import { type Reading, type Sealed, sealHours, shownAt } from "./sealed-kit.ts";

afterEach(() => {
  vi.useRealTimers();
});

interface Kind {
  readonly speaker: () => SimulatedSpeaker;
  readonly protocol: () => TelegramProtocol;
}

function dlms(layout: DlmsLayout, settings: Parameters<typeof dlmsProtocol>[0] = {}): Kind {
  return {
    speaker: () => dlmsSpeaker({ layout, framing: "hdlc" }),
    protocol: () => dlmsProtocol(settings),
  };
}

const KINDS: Readonly<Record<string, Kind>> = {
  dsmr: { speaker: () => p1Speaker({}), protocol: () => new P1Protocol({ winterOffsetMinutes: 60 }) },
  sml: { speaker: () => smlSpeaker({}), protocol: () => smlProtocol() },
  "sml tariffs": { speaker: () => smlSpeaker({ tariffs: true }), protocol: () => smlProtocol() },
  "sml locked": { speaker: () => smlSpeaker({ locked: true }), protocol: () => smlProtocol() },
  iec62056: { speaker: () => iec62056Speaker(), protocol: () => iec62056Protocol({}) },
  "dlms kaifa": dlms("kaifa", { clock: "CET" }),
  "dlms kamstrup": dlms("kamstrup", { registerStepWh: 10, clock: "CET" }),
  "dlms aidon": dlms("aidon", { clock: "CET" }),
  "dlms landis-gyr": dlms("landis-gyr", { registerStepWh: 1, clock: "CET" }),
  "dlms iskra": dlms("iskra"),
  "dlms sagemcom": dlms("sagemcom"),
  vedirect: { speaker: () => vedirectSpeaker({ device: "bmv" }), protocol: () => vedirectProtocol() },
  speedwire: { speaker: () => speedwireSpeaker(), protocol: () => speedwireProtocol() },
};

const WIRE = ["noise", "lost-bytes", "wrong-checksum", "truncated", "repeated-telegram"] as const;

/** What a meter of the kind says with faults of the wire and of its own. */
function saidBy(kind: Kind, names: readonly (MeterFaultName | (typeof WIRE)[number])[]) {
  const speaker = kind.speaker();
  const faults = new TelegramFaults(names);
  const own = names.filter((name): name is MeterFaultName => !WIRE.some((wire) => wire === name));
  return (sinceMs: number, startMs: number): readonly Uint8Array[] => {
    const first = shownAt(0, startMs);
    const shown = withMeterFaults(shownAt(sinceMs, startMs), { faults: own, elapsedMs: sinceMs, first });
    const telegrams = speaker.telegrams(shown);
    const fault = faults.next(sinceMs);
    if (fault === undefined) return telegrams;
    return withTelegramFault(telegrams, fault, (one) => speaker.withWrongChecksum(one)) ?? telegrams;
  };
}

/** So long after it was shown a register may be sealed: hourly lists show that of the hour. */
const SLACK_MS = 20_000;

/** Registers that were sealed and are not what the meter showed then, cut to steps of `stepMwh`. */
function lies({ readings }: Sealed, stepMwh: number): readonly Reading[] {
  return readings.filter(({ importMwh, exportMwh, timeMs }) => {
    const now = shownAt(timeMs - START_MS, START_MS);
    const before = shownAt(Math.max(0, timeMs - START_MS - SLACK_MS), START_MS);
    const isWrong = (value: number | undefined, least: number, most: number): boolean =>
      value !== undefined && (value > most || value <= least - stepMwh);
    return (
      isWrong(importMwh, before.importT1Mwh + before.importT2Mwh, now.importT1Mwh + now.importT2Mwh) ||
      isWrong(exportMwh, before.exportT1Mwh + before.exportT2Mwh, now.exportT1Mwh + now.exportT2Mwh)
    );
  });
}

function withRegisters({ readings }: Sealed): number {
  return readings.filter(({ importMwh }) => importMwh !== undefined).length;
}

const START_MS = Date.UTC(2026, 5, 15, 12, 0, 30);
/** Two quarters with power, into the boundary and out of it, and the first minutes of the next: 198 telegrams. */
const HOURS = 0.55;

function kindOf(name: string): Kind {
  return KINDS[name] ?? expect.fail(`no kind ${name}`);
}

describe.each(Object.entries(KINDS))("what is sealed of %s", (name, kind) => {
  const stepMwh = name === "sml locked" ? 1_000_000 : 10_000;

  it.each(["midnight", "dst-hour"] as const)(
    "is what it showed, without a break, on a bad line and over %s",
    async (fault) => {
      const said = saidBy(kind, [...WIRE, fault]);
      const sealed = await sealHours({ createProtocol: kind.protocol, said, hours: HOURS });
      expect(lies(sealed, stepMwh)).toEqual([]);
      expect(sealed.breaks).toEqual([]);
      expect(sealed.serials).toHaveLength(1);
      expect(withRegisters(sealed)).toBeGreaterThan(165);
    },
  );
});

describe.each(Object.entries(KINDS).filter(([name]) => name !== "vedirect"))(
  "another meter in place of %s",
  (_name, kind) => {
    it("is a break, once, and no energy", async () => {
      const said = saidBy(kind, ["lost-bytes", "meter-swap"]);
      const sealed = await sealHours({ createProtocol: kind.protocol, said, hours: 0.2 });
      expect(sealed.breaks).toEqual([DISCONTINUITY.meterReplaced]);
      expect(new Set(sealed.serials).size).toBe(2);
      expect(sealed.lines.map(({ event }) => event)).toContain("device-offline");
      expect(withRegisters(sealed)).toBeGreaterThan(30);
    });
  },
);

describe("a meter that", () => {
  it.each(Object.keys(KINDS).filter((name) => name !== "speedwire" && name !== "vedirect"))(
    "shares its line with another one is read alone: %s",
    async (name) => {
      const kind = kindOf(name);
      const speaker = kind.speaker();
      const said = (sinceMs: number, startMs: number): readonly Uint8Array[] => {
        const shown = shownAt(sinceMs, startMs);
        const other = { ...shown, serial: "30471107", importT1Mwh: shown.importT1Mwh + 99_000_000 };
        return speaker.telegrams(sinceMs % 20_000 === 0 ? shown : other);
      };
      const sealed = await sealHours({ createProtocol: kind.protocol, said, hours: 0.2 });
      expect(sealed.serials).toHaveLength(1);
      expect(sealed.breaks).toEqual([]);
      expect(lies(sealed, 1_000_000)).toEqual([]);
      expect(withRegisters(sealed)).toBeGreaterThan(30);
    },
  );

  it("shares its network with another one is not guessed", async () => {
    const kind = kindOf("speedwire");
    const speaker = kind.speaker();
    const said = (sinceMs: number, startMs: number): readonly Uint8Array[] =>
      ["30471106", "30471107"].flatMap((serial) =>
        speaker.telegrams({ ...shownAt(sinceMs, startMs), serial }),
      );
    const sealed = await sealHours({ createProtocol: kind.protocol, said, hours: 0.2 });
    expect(sealed.readings).toEqual([]);
    expect(sealed.lines).toContainEqual(expect.objectContaining({ code: "speedwire-several" }));
  });

  it("is locked by times has a break where its registers are cut, and none where their digits are back", async () => {
    const [open, locked] = [smlSpeaker({}), smlSpeaker({ locked: true })];
    const isLocked = (sinceMs: number): boolean => Math.floor(sinceMs / 600_000) % 2 === 1;
    const said = (sinceMs: number, startMs: number): readonly Uint8Array[] =>
      (isLocked(sinceMs) ? locked : open).telegrams(shownAt(sinceMs, startMs));
    const sealed = await sealHours({ createProtocol: smlProtocol, said, hours: HOURS });
    expect(sealed.breaks).toEqual([DISCONTINUITY.registerReset, DISCONTINUITY.registerReset]);
    expect(lies(sealed, 1_000_000)).toEqual([]);
  });

  it.each([
    ["1-0:1.8.1", 300_000, []],
    ["1-0:1.8.2", 300_000, []],
    ["1-0:1.8.2", 10_000, []],
    ["1-0:2.8.1", 300_000, []],
    ["1-0:2.8", 300_000, []],
  ])("leaves out %s every other %i ms: the rest is no register", async (code, everyMs, breaks) => {
    const speaker = p1Speaker({});
    const said = (sinceMs: number, startMs: number): readonly Uint8Array[] => {
      const telegrams = speaker.telegrams(shownAt(sinceMs, startMs));
      return Math.floor(sinceMs / everyMs) % 2 === 0 ? telegrams : telegrams.map((one) => without(one, code));
    };
    const sealed = await sealHours({ createProtocol: kindOf("dsmr").protocol, said, hours: HOURS });
    expect(sealed.breaks).toEqual(breaks);
    expect(lies(sealed, 1_000)).toEqual([]);
    expect(withRegisters(sealed)).toBeGreaterThan(85);
  });

  it("says its number in every tenth telegram only is one meter, and stays it", async () => {
    const speaker = p1Speaker({});
    const said = (sinceMs: number, startMs: number): readonly Uint8Array[] => {
      const telegrams = speaker.telegrams(shownAt(sinceMs, startMs));
      return sinceMs % 100_000 === 20_000 ? telegrams : telegrams.map((one) => without(one, "0-0:96.1.1"));
    };
    const sealed = await sealHours({ createProtocol: kindOf("dsmr").protocol, said, hours: HOURS });
    expect(sealed.serials).toEqual(["30471106"]);
    expect(sealed.breaks).toEqual([]);
    expect(withRegisters(sealed)).toBeGreaterThan(185);
  });

  it.each(Object.keys(KINDS).filter((name) => name !== "sml locked"))(
    "shows zeros after it was without supply, all of them or some: %s",
    async (name) => {
      const kind = kindOf(name);
      const speaker = kind.speaker();
      const said = (sinceMs: number, startMs: number): readonly Uint8Array[] => {
        const shown = shownAt(sinceMs, startMs);
        const part = Math.floor(sinceMs / 300_000) % 3;
        const imported = part === 0 ? {} : { importT1Mwh: 0, importT2Mwh: 0 };
        const exported = part === 1 ? { exportT1Mwh: 0, exportT2Mwh: 0 } : {};
        return speaker.telegrams({ ...shown, ...imported, ...exported });
      };
      const sealed = await sealHours({ createProtocol: kind.protocol, said, hours: 0.5 });
      expect(sealed.breaks).toEqual([]);
      expect(lies(sealed, 10_000)).toEqual([]);
      expect(withRegisters(sealed)).toBeGreaterThan(50);
    },
  );

  it.each(Object.keys(KINDS))("has a gateway that sends old telegrams again: %s", async (name) => {
    const kind = kindOf(name);
    const speaker = kind.speaker();
    const sent: (readonly Uint8Array[])[] = [];
    const said = (sinceMs: number, startMs: number): readonly Uint8Array[] => {
      const now = speaker.telegrams(shownAt(sinceMs, startMs));
      sent.push(now);
      const old = sent[Math.max(0, sent.length - 60)] ?? [];
      if (sent.length % 10 === 3) return old;
      return sent.length % 10 === 7 ? [...now, ...old] : now;
    };
    const sealed = await sealHours({ createProtocol: kind.protocol, said, hours: HOURS });
    expect(sealed.breaks).toEqual([]);
    expect(lies(sealed, name === "sml locked" ? 1_000_000 : 10_000)).toEqual([]);
    expect(withRegisters(sealed)).toBeGreaterThan(150);
  });

  it.each(["kaifa", "kamstrup", "aidon"] as const)("lists its registers once an hour: %s", async (layout) => {
    const speaker = dlmsSpeaker({ layout, framing: "hdlc", isHourly: true });
    const settings = { clock: "CET", ...(layout === "kamstrup" ? { registerStepWh: 10 } : {}) } as const;
    const sealed = await sealHours({
      createProtocol: () => dlmsProtocol(settings),
      said: (sinceMs, startMs) => speaker.telegrams(shownAt(sinceMs, startMs)),
      hours: 2.2,
    });
    expect(sealed.breaks).toEqual([]);
    expect(lies(sealed, 10_000)).toEqual([]);
    expect(withRegisters(sealed)).toBe(2);
  });
});

/** A telegram without lines of that code, with the checksum of what is left. */
function without(telegram: Uint8Array, code: string): Uint8Array {
  const text = Buffer.from(telegram)
    .toString("latin1")
    .replace(/![0-9A-F]{4}\r\n$/, "!");
  const lines = text.split("\r\n").filter((line) => !line.startsWith(code));
  const body = new Uint8Array(Buffer.from(lines.join("\r\n"), "latin1"));
  const checksum = crc16Arc(body).toString(16).toUpperCase().padStart(4, "0");
  return Uint8Array.of(...body, ...Buffer.from(`${checksum}\r\n`, "latin1"));
}
