import { Problem } from "../../attest/problem.ts";
import { LeasedControl } from "../../drivers/control/leased.ts";
import type { Controllable } from "../../drivers/control.ts";
import type {
  ChannelDescription,
  DriverDefinition,
  MeterDriver,
  MeterIdentity,
  PolledMeter,
  PushListener,
  PushMeter,
  Snapshot,
} from "../../drivers/driver.ts";
import { closedDriver } from "../../drivers/line/problems.ts";
import type { HolderSettings } from "./holder-messages.ts";
import { leaveHolder, takeHolder } from "./left-holders.ts";
import type { RelayHolder } from "./relay-holder.ts";
import { type RelayOptions, relayPlan } from "./relay-options.ts";
import { RelaySurface } from "./relay-surface.ts";

/** The meter of a load, with the relay of the same load as what it can be told. */
class RelayedMeter<Meter extends MeterDriver> {
  protected readonly meter: Meter;
  readonly #options: RelayOptions;
  readonly #plan: ReturnType<typeof relayPlan>;
  #held: Promise<RelayHolder> | undefined;
  #control: LeasedControl | undefined;
  /** The last thing that was asked of the meter came to a good end: who closes it now does not mean to open it anew. */
  protected isWell = false;
  #closed = false;

  constructor(meter: Meter, options: RelayOptions) {
    this.meter = meter;
    this.#options = options;
    this.#plan = relayPlan(options);
  }

  get control(): Controllable | undefined {
    return this.#control;
  }

  /**
   * Takes the lines, whether the meter answers or not, and asks it who it is. A relay that cannot be had is no reason not to
   * read: commands say why.
   *
   * @throws Problem `relay-two-controls`, `relay-channel`, `driver-closed`, and what the meter throws
   */
  async identify(): Promise<MeterIdentity> {
    if (this.#closed) throw closedDriver();
    this.#held ??= takeHolder(this.#settings);
    const holder = await this.#held;
    return await this.watched(this.#identified(holder));
  }

  async #identified(holder: RelayHolder): Promise<MeterIdentity> {
    const identity = await this.meter.identify();
    const surface = this.#surface(holder);
    this.#control ??= new LeasedControl(surface, () => false);
    return identity;
  }

  #surface(holder: RelayHolder): RelaySurface {
    if (this.meter.control !== undefined)
      throw new Problem("relay-two-controls", "the device takes commands itself", {
        hint: "leave its section relay out",
      });
    const channel = loadOf(this.meter.channels());
    const { output, powerMw, meanings } = this.#plan;
    return new RelaySurface({
      ...{ relay: holder.relay(output.name), where: `relay of ${channel}`, channel },
      ...{ powerMw, meanings, times: output.times },
    });
  }

  get #settings(): HolderSettings {
    const { output, silenceMs } = this.#plan;
    return { outputs: [output], silenceMs };
  }

  /** Remembers how it ended. */
  protected async watched<T>(asked: Promise<T>): Promise<T> {
    try {
      const answer = await asked;
      this.isWell = true;
      return answer;
    } catch (error) {
      this.isWell = false;
      throw error;
    }
  }

  channels(): readonly ChannelDescription[] {
    const { powerW } = this.#options;
    return this.meter.channels().map((channel) => ({ maxImportMw: powerW * 1000, ...channel }));
  }

  /**
   * The meter is closed, and the relay goes to its state of an end. Where the meter failed, its lines stay held without a
   * lease: it is opened anew before long.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#control?.close();
    const held = this.#held;
    this.#held = undefined;
    await Promise.all([this.#letGo(await held, this.isWell), this.meter.close()]);
  }

  async #letGo(holder: RelayHolder | undefined, isWell: boolean): Promise<void> {
    if (isWell) await holder?.stop();
    else if (holder !== undefined) leaveHolder(this.#settings, holder);
  }
}

class RelayedPolledMeter extends RelayedMeter<PolledMeter> implements PolledMeter {
  readonly mode = "polled";

  read(): Promise<Snapshot> {
    return this.watched(this.meter.read());
  }
}

class RelayedPushMeter extends RelayedMeter<PushMeter> implements PushMeter {
  readonly mode = "push";

  start(listener: PushListener): void {
    this.meter.start({
      onSnapshot: (snapshot) => {
        this.isWell = true;
        listener.onSnapshot(snapshot);
      },
      onProblem: (problem) => {
        this.isWell = false;
        listener.onProblem(problem);
      },
    });
  }
}

/** A meter whose load a relay switches: it reads as before, and takes the commands that the contacts can express. */
export function relayedMeter(meter: MeterDriver, options: RelayOptions): MeterDriver {
  return meter.mode === "polled"
    ? new RelayedPolledMeter(meter, options)
    : new RelayedPushMeter(meter, options);
}

/** The same driver, whose meters come with that relay. */
export function relayed(definition: DriverDefinition, relay: RelayOptions): DriverDefinition {
  return { ...definition, open: (options): MeterDriver => relayedMeter(definition.open(options), relay) };
}

/** The channel that the relay is about: the only load, or the only channel. */
function loadOf(channels: readonly ChannelDescription[]): string {
  const loads = channels.filter(({ role }) => role === "load");
  const [only, another] = loads.length === 0 ? channels : loads;
  if (only !== undefined && another === undefined) return only.name;
  throw new Problem("relay-channel", "nobody can say which of the channels the relay is about", {
    expected: "one channel of a load",
    got: channels.map(({ name, role }) => `${name} (${role})`).join(", "),
    hint: "put the section relay at the device whose meter shows its load alone",
  });
}
