import { Problem } from "../../attest/problem.ts";
import { LeasedControl } from "../control/leased.ts";
import { type ControlLimitOptions, limitsOf } from "../control/options.ts";
import type { RegisterWrite } from "../control/surface.ts";
import type { Controllable } from "../control.ts";
import type { ChannelDescription, MeterIdentity, PolledMeter, Snapshot } from "../driver.ts";
import type { PlacedDevice } from "../modbus/options.ts";
import { nameOfLine } from "../modbus/settings.ts";
import { ModbusUnit } from "../modbus/unit.ts";
import { type BatteryRatings, batteryRatings } from "./battery.ts";
import { type Answer, Blocks } from "./blocks.ts";
import type { CompiledProfile, PlannedRequest } from "./compiled.ts";
import { ProfileSurface } from "./control.ts";
import { lineOf } from "./delivery.ts";
import { describeChannels, settingsOf } from "./describe.ts";
import { Values } from "./evaluate.ts";
import { identityOf, requireMatch, requireSettings } from "./identity.ts";
import { type SignOverride, snapshotOf } from "./readings.ts";

/** Where the device is and what the installer says of it, as the driver's schema leaves it. */
export interface ProfileOptions extends PlacedDevice {
  readonly timeoutMs?: number | undefined;
  readonly connectDelayMs: number;
  readonly minGapMs: number;
  /** Direction of positive power by channel, where it is not what the profile says. */
  readonly positive: SignOverride;
  readonly controlLimits?: ControlLimitOptions | undefined;
}

interface Known {
  readonly identity: MeterIdentity;
  readonly channels: readonly ChannelDescription[];
}

/** Refusals after which a snapshot that a device may lack is not asked for again. */
const REFUSALS = 3;
/** Readings come a little early or late; a snapshot is not left out for that. */
const EARLY_MS = 500;
/** What a device says of registers that it does not have. */
const REFUSED: ReadonlySet<string> = new Set([
  "modbus-illegal-address",
  "modbus-illegal-function",
  "modbus-illegal-value",
]);

/** A device that a profile describes. */
export class ProfileDevice implements PolledMeter {
  readonly mode = "polled" as const;
  readonly #compiled: CompiledProfile;
  readonly #options: ProfileOptions;
  readonly #unit: ModbusUnit;
  readonly #where: string;
  readonly #control: LeasedControl;
  readonly #refusals = new Map<string, number>();
  readonly #readAt = new Map<string, number>();
  readonly #ratings = new Map<string, BatteryRatings>();
  #settings: ReadonlyMap<string, string> = new Map();
  #known: Known | undefined;
  #verified: number | undefined;

