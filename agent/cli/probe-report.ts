import { toHex } from "../../attest/bytes.ts";
import { type ChannelRole, type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription, MeterIdentity } from "../../drivers/driver.ts";
import {
  currentText,
  frequencyText,
  powerText,
  powerWords,
  registerWords,
  stateOfChargeWords,
  stepText,
  voltageText,
} from "../words.ts";
import type { ProbeResult, RelayLook } from "./probe-device.ts";
import { problemJson, problemText } from "./probe-problem.ts";

/** The results for an installer to read: a heading per device, and per channel what it shows. */
export function probeText(results: readonly ProbeResult[]): string {
  return `${results.map(deviceText).join("\n\n")}\n`;
}

function deviceText({ device, identity, channels, snapshot, problem, relay }: ProbeResult): string {
  const heading = `${device.id} (${device.definition.name})`;
  const who = identity === undefined ? heading : `${heading}: ${identityText(identity)}`;
  const lines = channels.flatMap((channel) =>
    channelLines(channel, {
      role: device.channels[channel.name]?.role ?? channel.role,
      reading: snapshot?.readings.find((reading) => reading.channel === channel.name),
    }),
  );
  const absent = snapshot?.absent.map((text) => `  not available: ${inWords(text)}`) ?? [];
  const doubts = snapshot?.doubts?.map(({ channel, message }) => `  DOUBTFUL ${channel}: ${message}`) ?? [];
  const failed = problem === undefined ? [] : [`  PROBLEM ${problemText(problem)}`];
  return [who, ...lines, ...absent, ...doubts, ...failed, ...relayLines(relay)].join("\n");
}

function relayLines(relay: RelayLook | undefined): string[] {
  if (relay === undefined) return [];
  const { use, lines, inUse, problem } = relay;
  const title = `  relay (${use}) at ${lines.join(" and ")}`;
  if (problem !== undefined) return [`${title}:`, `    PROBLEM ${problemText(problem)}`];
  if (inUse.length === 0) return [`${title}: free; nothing was switched`];
  return [`${title}: ${inUse.join(", ")}; by the agent, if it runs`];
}

/** What drivers call by the reading's own names. */
const QUANTITY_WORDS: ReadonlyMap<string, string> = new Map([
  ["activePowerMw", "power"],
  ["importMwh", "import register"],
  ["exportMwh", "export register"],
  ["voltageMv", "voltage"],
  ["currentMa", "current"],
  ["frequencyMhz", "frequency"],
  ["meterTimeMs", "the meter's time"],
]);

function inWords(absent: string): string {
  return absent.replace(/^\w+(?=: )/, (name) => QUANTITY_WORDS.get(name) ?? name);
}

function identityText({ make, model, serial, firmware }: MeterIdentity): string {
  const name = `${make} ${model}`.trim();
  return [
    name === "" ? "make and model unknown" : name,
    serial === "" ? "serial unknown" : `serial ${serial}`,
    ...(firmware === "" ? [] : [`firmware ${firmware}`]),
  ].join(", ");
}

interface Shown {
  readonly role: ChannelRole;
  readonly reading: MeterReading | undefined;
}

interface Present extends Shown {
  readonly reading: MeterReading;
}

function channelLines(channel: ChannelDescription, { role, reading }: Shown): string[] {
  const title = `  ${channel.name} (${role})`;
  if (reading === undefined) return [`${title}: no reading`];
  const values = valueWords(reading, role);
  return [
    `${title}: ${values.length === 0 ? "no value" : values.join("; ")}`,
    ...detailLines(channel, { role, reading }).map((line) => `    ${line}`),
  ];
}

function valueWords(reading: MeterReading, role: ChannelRole): string[] {
  const { activePowerMw, importMwh, exportMwh, stateOfChargePpm, voltageMv, currentMa, frequencyMhz } =
    reading;
  return [
    ...(activePowerMw === undefined ? [] : [powerWords(activePowerMw, role)]),
    ...(importMwh === undefined ? [] : [registerWords("import", importMwh)]),
    ...(exportMwh === undefined ? [] : [registerWords("export", exportMwh)]),
    ...(stateOfChargePpm === undefined ? [] : [stateOfChargeWords(stateOfChargePpm)]),
    ...(voltageMv === undefined ? [] : [voltageText(voltageMv)]),
    ...(currentMa === undefined ? [] : [currentText(currentMa)]),
    ...(frequencyMhz === undefined ? [] : [frequencyText(frequencyMhz)]),
  ];
}

