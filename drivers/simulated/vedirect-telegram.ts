import type { ShownByMeter, SimulatedSpeaker } from "./speaking.ts";

/** Which device is simulated: a solar charger, or a battery monitor in two shapes. */
export interface VedirectDevice {
  readonly device: "mppt" | "bmv" | "smartshunt";
  /** What a battery monitor says of its battery, 0 to 1000; left out: it has no value yet. */
  readonly stateOfChargePermille?: number;
}

/** A label and its text. */
export type VedirectField = readonly [label: string, text: string];

const PERIOD_MS = 1_000;
const MWH_PER_STEP = 10_000;
const TEXT = new TextEncoder();

/**
 * One block with its checksum: `CR LF label TAB text` for every field, then `CR LF Checksum TAB` and the byte that makes
 * the sum of all bytes 0 modulo 256 (VE.Direct Protocol, message format).
 */
function encodeVedirectBlock(fields: readonly VedirectField[]): Uint8Array {
  const lines = [...fields, ["Checksum", ""] as const].map(([label, text]) => `\r\n${label}\t${text}`);
  const text = TEXT.encode(lines.join(""));
  const block = new Uint8Array(text.length + 1);
  block.set(text);
  block[text.length] = -text.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return block;
}

/**
 * A device with a VE.Direct port. Of what a meter shows, a solar charger says the export as its yield, a battery monitor
 * the import as charged and the export as discharged energy; both cut to 10 Wh and 1 W.
 */
export function vedirectSpeaker(device: VedirectDevice): SimulatedSpeaker {
  return {
    periodMs: PERIOD_MS,
    telegrams: (shown) => blocksOf(device, shown).map(encodeVedirectBlock),
    withWrongChecksum,
  };
}

function blocksOf(device: VedirectDevice, shown: ShownByMeter): readonly (readonly VedirectField[])[] {
  return device.device === "mppt"
    ? [solarCharger(shown)]
    : [monitorNow(device, shown), monitorHistory(shown)];
}

function solarCharger(shown: ShownByMeter): readonly VedirectField[] {
  const powerMw = Math.max(-shown.activePowerMw, 0);
  const batteryMv = 13_200;
  return [
    ["PID", "0xA042"],
    ["FW", "159"],
    ["SER#", `HQ${shown.serial}`],
    ["V", String(batteryMv)],
    ["I", String(Math.trunc((powerMw * 1_000) / batteryMv))],
    ["VPV", String(shown.voltageMv[0] ?? 0)],
    ["PPV", String(Math.trunc(powerMw / 1_000))],
    ["CS", powerMw > 0 ? "3" : "0"],
    ["ERR", "0"],
    ["LOAD", "ON"],
    ["IL", "0"],
    ["H19", steps(shown.exportT1Mwh + shown.exportT2Mwh)],
    ["HSDS", "0"],
  ];
}

function monitorNow(
  { device, stateOfChargePermille }: VedirectDevice,
  shown: ShownByMeter,
): readonly VedirectField[] {
  const voltageMv = shown.voltageMv[0] ?? 0;
  const currentMa = (shown.currentMa[0] ?? 0) * (shown.activePowerMw < 0 ? -1 : 1);
  return [
    ["PID", device === "bmv" ? "0x203" : "0xA389"],
    ["V", String(voltageMv)],
    ["I", String(currentMa)],
    ["P", String(Math.trunc(shown.activePowerMw / 1_000))],
    ["CE", "0"],
    ["SOC", stateOfChargePermille === undefined ? "---" : String(stateOfChargePermille)],
    ["TTG", "-1"],
    ["Alarm", "OFF"],
    ["Relay", "OFF"],
    ["AR", "0"],
    ["BMV", device === "bmv" ? "700" : "SmartShunt 500A/50mV"],
    ["FW", device === "bmv" ? "0308" : "0413"],
  ];
}

function monitorHistory(shown: ShownByMeter): readonly VedirectField[] {
  return [
    ["H1", "0"],
    ["H2", "0"],
    ["H3", "0"],
    ["H4", "0"],
    ["H5", "0"],
    ["H6", "0"],
    ["H7", "11800"],
    ["H8", "14400"],
    ["H17", steps(shown.exportT1Mwh + shown.exportT2Mwh)],
    ["H18", steps(shown.importT1Mwh + shown.importT2Mwh)],
  ];
}

function steps(energyMwh: number): string {
  return String(Math.trunc(energyMwh / MWH_PER_STEP));
}

/** The last digit of the text is another one: the block would read well. */
function withWrongChecksum(telegram: Uint8Array): Uint8Array | undefined {
  const at = telegram.findLastIndex(
    (byte, index) => index < telegram.length - 1 && byte >= 0x30 && byte <= 0x39,
  );
  if (at === -1) return undefined;
  return telegram.map((byte, index) => (index === at ? (byte === 0x39 ? 0x30 : byte + 1) : byte));
}
