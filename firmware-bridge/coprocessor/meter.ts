import { Problem } from "../../attest/problem.ts";
import type { MeterReading } from "../../attest/reading.ts";
import { digestOf } from "../../drivers/digest.ts";
import type {
  ChannelDescription,
  Doubt,
  MeterIdentity,
  PolledMeter,
  Snapshot,
} from "../../drivers/driver.ts";
import { closedDriver } from "../../drivers/line/problems.ts";
import { requireSameMeter } from "../../drivers/telegram/same-meter.ts";
import type { Asking, SmpConnection } from "../smp/connection.ts";
import { apparentPower } from "./apparent-power.ts";
import { breakSince, requireWhole, type SnapshotBefore } from "./continuity.ts";
import { type CoprocessorDescription, describeCoprocessor } from "./describe.ts";
import type { CoprocessorLine } from "./lines.ts";
import { answerFault } from "./problems.ts";
import {
  type CoprocessorSnapshot,
  readSnapshot,
  type SnapshotChannel,
  type TakenSnapshot,
} from "./snapshot.ts";
import type { CoprocessorPlace, SnapshotMemory } from "./snapshot-memory.ts";

/** What a {@link CoprocessorMeter} takes from the world. */
export interface CoprocessorSurroundings {
  readonly line: CoprocessorLine;
  /** Shared by all meters of the process: a driver that is opened anew knows of a restart. */
  readonly memory: SnapshotMemory;
  /** Where the last snapshot is kept for the next run of the program. */
  readonly stateFile: string | undefined;
  readonly asking: Asking;
}

/** A metering front end behind a microcontroller that speaks group 64. */
export class CoprocessorMeter implements PolledMeter {
  readonly mode = "polled";
  readonly #surroundings: CoprocessorSurroundings;
  #description: CoprocessorDescription | undefined;
  /** Before the break that the last snapshot told of: who asks for another one has taken that one in. */
  #broke: SnapshotBefore | undefined;
  #closed = false;

  constructor(surroundings: CoprocessorSurroundings) {
    this.#surroundings = surroundings;
  }

