import { hostname } from "node:os";
import type { MeterReading } from "../../attest/reading.ts";
import type { SerialAddress } from "../../drivers/line/address.ts";
import type { CompiledProfile } from "../../drivers/profile/compiled.ts";
import { readImage } from "../../drivers/profile/image.ts";
import type { SimulatedProfile } from "../../drivers/simulated/profile-device.ts";
import { powerWords, registerWords, stateOfChargeWords } from "../words.ts";

/** Where a simulated device was told to be. */
export interface SimulatedWhere {
  readonly host: string;
  readonly line?: SerialAddress;
  readonly rtuOverTcp?: number;
}

export interface NamedProfile {
  readonly compiled: CompiledProfile;
  /** Where its file is, unless it comes with the project. */
  readonly file?: string;
}

type Running = Pick<SimulatedProfile, "port" | "unit" | "faults" | "registers" | "requests">;

/** One line: what it is, where, and what is wrong with it. */
export function readyText({ compiled }: NamedProfile, device: Running, where: SimulatedWhere): string {
  const { line, rtuOverTcp, host } = where;
  const how = rtuOverTcp === undefined ? "Modbus TCP" : "RTU over TCP";
  const place = line === undefined ? `${how} on ${host}:${device.port}` : `the serial line ${line.path}`;
  const wrong = device.faults.length === 0 ? "" : `, with ${device.faults.join(", ")}`;
  return `a simulated ${compiled.profile.title} answers: ${place}, unit ${device.unit}${wrong}`;
}

/** The block of the agent's configuration that reads the device. */
export function configurationText(
  { compiled, file }: NamedProfile,
  device: Running,
  where: SimulatedWhere,
): string {
  const driver =
    file === undefined
      ? [`driver: ${compiled.name}`]
      : ["driver: profile", `profile: ${JSON.stringify(file)}`];
  const keys = [...driver, ...placeKeys(device, where), `unit: ${device.unit}`];
  return `devices:\n  - id: simulated\n${keys.map((key) => `    ${key}\n`).join("")}`;
}

function placeKeys({ port }: Running, { host, line, rtuOverTcp }: SimulatedWhere): readonly string[] {
  if (line !== undefined) return ["line: serial:///dev/serial/by-id/NAME # the other end of the cable"];
  const address = host === "0.0.0.0" || host === "::" ? hostname() : host;
  if (rtuOverTcp === undefined) return [`host: ${JSON.stringify(address)}`, `port: ${port}`];
  return [`line: tcp://${address.includes(":") ? `[${address}]` : address}:${port}`];
}

/** One line: what the device shows now, as its own profile reads it. */
export function shownText({ compiled }: NamedProfile, device: Running): string {
  const { readings, absent, doubts = [] } = readImage(compiled, device.registers());
  const channels = readings.map((reading) => `${reading.channel}: ${valuesText(compiled, reading)}`);
  const missing = absent.length === 0 ? [] : [`absent: ${absent.length} values`];
  const doubted = doubts.map(({ message }) => `doubtful: ${message}`);
  const time = new Date().toTimeString().slice(0, 8);
  return [`${time} ${device.requests()} requests`, ...channels, ...missing, ...doubted].join(" | ");
}

function valuesText(compiled: CompiledProfile, reading: MeterReading): string {
  const { channel, activePowerMw, importMwh, exportMwh, stateOfChargePpm } = reading;
  const role = compiled.profile.channels[channel]?.role ?? "load";
  return [
    ...(activePowerMw === undefined ? [] : [powerWords(activePowerMw, role)]),
    ...(importMwh === undefined ? [] : [registerWords("import", importMwh)]),
    ...(exportMwh === undefined ? [] : [registerWords("export", exportMwh)]),
    ...(stateOfChargePpm === undefined ? [] : [stateOfChargeWords(stateOfChargePpm)]),
  ].join(", ");
}
