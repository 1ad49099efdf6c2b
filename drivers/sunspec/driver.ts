import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import type { ChannelRole, FlexibilityReading, MeterReading } from "../../attest/reading.ts";
import type {
  ChannelDescription,
  DriverDefinition,
  MeterIdentity,
  PolledMeter,
  Snapshot,
} from "../driver.ts";
import { ModbusUnit } from "../modbus/unit.ts";
import { type ModelPlace, type ReadRegisters, readBlock } from "./block.ts";
import { type Channel, planChannels } from "./channels.ts";
import { BASES, discover } from "./discover.ts";
import { COMMON_MODEL } from "./models.ts";

const roles = z.enum(["grid", "generation", "storage", "load", "compute"] satisfies ChannelRole[]);

const optionsSchema = z.strictObject({
  host: z.string().min(1).describe("Host name or address of the device or gateway"),
  port: z.int().min(1).max(65535).default(502),
  unit: z
    .int()
    .min(0)
    .max(255)
    .default(1)
    .describe("Modbus unit; many inverters 1, Fronius meters 200 or 240"),
  timeoutMs: z
    .int()
    .min(50)
    .max(60_000)
    .default(3000)
    .describe("Deadline of the connection and of each request"),
  connectDelayMs: z.int().min(0).max(10_000).default(0).describe("Pause after connecting"),
  minGapMs: z.int().min(0).max(10_000).default(0).describe("Silence between two requests"),
  base: z.int().min(0).max(65533).optional().describe("First register of the map, if not 40000, 0 or 50000"),
  meterRole: roles.default("grid").describe("What a meter model of this device measures"),
  meterPowerSign: z
    .enum(["import-positive", "export-positive"])
    .optional()
    .describe("Meaning of positive meter W"),
  batteryPowerSign: z
    .enum(["discharge-positive", "charge-positive"])
    .optional()
    .describe("Meaning of positive 802 W"),
});

type Options = z.output<typeof optionsSchema>;

/** Any device that speaks SunSpec over Modbus TCP: inverters 101-103, meters 201-203, batteries 802 and 713. */
export const sunspecDriver: DriverDefinition = {
  name: "sunspec",
  summary: "SunSpec over Modbus TCP: inverters, meters and batteries of many makers",
  schema: optionsSchema,
  open: (options) => new SunSpecDevice(optionsSchema.parse(options)),
};

interface Known {
  readonly identity: MeterIdentity;
  readonly common: ModelPlace;
  readonly channels: readonly Channel[];
  /** The connection on which the identity was read. */
  readonly connection: number | undefined;
}

class SunSpecDevice implements PolledMeter {
  readonly mode = "polled" as const;
  readonly #options: Options;
  readonly #bus: ModbusUnit;
  #known: Known | undefined;
  /** The connection on which the identity was last read. */
  #verified: number | undefined;
  #stale = false;

  constructor(options: Options) {
    const { host, port } = options;
    this.#options = options;
    this.#bus = new ModbusUnit({ transport: "tcp", host, port }, options);
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

  /**
   * Every channel, each from one request. Throws the bus's Problem, `sunspec-all-ones`, `sunspec-layout-changed`, or
   * `driver-identity-changed` when another device answers than at {@link identify}.
   */
  async read(): Promise<Snapshot> {
    const { channels } = await this.#verify();
    const connection = this.#verified;
    const readings: MeterReading[] = [];
    const flexibility: FlexibilityReading[] = [];
    const absent: string[] = [];
    for (const { model, place, decode } of channels) {
      const block = await this.#block(() => readBlock(this.#read, model, place));
      const decoded = decode(block);
      readings.push(decoded.reading);
      if (decoded.flexibility !== undefined) flexibility.push(decoded.flexibility);
      absent.push(...new Set(block.absent));
    }
    // A connection lost between two blocks may have come back from another device.
    if (this.#bus.connection !== connection) await this.#verify();
    return { readings, flexibility, absent };
  }

  async close(): Promise<void> {
    await this.#bus.close();
  }

  readonly #read: ReadRegisters = (start, count) => this.#bus.readRegisters("holding", { start, count });

  /** A device may keep silent where it has no map: that must not count against the next place. */
  readonly #search: ReadRegisters = (start, count) =>
    this.#bus.readRegisters("holding", { start, count }, { insist: true });

  async #survey(): Promise<Known> {
    const { base } = this.#options;
    const places = await discover(this.#search, base === undefined ? BASES : [base]);
    const [common] = places;
    if (common?.id !== COMMON_MODEL.id)
      throw new Problem("driver-not-sunspec", "the SunSpec map does not begin with model 1", {
        got: common === undefined ? "no model" : `model ${common.id}`,
      });
    const identity = await this.#readIdentity(common);
    const connection = this.#bus.connection;
    const { make } = identity;
    const channels = await planChannels({ read: this.#read, places, make, options: this.#options });
    if (channels.length === 0) throw noChannels(places);
    return { identity, common, channels, connection };
  }

  #adopt(known: Known): void {
    this.#known = known;
    this.#verified = known.connection;
    this.#stale = false;
  }

  async #readIdentity(common: ModelPlace): Promise<MeterIdentity> {
    const block = await readBlock(this.#read, COMMON_MODEL, common);
    return {
      make: block.text("Mn"),
      model: block.text("Md"),
      serial: block.text("SN"),
      firmware: block.text("Vr"),
    };
  }

  /** The device as known, after making sure that it is still the same one on this connection. */
  async #verify(): Promise<Known> {
    const known = this.#known;
    if (known === undefined || this.#stale) return await this.#resurvey(known);
    if (this.#verified !== undefined && this.#verified === this.#bus.connection) return known;
    const identity = await this.#block(() => this.#readIdentity(known.common));
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

  async #block<T>(read: () => Promise<T>): Promise<T> {
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
      where: `${this.#options.host}:${this.#options.port} unit ${this.#options.unit}`,
      expected: nameOf(before),
      got: nameOf(now),
      hint: "if the device was replaced, end the old log and identify again",
    });
  }
}

function nameOf({ make, model, serial }: MeterIdentity): string {
  return `${make} ${model} serial ${serial === "" ? "unknown" : serial}`;
}

function noChannels(places: readonly ModelPlace[]): Problem {
  return new Problem("driver-no-channels", "the device has no SunSpec model that this driver reads", {
    expected: "101-103, 201-203, 713 or 802",
    got: places.map((place) => place.id).join(" "),
  });
}