  constructor(compiled: CompiledProfile, options: ProfileOptions) {
    const { unit, timeoutMs, connectDelayMs, minGapMs } = options;
    const { echo, timeoutMs: usual } = compiled.profile.transport;
    const line = lineOf(compiled, options);
    this.#compiled = compiled;
    this.#options = options;
    this.#where = `${nameOfLine(line)} unit ${unit}`;
    this.#unit = new ModbusUnit(line, {
      unit,
      timeoutMs: timeoutMs ?? usual,
      connectDelayMs,
      minGapMs,
      echo,
    });
    this.#control = this.#controlOf(compiled, options);
  }

  /**
   * Reads everything once. Throws `driver-not-matching` when it is another kind of device, `driver-wrong-setting`
   * when it is set so that the profile would read it wrongly, `driver-no-device` when
   * nothing but zeros comes, `driver-no-answer` with the bus's Problem as cause.
   */
  async identify(): Promise<MeterIdentity> {
    try {
      return (await this.#survey()).identity;
    } catch (error) {
      if (error instanceof Problem && error.code.startsWith("driver-")) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw new Problem("driver-no-answer", message, { cause: error });
    }
  }

  channels(): readonly ChannelDescription[] {
    if (this.#known === undefined)
      throw new Problem("driver-not-identified", "identify() has not resolved yet");
    return this.#known.channels;
  }

  /** Undefined where the profile has no section control, or the device none of its channels. */
  get control(): Controllable | undefined {
    return this.#known === undefined || this.#control.capabilities().length === 0 ? undefined : this.#control;
  }

  /**
   * The snapshots that are due. Throws the bus's Problem, `driver-all-zeros`, `driver-identity-changed` when another device answers, or
   * `driver-settings-changed` when a ratio or a mode is not what it was: then energy before and after must not be
   * added up, and the device has to be identified anew.
   */
  async read(): Promise<Snapshot> {
    const known = await this.#verify();
    const connection = this.#verified;
    const due = this.#due();
    const blocks = await this.#blocks(due);
    if (blocks.allZero)
      throw new Problem("driver-all-zeros", "nothing but zeros comes", {
        where: this.#where,
        hint: "the device is starting or asleep, or a gateway answers for it; the values are refused",
      });
    const values = new Values(this.#compiled, blocks);
    this.#requireSettings(values);
    this.#remember(values, due);
    // A connection lost between two requests may have come back from another device.
    if (this.#unit.connection !== connection) await this.#verify();
    const { channels: described } = known;
    const context = { compiled: this.#compiled, values, described, signs: this.#options.positive };
    return snapshotOf({ ...context, ratings: this.#ratings });
  }

  async close(): Promise<void> {
    this.#control.close();
    await this.#unit.close();
  }

  #controlOf(compiled: CompiledProfile, { controlLimits }: ProfileOptions): LeasedControl {
    const surface = new ProfileSurface(
      compiled,
      {
        where: this.#where,
        channels: () => new Set(this.#known?.channels.map(({ name }) => name)),
        values: async (points) => {
          await this.#verify();
          return await this.#values(this.#snapshotsOf(points));
        },
        readHolding: async (start, count) => {
          await this.#verify();
          return await this.#unit.readRegisters("holding", { start, count }, { priority: "control" });
        },
        write: (write) => this.#write(write),
      },
      limitsOf(controlLimits),
    );
    return new LeasedControl(surface, (name) => compiled.profile.channels[name]?.role === "storage");
  }

  async #write({ start, values, functionCode }: RegisterWrite): Promise<void> {
    const [value = 0] = values;
    if (functionCode === 6) await this.#unit.writeRegister(start, value);
    else await this.#unit.writeRegisters(start, values);
  }

  #snapshotsOf(points: readonly string[]): readonly string[] {
    return [...new Set(points.flatMap((name) => this.#compiled.points.get(name)?.point.snapshot ?? []))];
  }

  async #survey(): Promise<Known> {
    const all = Object.keys(this.#compiled.profile.snapshots);
    const blocks = await this.#blocks(all);
    if (blocks.allZero)
      throw new Problem("driver-no-device", "nothing but zeros comes", {
        where: this.#where,
        hint: "gateways answer so for units that are not there: check the unit number",
      });
    const connection = this.#unit.connection;
    const values = new Values(this.#compiled, blocks);
    await requireMatch(this.#compiled, values, { where: this.#where, readObjects: () => this.#objects() });
    requireSettings(this.#compiled, values, this.#where);
    const missing = new Set(all.filter((name) => this.#refusals.has(name)));
    const channels = describeChannels({
      compiled: this.#compiled,
      values,
      missing,
      signs: this.#options.positive,
    });
    if (channels.length === 0)
      throw new Problem("driver-no-channels", "none of the profile's channels can be read", {
        where: this.#where,
      });
    this.#remember(values, all);
    this.#settings = settingsOf(this.#compiled, values);
    const known = { identity: identityOf(this.#compiled, values), channels };
    this.#known = known;
    this.#verified = connection;
    this.#readAt.clear();
    return known;
  }

  /** The device as known, after making sure that it is still the same one on this connection. */
  async #verify(): Promise<Known> {
    const known = this.#known;
    if (known === undefined) return await this.#survey();
    if (this.#verified !== undefined && this.#verified === this.#unit.connection) return known;
    const named = this.#identifying();
    const values = await this.#values(named);
    const now = identityOf(this.#compiled, values);
    if (!(["make", "model", "serial"] as const).every((key) => known.identity[key] === now[key]))
      throw new Problem("driver-identity-changed", "another device answers now", {
        where: this.#where,
        expected: nameOf(known.identity),
        got: nameOf(now),
        hint: "if the device was replaced, end the old log and identify again",
      });
    this.#verified = this.#unit.connection;
    return known;
  }

  /** Snapshots that tell who the device is. */
  #identifying(): readonly string[] {
    const { make, model, serial, match } = this.#compiled.profile.identity;
    const named = [make, model, serial].flatMap((text) => (typeof text === "object" ? [text.point] : []));
    const points = [...named, ...match.flatMap((rule) => rule.point ?? [])];
    return this.#snapshotsOf(points);
  }

  #due(): readonly string[] {
    const now = performance.now();
    return Object.entries(this.#compiled.profile.snapshots).flatMap(([name, { interval }]) => {
      if (interval === "identify") return [];
      if (interval === "poll") return [name];
      const before = this.#readAt.get(name);
      return before === undefined || now - before >= interval * 1000 - EARLY_MS ? [name] : [];
    });
  }

  #remember(values: Values, snapshots: readonly string[]): void {
    const now = performance.now();
    for (const name of snapshots) this.#readAt.set(name, now);
    for (const [name, channel] of Object.entries(this.#compiled.profile.channels))
      this.#ratings.set(name, { ...this.#ratings.get(name), ...batteryRatings(values, channel) });
  }

  #requireSettings(values: Values): void {
    for (const [name, now] of settingsOf(this.#compiled, values)) {
      const before = this.#settings.get(name);
      if (before === now) continue;
      // The next reading begins with a new identification.
      this.#known = undefined;
      throw new Problem("driver-settings-changed", `the device's setting ${name} was changed`, {
        where: this.#where,
        expected: before ?? "none, as before",
        got: now,
        hint: "energy before and after the change is not added up",
      });
    }
  }

  async #values(snapshots: readonly string[]): Promise<Values> {
    return new Values(this.#compiled, await this.#blocks(snapshots));
  }

  async #blocks(snapshots: readonly string[]): Promise<Blocks> {
    const plan = this.#compiled.plan(snapshots.filter((name) => !this.#isGivenUp(name)));
    const answers: Answer[] = [];
    for (const request of plan.requests) answers.push(await this.#answer(request));
    return new Blocks(plan, answers);
  }

  async #answer(request: PlannedRequest): Promise<Answer> {
    try {
      const registers = await this.#unit.readRegisters(request.table, request);
      for (const name of request.snapshots) this.#refusals.delete(name);
      return { request, registers };
    } catch (error) {
      if (!request.optional || !(error instanceof Problem) || !REFUSED.has(error.code)) throw error;
      for (const name of request.snapshots) this.#refusals.set(name, (this.#refusals.get(name) ?? 0) + 1);
      return { request, absent: "the device does not have these registers" };
    }
  }

  #isGivenUp(snapshot: string): boolean {
    return (this.#refusals.get(snapshot) ?? 0) >= REFUSALS;
  }

  async #objects(): Promise<ReadonlyMap<number, string> | undefined> {
    try {
      return await this.#unit.readIdentification("regular");
    } catch (error) {
      if (error instanceof Problem && (REFUSED.has(error.code) || error.code === "modbus-timeout"))
        return undefined;
      throw error;
    }
  }
}

function nameOf({ make, model, serial }: MeterIdentity): string {
  return `${make} ${model} serial ${serial === "" ? "unknown" : serial}`;
}
