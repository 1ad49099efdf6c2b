import { Problem } from "../../attest/problem.ts";
import { digestOf } from "../../drivers/digest.ts";
import type { ChannelDescription, MeterIdentity, PolledMeter, Snapshot } from "../../drivers/driver.ts";
import type { CounterSettings } from "./counter-messages.ts";
import { CountingProcess } from "./counting-process.ts";
import { stepMwh } from "./energy.ts";
import { decodePulseFrame, encodePulseFrame, type PulseChannel, readingOfFrame } from "./pulse-frame.ts";
import type { CountingGap, PulseReading, PulseSource } from "./pulse-source.ts";
import { basisOf, basisText, beginsAnew } from "./register-basis.ts";
import { RegisterFile } from "./register-file.ts";

/** What a pulse meter's configuration says, checked by the driver's schema. */
export interface PulseOptions extends Omit<CounterSettings, "basis" | "sysfsRoot"> {
  /** `1000`, or `1000/3` for 1000 pulses in 3 kWh. */
  readonly pulsesPerKwh: string;
  /** Decimal, at most six digits behind the point. */
  readonly startKwh: string;
  readonly role: PulseChannel["role"];
  readonly direction?: PulseChannel["direction"] | undefined;
  readonly make: string;
  readonly model: string;
  readonly serial: string;
}

const SYSFS_ROOT = "/sys/class/gpio";

/** A meter that says nothing but pulses: the register is counted here, and begins at what its display showed. */
export class PulseMeter implements PolledMeter {
  readonly mode = "polled";
  readonly #options: PulseOptions;
  readonly #channel: PulseChannel;
  readonly #source: PulseSource;
  #started: Promise<void> | undefined;
  #identified = false;
  /** That the register begins anew, until a reading says it. */
  #anew: string | undefined;
  #closed = false;

  constructor(options: PulseOptions, source?: PulseSource) {
    this.#options = options;
    this.#channel = channelOf(options);
    this.#source = source ?? new CountingProcess(counterSettings(options));
  }

  /**
   * Begins to count. Who the meter is stands in the configuration.
   *
   * @throws Problem `pulse-…` when the line or the register file cannot be had, `driver-closed`
   */
  async identify(): Promise<MeterIdentity> {
    if (this.#closed) throw closed();
    this.#started ??= this.#start();
    await this.#started;
    this.#identified = true;
    const { make, model, serial } = this.#options;
    return { make, model, serial, firmware: "" };
  }

  channels(): readonly ChannelDescription[] {
    if (!this.#identified)
      throw new Problem("driver-not-identified", "the meter has not been identified yet");
    const { role, direction, constant } = this.#channel;
    const resolutionMwh = stepMwh(constant);
    const signSource = `configuration: the pulses count ${direction}`;
    return [
      { name: role, role, quantities: [direction, "power"], resolutionMwh, signSource, signVerified: false },
    ];
  }

  /** @throws Problem `pulse-…` while nobody counts, `driver-closed`, `driver-not-identified` */
  async read(): Promise<Snapshot> {
    if (this.#closed) throw closed();
    if (!this.#identified)
      throw new Problem("driver-not-identified", "the meter has not been identified yet");
    return this.#snapshot(await this.#source.read());
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#source.stop();
  }

  /** Looks into the register file before the counter has it. */
  async #start(): Promise<void> {
    const { registerFile, basis } = counterSettings(this.#options);
    this.#anew = await newBeginning(registerFile, basis);
    await this.#source.start();
  }

  /** What is read is what the frame says: it decodes again to the same. */
  #snapshot({ gaps, notes, ...count }: PulseReading): Snapshot {
    const bytes = encodePulseFrame({ ...this.#channel, input: inputOf(this.#options), count });
    const digest = digestOf(bytes);
    const reading = { ...readingOfFrame(decodePulseFrame(bytes)), evidence: digest };
    const channel = reading.channel;
    const breaks = [...gaps.map(gapText), ...(this.#anew === undefined ? [] : [this.#anew])];
    this.#anew = undefined;
    const downtime = breaks.map((message) => ({ channel, message }));
    const noPower = reading.activePowerMw === undefined ? ["power: not known before two pulses"] : [];
    return {
      readings: [reading],
      flexibility: [],
      absent: [...breaks, ...notes, ...noPower],
      frames: [{ digest, bytes, what: "pulse count" }],
      ...(downtime.length === 0 ? {} : { downtime }),
    };
  }
}

function channelOf({ role, direction, pulsesPerKwh, startKwh }: PulseOptions): PulseChannel {
  const [pulses = 0, kwh = 1] = pulsesPerKwh.split("/").map(Number);
  const usual = role === "generation" ? "export" : "import";
  return { role, direction: direction ?? usual, constant: { pulses, kwh }, startMwh: mwhOf(startKwh) };
}

function mwhOf(kwhText: string): number {
  const [whole = "0", fraction = ""] = kwhText.split(".");
  return Number(`${whole}${fraction.padEnd(6, "0")}`);
}

function inputOf({ chip, line }: PulseOptions): string {
  return `${chip}:${line}`;
}

/** The counting process gets only what it needs. */
export function counterSettings(options: PulseOptions): CounterSettings {
  const { chip, line, activeLow, bias, through, minPulseMs, minGapMs, registerFile } = options;
  const { constant, startMwh } = channelOf(options);
  const basis = basisText({ input: inputOf(options), constant, startMwh });
  const input = { chip, line, activeLow, bias };
  return { ...input, through, minPulseMs, minGapMs, registerFile, basis, sysfsRoot: SYSFS_ROOT };
}

/**
 * In words, where the register begins anew: with a file that is made now, or another start than that of the file. Nothing
 * may be claimed across that either; the log of a channel that never had a reading has nothing to break.
 */
async function newBeginning(registerFile: string, basis: string): Promise<string | undefined> {
  const startMwh = basisOf(basis)?.startMwh;
  const kept = await RegisterFile.peek(registerFile);
  if (kept === undefined)
    return `the register begins at ${startMwh} mWh, as startKwh says: ${registerFile} is made now`;
  const before = basisOf(kept.basis);
  if (before === undefined || !beginsAnew(kept.basis, basis)) return undefined;
  return `the register begins anew at ${startMwh} mWh, as startKwh says; before, ${kept.count} pulses were counted from ${before.startMwh} mWh`;
}

function gapText({ fromMs, toMs }: CountingGap): string {
  const [from, to] = [fromMs, toMs].map((ms) => new Date(ms).toISOString());
  return `nobody counted from ${from} to ${to}: what flowed meanwhile is unknown`;
}

function closed(): Problem {
  return new Problem("driver-closed", "the driver was closed");
}
