import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import type { ChannelRole } from "../../attest/reading.ts";
import { LeasedControl } from "../control/leased.ts";
import { controlLimitsSchema, limitsOf } from "../control/options.ts";
import type { RegisterWrite } from "../control/surface.ts";
import type { Controllable } from "../control.ts";
import type {
  ChannelDescription,
  DriverDefinition,
  MeterIdentity,
  PolledMeter,
  Snapshot,
  UsedPort,
} from "../driver.ts";
import type { RequestOptions } from "../modbus/bus.ts";
import { busClosed } from "../modbus/connection.ts";
import { checkPlace, lineSettings, modbusShape } from "../modbus/options.ts";
import { busPort } from "../modbus/registry.ts";
import { MAX_REGISTERS } from "../modbus/request.ts";
import { nameOfLine } from "../modbus/settings.ts";
import { ModbusUnit } from "../modbus/unit.ts";
import type { Block, ModelPlace, ReadRegisters, Source } from "./block.ts";
import { BlockReader } from "./block-reader.ts";
import type { Channel } from "./channel.ts";
import { planChannels } from "./channels.ts";
import { planControls, type SunSpecControls, SunSpecSurface } from "./control.ts";
import { BASES, commonOf, discover } from "./discover.ts";
import { COMMON_MODEL } from "./models-ac.ts";
import { decodeSnapshot, readSnapshot } from "./snapshot.ts";
import { READ_MODELS, surveyModels } from "./survey.ts";

const roles = z.enum(["grid", "generation", "storage", "load", "compute"] satisfies ChannelRole[]);

const optionsSchema = z
  .strictObject({
    ...modbusShape,
    unit: modbusShape.unit.describe("Modbus unit; many inverters 1, Fronius meters 200 or 240"),
    base: z
      .int()
      .min(0)
      .max(65533)
      .optional()
      .describe("First register of the map, if not 40000, 0 or 50000"),
    meterRole: roles.default("grid").describe("What a meter model of this device measures"),
    meterPowerSign: z
      .enum(["import-positive", "export-positive"])
      .optional()
      .describe("Meaning of positive meter W"),
    batteryPowerSign: z
      .enum(["discharge-positive", "charge-positive"])
      .optional()
      .describe("Meaning of positive 802 W"),
    maxRegisters: z
      .int()
      .min(16)
      .max(MAX_REGISTERS)
      .optional()
      .describe("Most registers that the device gives in one request, if it cannot be found out"),
    dcChannels: z
      .boolean()
      .default(false)
      .describe("Also DC inputs and battery strings as channels, never to be added to the AC side's"),
    controlLimits: controlLimitsSchema,
  })
  .superRefine(checkPlace);

type Options = z.output<typeof optionsSchema>;

/** Any device that speaks SunSpec over Modbus, TCP or RTU: inverters, meters and batteries. */
export const sunspecDriver: DriverDefinition = {
  name: "sunspec",
  summary: "SunSpec over Modbus: inverters, meters and batteries of many makers",
  schema: optionsSchema,
  ports: (options: Options): readonly UsedPort[] => [busPort(lineSettings(options), options)],
  open: (options: Options): PolledMeter => new SunSpecDevice(options),
};

interface Known {
  readonly identity: MeterIdentity;
  readonly base: number;
  readonly common: Source;
  readonly channels: readonly Channel[];
  /** What it can be told. */
  readonly plan: SunSpecControls;
  /** Knows how much the device gives in one request. */
  readonly reader: BlockReader;
  /** The connection on which the identity was read. */
  readonly connection: number | undefined;
}

class SunSpecDevice implements PolledMeter {
  readonly mode = "polled" as const;
  readonly #options: Options;
  readonly #bus: ModbusUnit;
  readonly #where: string;
  readonly #control: LeasedControl;
  #known: Known | undefined;
  /** The connection on which the identity was last read. */
  #verified: number | undefined;
  #stale = false;
  #closed = false;

  constructor(options: Options) {
    const line = lineSettings(options);
    this.#options = options;
    this.#where = `${nameOfLine(line)} unit ${options.unit}`;
    this.#bus = new ModbusUnit(line, options);
    const surface = new SunSpecSurface(
      {
        where: this.#where,
        known: () => this.#known?.plan,
        verified: () => this.#verify(),
        write: (write) => this.#write(write),
      },
      limitsOf(options.controlLimits),
    );
    this.#control = new LeasedControl(surface, (name) => this.#isStorage(name));
  }

  /**
   * Finds the SunSpec map and reads model 1. Throws `driver-not-sunspec` when there is none, `driver-no-channels` when
   * it holds nothing that can be metered, `driver-no-answer` with the bus's Problem as cause.
   */
  async identify(): Promise<MeterIdentity> {
    try {
      const known = await this.#survey();
      this.#adopt(known);
      return known.identity;
    } catch (error) {
      if (error instanceof Problem && error.code.startsWith("driver-")) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw new Problem("driver-no-answer", message, { cause: error });
    }
  }

