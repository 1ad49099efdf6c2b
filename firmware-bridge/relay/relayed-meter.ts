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
import { RelayHolder } from "./relay-holder.ts";
import { type RelayOptions, relayPlan } from "./relay-options.ts";
import { RelaySurface } from "./relay-surface.ts";

/** The meter of a load, with the relay of the same load as what it can be told. */
class RelayedMeter<Meter extends MeterDriver> {
  protected readonly meter: Meter;
  readonly #holder: RelayHolder;
  readonly #options: RelayOptions;
  readonly #plan: ReturnType<typeof relayPlan>;
  #control: LeasedControl | undefined;
  #kept = false;

  constructor(meter: Meter, options: RelayOptions) {
    this.meter = meter;
    this.#options = options;
    this.#plan = relayPlan(options);
    const { output, silenceMs } = this.#plan;
    this.#holder = new RelayHolder({ outputs: [output], silenceMs });
  }

  get control(): Controllable | undefined {
    return this.#control;
  }

  /**
   * Takes the lines, and asks the meter who it is. A relay that cannot be had is no reason not to read: commands say why.
   *
   * @throws Problem `relay-two-controls`, `relay-channel`, and what the meter throws
   */
  async identify(): Promise<MeterIdentity> {
    const identity = await this.meter.identify();
    if (this.meter.control !== undefined)
      throw new Problem("relay-two-controls", "the device takes commands itself", {
        hint: "leave its section relay out",
      });
    const channel = loadOf(this.meter.channels());
    if (!this.#kept) this.#holder.keep();
    this.#kept = true;
    const { output, powerMw, meanings } = this.#plan;
    const surface = new RelaySurface({
      ...{ relay: this.#holder.relay(output.name), where: `relay of ${channel}`, channel },
      ...{ powerMw, meanings, times: output.times },
    });
    this.#control ??= new LeasedControl(surface, () => false);
    return identity;
  }

  channels(): readonly ChannelDescription[] {
    const { powerW } = this.#options;
    return this.meter.channels().map((channel) => ({ maxImportMw: powerW * 1000, ...channel }));
  }

  /** The relay goes to its state of an end, and the meter is closed. */
  async close(): Promise<void> {
    this.#control?.close();
    await Promise.all([this.#holder.stop(), this.meter.close()]);
  }
}

class RelayedPolledMeter extends RelayedMeter<PolledMeter> implements PolledMeter {
  readonly mode = "polled";

  read(): Promise<Snapshot> {
    return this.meter.read();
  }
}

class RelayedPushMeter extends RelayedMeter<PushMeter> implements PushMeter {
  readonly mode = "push";

  start(listener: PushListener): void {
    this.meter.start(listener);
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