  /**
   * Asks the coprocessor who it is, and takes it for the meter of this line from then on.
   *
   * @throws Problem `coprocessor-no-meter` where it only signs, `coprocessor-protocol`, `coprocessor-answer`, `smp-…`,
   *   `line-…`, `driver-closed`
   */
  async identify(): Promise<MeterIdentity> {
    if (this.#closed) throw closedDriver();
    const { line, asking } = this.#surroundings;
    const description = await line.talk((connection) => describeCoprocessor(connection, asking));
    if (description.channels.length === 0) throw noMeter(line.name);
    this.#description = description;
    return description.identity;
  }

  channels(): readonly ChannelDescription[] {
    return this.#identified().channels;
  }

  /**
   * @throws Problem `driver-identity-changed` where another coprocessor answers or it describes itself otherwise,
   *   `coprocessor-state-file` where the state file cannot be made, `coprocessor-…`, `smp-…`, `line-…`, `driver-closed`, `driver-not-identified`
   */
  async read(): Promise<Snapshot> {
    if (this.#closed) throw closedDriver();
    const known = this.#identified();
    this.#broke = undefined;
    return await this.#surroundings.line.talk((connection) => this.#taken(connection, known));
  }

  async close(): Promise<void> {
    this.#closed = true;
    const { memory, line } = this.#surroundings;
    const { serial } = this.#description?.identity ?? {};
    if (serial !== undefined && this.#broke !== undefined) memory.unsay(this.#place, serial, this.#broke);
    if (serial !== undefined) await memory.flush(this.#place, serial);
    await line.release();
  }

  get #place(): CoprocessorPlace {
    const { line, stateFile } = this.#surroundings;
    return { lineName: line.name, stateFile };
  }

  #identified(): CoprocessorDescription {
    if (this.#description !== undefined) return this.#description;
    throw new Problem("driver-not-identified", "the coprocessor has not been identified yet");
  }

  async #taken(connection: SmpConnection, known: CoprocessorDescription): Promise<Snapshot> {
    const { memory, asking, line } = this.#surroundings;
    const taken = await readSnapshot(connection, asking);
    const { snapshot } = taken;
    requireSameMeter(known.identity, { ...known.identity, serial: snapshot.serial });
    const before = await memory.before(this.#place, snapshot.serial);
    if (before.kind === "snapshot") requireWhole(before.taken, taken, line.name);
    const broken = breakSince(before, snapshot);
    // New firmware may have been started, which describes itself otherwise.
    if (broken !== undefined) requireAlike(known, await describeCoprocessor(connection, asking));
    requireDescribed(known, snapshot, line.name);
    // Nobody takes it any more, and what it would tell is told by the next one.
    if (this.#closed) throw closedDriver();
    if (broken !== undefined) this.#broke = before;
    const problem = await memory.keep(this.#place, taken, broken !== undefined);
    const counted = countedSnapshot(known, taken, broken);
    return problem === undefined ? counted : { ...counted, absent: [...counted.absent, problem.message] };
  }
}

function countedSnapshot(
  { channels }: CoprocessorDescription,
  { bytes, snapshot }: TakenSnapshot,
  broken: string | undefined,
): Snapshot {
  const digest = digestOf(bytes);
  const readings = snapshot.channels.map(({ reading }): MeterReading => ({ ...reading, evidence: digest }));
  const doubts = readings.flatMap(powerDoubt);
  const downtime =
    broken === undefined ? [] : channels.map(({ name }) => ({ channel: name, message: broken }));
  return {
    readings,
    flexibility: [],
    absent: [...(broken === undefined ? [] : [broken]), ...absentOf(channels, snapshot.channels)],
    frames: [{ digest, bytes, what: "coprocessor snapshot" }],
    ...(doubts.length === 0 ? {} : { doubts }),
    ...(downtime.length === 0 ? {} : { downtime }),
  };
}

const VALUES = [
  ["import", "importMwh"],
  ["export", "exportMwh"],
  ["power", "activePowerMw"],
  ["stateOfCharge", "stateOfChargePpm"],
] as const;

/** What is described and not shown, in words. */
function absentOf(
  channels: readonly ChannelDescription[],
  shown: readonly SnapshotChannel[],
): readonly string[] {
  return channels.flatMap(({ name, quantities }) => {
    const reading = shown.find((one) => one.reading.channel === name)?.reading;
    if (reading === undefined) return [`channel ${name}: not in this snapshot`];
    const missing = VALUES.filter(([quantity, key]) => quantities.includes(quantity) && !(key in reading));
    return missing.map(([quantity]) => `channel ${name}: no ${quantity} in this snapshot`);
  });
}

/** Refuses a snapshot with a channel or a quantity that `describe` does not have. */
function requireDescribed(known: CoprocessorDescription, snapshot: CoprocessorSnapshot, where: string): void {
  for (const { role, reading } of snapshot.channels) {
    const at = `${where}: coprocessor read: channel ${reading.channel}`;
    const described = known.channels.find(({ name }) => name === reading.channel);
    if (described?.role !== role)
      throw answerFault(at, described === undefined ? "a described channel" : described.role, role);
    const extra = VALUES.find(
      ([quantity, key]) => key in reading && !described.quantities.includes(quantity),
    );
    if (extra !== undefined) throw answerFault(at, described.quantities.join(", "), extra[0]);
  }
}

/** The firmware's version may change; channels that do are those of another device. */
function requireAlike(known: CoprocessorDescription, found: CoprocessorDescription): void {
  requireSameMeter(known.identity, found.identity);
  if (JSON.stringify(known.channels) === JSON.stringify(found.channels)) return;
  throw new Problem("driver-identity-changed", "the coprocessor describes other channels than before", {
    expected: known.channels.map(({ name }) => name).join(", "),
    got: `${found.channels.map(({ name }) => name).join(", ")}, or others of their properties`,
    hint: "if its firmware was updated, nothing is to be done: it is identified anew",
  });
}

/** Power cannot be more than voltage times current; where it is, they are not of one instant. */
function powerDoubt(reading: MeterReading): readonly Doubt[] {
  const shown = apparentPower(reading);
  if (shown === undefined || Math.abs(shown.powerMw) <= shown.mostMw) return [];
  const { powerMw, apparentMw, mostMw } = shown;
  const message = `power is ${powerMw} mW, voltage times current is ${apparentMw} mW, which allows ${mostMw} mW`;
  return [{ channel: reading.channel, quantities: ["power"], message }];
}

function noMeter(where: string): Problem {
  return new Problem("coprocessor-no-meter", "the coprocessor meters nothing", {
    where,
    expected: "a channel",
    got: "none",
    hint: "it only signs; take it out of the devices",
  });
}