  channels(): readonly ChannelDescription[] {
    if (this.#known === undefined)
      throw new Problem("driver-not-identified", "identify() has not resolved yet");
    return this.#known.channels.map((channel) => channel.description);
  }

  /** Undefined where the device has none of the models 123, 124, 704 and 802 with points that can be written. */
  get control(): Controllable | undefined {
    return (this.#known?.plan.controls.length ?? 0) === 0 ? undefined : this.#control;
  }

  /**
   * Every channel, each model from one request where the device allows it. Throws the bus's Problem, `sunspec-all-ones`,
   * `sunspec-layout-changed`, `sunspec-torn-read`, or `driver-identity-changed` when another device answers than at
   * {@link identify}.
   */
  async read(): Promise<Snapshot> {
    const { channels, reader } = await this.#verify();
    const connection = this.#verified;
    const raw = await this.#watched(() => readSnapshot(reader, channels));
    // A connection lost between two blocks may have come back from another device.
    if (this.#bus.connection !== connection) await this.#verify();
    return decodeSnapshot(raw, channels);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#control.close();
    await this.#bus.close();
  }

  /** Functions 3 and 16 are what every SunSpec device has to have. */
  async #write({ start, values }: RegisterWrite): Promise<void> {
    if (this.#closed) throw busClosed();
    await this.#bus.writeRegisters(start, values);
  }

  #isStorage(channel: string): boolean {
    const channels = this.#known?.channels ?? [];
    return channels.some(({ description: { name, role } }) => name === channel && role === "storage");
  }

  readonly #read: ReadRegisters = (start, count) => this.#registers({ start, count }, {});

  /** A device may keep silent where it has no map: that must not count against the next place. */
  readonly #search: ReadRegisters = (start, count) => this.#registers({ start, count }, { insist: true });

  /** Other devices may keep the line open after this one is closed. */
  async #registers(range: { start: number; count: number }, options: RequestOptions): Promise<Uint16Array> {
    if (this.#closed) throw busClosed();
    return await this.#bus.readRegisters("holding", range, options);
  }

  async #survey(): Promise<Known> {
    const reader = new BlockReader(this.#read, this.#search, this.#options.maxRegisters);
    const map = await discover(this.#search, this.#bases());
    const common = { model: COMMON_MODEL, place: commonOf(map) };
    const identity = identityOf(await reader.find(common));
    const connection = this.#bus.connection;
    const survey = await surveyModels(reader, map.places);
    const channels = planChannels({ ...survey, make: identity.make, options: this.#options });
    if (channels.length === 0) throw noChannels(map.places);
    const limits = limitsOf(this.#options.controlLimits);
    const plan = planControls({ survey, make: identity.make, channels, limits });
    return { identity, base: map.base, common, channels, plan, reader, connection };
  }

  /** Where the map may begin: where it was found before comes first. */
  #bases(): readonly number[] {
    const { base } = this.#options;
    if (base !== undefined) return [base];
    const known = this.#known?.base;
    return known === undefined ? BASES : [...new Set([known, ...BASES])];
  }

  #adopt(known: Known): void {
    this.#known = known;
    this.#verified = known.connection;
    this.#stale = false;
  }

  /** The device as known, after making sure that it is still the same one on this connection. */
  async #verify(): Promise<Known> {
    const known = this.#known;
    if (known === undefined || this.#stale) return await this.#resurvey(known);
    if (this.#verified !== undefined && this.#verified === this.#bus.connection) return known;
    const identity = identityOf(await this.#watched(() => known.reader.read(known.common)));
    this.#sameDevice(known.identity, identity);
    this.#verified = this.#bus.connection;
    return known;
  }

  /** Finds the models again after they moved, which is the same device's right after a firmware update. */
  async #resurvey(before: Known | undefined): Promise<Known> {
    const now = await this.#survey();
    if (before !== undefined) this.#sameDevice(before.identity, now.identity);
    this.#adopt(now);
    return now;
  }

  async #watched<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof Problem && error.code === "sunspec-layout-changed") this.#stale = true;
      throw error;
    }
  }

  #sameDevice(before: MeterIdentity, now: MeterIdentity): void {
    const same = before.make === now.make && before.model === now.model && before.serial === now.serial;
    if (same) return;
    throw new Problem("driver-identity-changed", "another device answers now", {
      where: this.#where,
      expected: nameOf(before),
      got: nameOf(now),
      hint: "if the device was replaced, end the old log and identify again",
    });
  }
}

function identityOf(common: Block): MeterIdentity {
  return {
    make: common.text("Mn"),
    model: common.text("Md"),
    serial: common.text("SN"),
    firmware: common.text("Vr"),
  };
}

function nameOf({ make, model, serial }: MeterIdentity): string {
  return `${make} ${model} serial ${serial === "" ? "unknown" : serial}`;
}

function noChannels(places: readonly ModelPlace[]): Problem {
  return new Problem("driver-no-channels", "the device has no SunSpec model that this driver reads", {
    expected: `one of ${[...READ_MODELS.keys()].join(" ")}, with values`,
    got: places.map((place) => place.id).join(" "),
  });
}
