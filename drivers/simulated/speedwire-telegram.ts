import type { ShownByMeter, SimulatedSpeaker } from "./speaking.ts";

/** Which of SMA's meters is simulated. */
export interface SpeedwireDevice {
  /** Energy Meter 2.0 (the default) sends 600 bytes, Sunny Home Manager 2.0 608: it says the frequency, too. */
  readonly device?: "energy-meter" | "home-manager";
}

/** One record: index, type 4 (now) or 8 (counter), value. Channel and tariff are 0. */
export type SpeedwireEntry = readonly [index: number, type: 4 | 8, value: bigint];

/** What a telegram is made of. */
export interface SpeedwireContent {
  readonly susyId: number;
  readonly serial: number;
  readonly tickerMs: number;
  readonly entries: readonly SpeedwireEntry[];
  /** Major, minor, build, and the kind of release as a letter. */
  readonly version: readonly [major: number, minor: number, build: number, release: string];
}

const PERIOD_MS = 1_000;
const HEAD_BYTES = 28;
const VERSION_BYTES = 8;
const END_BYTES = 4;
const AROUND_BYTES = 20;

/** A telegram as EMETER-Protokoll-TI-en-10 draws it; drivers/speedwire/telegram.ts has the drawing. */
function encodeSpeedwire(content: SpeedwireContent): Uint8Array {
  const recordBytes = content.entries.reduce((sum, [, type]) => sum + 4 + type, 0);
  const bytes = new Uint8Array(HEAD_BYTES + recordBytes + VERSION_BYTES + END_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set([0x53, 0x4d, 0x41, 0x00, 0x00, 0x04, 0x02, 0xa0, 0, 0, 0, 1]);
  view.setUint16(12, bytes.length - AROUND_BYTES);
  bytes.set([0x00, 0x10, 0x60, 0x69], 14);
  view.setUint16(18, content.susyId);
  view.setUint32(20, content.serial);
  view.setUint32(24, content.tickerMs);
  const at = writeEntries(view, content.entries);
  const [major, minor, build, release] = content.version;
  bytes.set([144, 0, 0, 0, major, minor, build, release.charCodeAt(0)], at);
  return bytes;
}

function writeEntries(view: DataView, entries: readonly SpeedwireEntry[]): number {
  let at = HEAD_BYTES;
  for (const [index, type, value] of entries) {
    view.setUint8(at + 1, index);
    view.setUint8(at + 2, type);
    if (type === 4) view.setUint32(at + 4, Number(value));
    else view.setBigUint64(at + 4, value);
    at += 4 + type;
  }
  return at;
}

/**
 * A meter of SMA's at the grid connection. It counts in 0.1 Wh and says so in watt-seconds; power is cut to 0.1 W and
 * shared out evenly among the phases that have a voltage. Reactive power is 0.
 */
export function speedwireSpeaker({ device = "energy-meter" }: SpeedwireDevice = {}): SimulatedSpeaker {
  const isManager = device === "home-manager";
  return {
    periodMs: PERIOD_MS,
    telegrams: (shown) => [
      encodeSpeedwire({
        susyId: isManager ? 372 : 349,
        serial: Number(BigInt.asUintN(32, BigInt(shown.serial))),
        tickerMs: Number(BigInt.asUintN(32, BigInt(shown.timeMs))),
        entries: [...totals(shown, isManager), ...[0, 1, 2].flatMap((phase) => phaseEntries(shown, phase))],
        version: isManager ? [2, 18, 14, "R"] : [2, 0, 18, "R"],
      }),
    ],
    // There is no checksum.
    withWrongChecksum: () => undefined,
  };
}

function totals(shown: ShownByMeter, saysFrequency: boolean): readonly SpeedwireEntry[] {
  const deciwatts = BigInt(Math.trunc(shown.activePowerMw / 100));
  const counters: Counters = [
    wattSeconds(shown.importT1Mwh + shown.importT2Mwh),
    wattSeconds(shown.exportT1Mwh + shown.exportT2Mwh),
  ];
  const frequency: SpeedwireEntry[] = saysFrequency ? [[14, 4, BigInt(shown.frequencyMhz)]] : [];
  return [...powers(0, deciwatts, counters), [13, 4, 1_000n], ...frequency];
}

function phaseEntries(shown: ShownByMeter, phase: number): readonly SpeedwireEntry[] {
  const base = 20 * (phase + 1);
  const count = shown.voltageMv.length;
  const share = phase < count ? portion(Math.trunc(shown.activePowerMw / 100), phase, count) : 0;
  return [
    ...powers(base, BigInt(share), [0n, 0n]),
    [base + 11, 4, BigInt(shown.currentMa[phase] ?? 0)],
    [base + 12, 4, BigInt(shown.voltageMv[phase] ?? 0)],
    [base + 13, 4, 1_000n],
  ];
}

/** The phases add up to the total. */
function portion(total: number, phase: number, count: number): number {
  const even = Math.trunc(total / count);
  return phase === 0 ? total - even * (count - 1) : even;
}

type Counters = readonly [into: bigint, out: bigint];

/** Active, reactive and apparent power and energy, each into the boundary and out of it. */
function powers(base: number, deciwatts: bigint, [into, out]: Counters): readonly SpeedwireEntry[] {
  const drawn = deciwatts > 0n ? deciwatts : 0n;
  const fed = deciwatts < 0n ? -deciwatts : 0n;
  return [
    [base + 1, 4, drawn],
    [base + 1, 8, into],
    [base + 2, 4, fed],
    [base + 2, 8, out],
    [base + 3, 4, 0n],
    [base + 3, 8, 0n],
    [base + 4, 4, 0n],
    [base + 4, 8, 0n],
    [base + 9, 4, drawn],
    [base + 9, 8, into],
    [base + 10, 4, fed],
    [base + 10, 8, out],
  ];
}

/** Cut to 0.1 Wh, which is 360 Ws. */
function wattSeconds(energyMwh: number): bigint {
  return BigInt(Math.trunc(energyMwh / 100)) * 360n;
}