function detailLines(channel: ChannelDescription, { role, reading }: Present): string[] {
  const step = reading.resolutionMwh ?? channel.resolutionMwh;
  const { maxImportMw, maxExportMw } = channel;
  const hasSign = reading.activePowerMw !== undefined || channel.quantities.includes("power");
  return [
    ...(step === undefined ? [] : [`register step ${stepText(step)}`]),
    ...(maxImportMw === undefined ? [] : [`takes in at most ${powerText(maxImportMw)}`]),
    ...(maxExportMw === undefined ? [] : [`gives out at most ${powerText(maxExportMw)}`]),
    ...statusWords(reading.status ?? 0),
    ...(hasSign ? [signWords(channel, role)] : []),
  ];
}

/** What an installer does to see whether the sign is right. */
const SIGN_CHECKS: Readonly<Record<ChannelRole, string>> = {
  grid: "switch on a kettle: about 2 kW more must be imported, on the meter's display, too",
  generation: "while it runs it must be generating as much as its display says",
  storage: "let it charge, then discharge, and compare with its display",
  load: "switch on a kettle behind it: about 2 kW more must be consumed, on the meter's display, too",
  compute: "compare under load with the meter's display",
};

function signWords({ signSource, signVerified }: ChannelDescription, role: ChannelRole): string {
  if (signSource === undefined) return `sign not verified: ${SIGN_CHECKS[role]}`;
  if (signVerified === true) return `sign from ${signSource}`;
  return `sign by ${signSource}, not verified: ${SIGN_CHECKS[role]}`;
}

const STATUS_WORDS: readonly (readonly [bit: number, words: string])[] = [
  [READING_STATUS.standby, "in standby, asleep or off"],
  [READING_STATUS.deviceFault, "the device reports a fault"],
  [READING_STATUS.stale, "the values are old by the meter's own clock"],
  [READING_STATUS.tariffSum, "registers are the sum of all tariffs"],
  [READING_STATUS.registersAtMeterTime, "registers are those at the meter's time"],
];

function statusWords(status: number): string[] {
  return STATUS_WORDS.flatMap(([bit, words]) => ((status & bit) === 0 ? [] : [words]));
}

/** The results for a program: integer units as in a reading, evidence as hexadecimal text. */
export function probeJson(results: readonly ProbeResult[]): { readonly devices: readonly object[] } {
  return { devices: results.map(deviceJson) };
}

function deviceJson({ device, identity, channels, snapshot, problem, relay }: ProbeResult): object {
  return {
    id: device.id,
    driver: device.definition.name,
    answered: problem === undefined,
    ...(identity === undefined ? {} : { identity }),
    channels: channels.map((channel) => {
      const reading = snapshot?.readings.find((candidate) => candidate.channel === channel.name);
      const role = device.channels[channel.name]?.role ?? channel.role;
      const { profileDigest, signVerified = false, ...described } = channel;
      return {
        ...described,
        role,
        signVerified,
        ...(profileDigest === undefined ? {} : { profileDigest: toHex(profileDigest) }),
        ...(reading === undefined ? {} : { reading: plain(reading) }),
      };
    }),
    ...(snapshot === undefined
      ? {}
      : {
          flexibility: snapshot.flexibility.map(plain),
          absent: snapshot.absent,
          doubts: snapshot.doubts ?? [],
        }),
    ...(problem === undefined ? {} : { problem: problemJson(problem) }),
    ...(relay === undefined ? {} : { relay: relayJson(relay) }),
  };
}

function relayJson({ problem, ...look }: RelayLook): object {
  return { ...look, ...(problem === undefined ? {} : { problem: problemJson(problem) }) };
}

function plain({ evidence, ...values }: { readonly evidence: Uint8Array }): object {
  return { ...values, evidence: toHex(evidence) };
}
