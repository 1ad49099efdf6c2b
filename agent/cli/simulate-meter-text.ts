import { hostname } from "node:os";
import { resolve } from "node:path";
import type { ShownByMeter } from "../../drivers/simulated/speaking.ts";
import type { SimulatedMeter } from "../../drivers/simulated/telegram-device.ts";
import type { MeteredPart } from "../../drivers/simulated/telegram-home.ts";
import type { MeterKind } from "../../drivers/simulated/telegram-kinds.ts";
import type { TelegramPlace } from "../../drivers/simulated/telegram-place.ts";
import { SPEEDWIRE_GROUP, SPEEDWIRE_PORT } from "../../drivers/speedwire/place.ts";
import type { KeyFiles } from "../../drivers/telegram/key-file.ts";
import { powerWords, registerWords } from "../words.ts";

/** What a simulated meter was told to be. */
export interface MeterWords extends KeyFiles {
  readonly kind: MeterKind;
  readonly layout: string;
  readonly place: TelegramPlace;
  readonly faults: readonly string[];
}

/** One line: what it is, where, and what is wrong with it. */
export function meterReadyText({ kind, layout, place, faults, keyFile }: MeterWords, port: number): string {
  const how = keyFile === undefined ? "" : ", encrypted";
  const wrong = faults.length === 0 ? "" : `, with ${faults.join(", ")}`;
  return `a simulated ${kind.title} (${layout}) ${verbOf(place)} ${placeText(place, port)}${how}${wrong}`;
}

function verbOf({ kind }: TelegramPlace): string {
  return kind === "datagrams" ? "sends to" : "is on";
}

function placeText(place: TelegramPlace, port: number): string {
  switch (place.kind) {
    case "tcp":
      return `tcp://${inUrl(place.host)}:${port}`;
    case "serial":
      return `the serial line ${place.path}`;
    case "pty":
      return `the pseudo terminal ${place.link}`;
    case "datagrams":
      return `udp://${place.group}:${place.port}`;
  }
}

/** The block of the agent's configuration that reads the meter. */
export function meterConfigurationText(words: MeterWords, port: number): string {
  const { kind, layout, place, keyFile, authenticationKeyFile } = words;
  const settings = {
    driver: kind.driver,
    ...placeKeys(place, port),
    ...kind.configuration(layout),
    ...(keyFile === undefined ? {} : { keyFile: resolve(keyFile) }),
    ...(authenticationKeyFile === undefined ? {} : { authenticationKeyFile: resolve(authenticationKeyFile) }),
  };
  const lines = Object.entries(settings).map(([key, value]) => `    ${key}: ${scalar(value)}\n`);
  return `devices:\n  - id: simulated\n${lines.join("")}`;
}

function placeKeys(place: TelegramPlace, port: number): Readonly<Record<string, string | number>> {
  switch (place.kind) {
    case "tcp":
      return { line: `tcp://${inUrl(reachable(place.host))}:${port}` };
    case "serial":
      return { line: "serial:///dev/serial/by-id/NAME # the other end of the cable" };
    case "pty":
      return { line: `serial://${resolve(place.link)}` };
    case "datagrams":
      return datagramKeys(place);
  }
}

/** Only what is not the driver's own default. */
function datagramKeys({
  group,
  port,
  interfaceAddress,
}: Extract<TelegramPlace, { readonly kind: "datagrams" }>): Readonly<Record<string, string | number>> {
  return {
    ...(interfaceAddress === undefined ? {} : { interface: interfaceAddress }),
    ...(group === SPEEDWIRE_GROUP ? {} : { group }),
    ...(port === SPEEDWIRE_PORT ? {} : { port }),
  };
}

function reachable(host: string): string {
  return host === "0.0.0.0" || host === "::" ? hostname() : host;
}

function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** Plain where YAML reads it as the same text. */
function scalar(value: string | number): string {
  return typeof value === "number" || /^[a-z][\w./: #-]*$/i.test(value)
    ? String(value)
    : JSON.stringify(value);
}

const ROLES: Readonly<Record<MeteredPart, "grid" | "generation" | "storage">> = {
  grid: "grid",
  solar: "generation",
  battery: "storage",
};

/** One line: what the meter shows now, before it brings it into its own digits. */
export function meterShownText(
  meter: Pick<SimulatedMeter, "shown" | "said" | "spoilt">,
  part: MeteredPart,
): string {
  const shown = meter.shown();
  const time = new Date().toTimeString().slice(0, 8);
  const spoilt = meter.spoilt() === 0 ? "" : `, ${meter.spoilt()} of them spoilt`;
  const said = meter.said() === 1 ? "1 telegram" : `${meter.said()} telegrams`;
  return `${time} ${said}${spoilt} | ${part}: ${valuesText(shown, part)}`;
}

function valuesText(shown: ShownByMeter, part: MeteredPart): string {
  const { importT1Mwh, importT2Mwh, exportT1Mwh, exportT2Mwh, activePowerMw, serial } = shown;
  return [
    powerWords(activePowerMw, ROLES[part]),
    registerWords("import", importT1Mwh + importT2Mwh),
    registerWords("export", exportT1Mwh + exportT2Mwh),
    `meter ${serial}, its clock ${new Date(shown.timeMs).toISOString().slice(0, 19)}Z`,
  ].join(", ");
}
