import type { ChannelRole, FlexibilityReading, MeterReading } from "../../attest/reading.ts";
import type { Controllable, ControlRatings } from "../../drivers/control.ts";
import type { Snapshot } from "../../drivers/driver.ts";
import { present } from "../../drivers/present.ts";
import type { ControlledResource } from "../control/settings.ts";
import { derivedFlexibility } from "./derived.ts";
import { enriched, type KnownFlexibility } from "./enriched.ts";
import { FlexibilityPace } from "./pace.ts";

/** What flexibility readings are made of, beside what drivers read. */
export interface ReadingsHost {
  readonly resources: readonly ControlledResource[];
  /** ms of a clock that is never set. */
  monotonicMs(): number;
  roleOf(device: string, channel: string): ChannelRole | undefined;
  /** The power that the device is told to keep to now, mW. */
  setpointOf(device: string): number | undefined;
  /** The commitment leaf in force on the channel. */
  commitmentOn(device: string, channel: string): number | undefined;
  failed(device: string, cause: unknown): void;
}

interface Device {
  readonly control: Controllable;
  /** Absent until the device has said them. */
  ratings?: ControlRatings;
  askedMs: number;
}

/** Ratings change with the temperature of a battery, and with the settings of an installer. */
const RATINGS_MS = 900_000;
const RETRY_MS = 60_000;

/** What each controlled device could do, from every snapshot of it: docs/flexibility.md, "Flexibility readings". */
export class FlexibilityReadings {
  readonly #host: ReadingsHost;
  readonly #devices = new Map<string, Device>();
  readonly #pace = new FlexibilityPace();

  constructor(host: ReadingsHost) {
    this.#host = host;
  }

  controlled(device: string, control: Controllable | undefined): void {
    if (control === undefined) this.#devices.delete(device);
    else this.#devices.set(device, { control, askedMs: Number.NEGATIVE_INFINITY });
  }

  /** After a new epoch: its log has none of them. */
  forget(): void {
    this.#pace.forget();
  }

  /** The snapshot with what is to be sealed of the device's flexibility now; one of an uncontrolled device as it is. */
  withFlexibility(id: string, snapshot: Snapshot): Snapshot {
    const device = this.#devices.get(id);
    if (device === undefined) return snapshot;
    this.#ask(id, device);
    const channels = new Set(device.control.capabilities().map(({ channel }) => channel));
    const read = snapshot.flexibility.map(({ channel }) => channel);
    const derived = snapshot.readings
      .filter(({ channel }) => channels.has(channel) && !read.includes(channel))
      .flatMap((reading) => this.#derived(id, device, reading) ?? []);
    const others = snapshot.flexibility.filter(({ channel }) => !channels.has(channel));
    const own = [...snapshot.flexibility.filter(({ channel }) => channels.has(channel)), ...derived]
      .map((reading) => enriched(reading, this.#known(id, device, reading)))
      .filter((reading) => this.#pace.take(`${id}/${reading.channel}`, reading, this.#host.monotonicMs()));
    return { ...snapshot, flexibility: [...others, ...own] };
  }

  #derived(id: string, { control, ratings }: Device, reading: MeterReading): FlexibilityReading | undefined {
    const { channel } = reading;
    const role = this.#host.roleOf(id, channel);
    if (role === undefined || ratings === undefined) return undefined;
    const kinds = control
      .capabilities()
      .filter((capability) => capability.channel === channel)
      .map(({ kind }) => kind);
    return derivedFlexibility(reading, { role, kinds, ratings });
  }

  #known(id: string, { ratings }: Device, { channel }: FlexibilityReading): KnownFlexibility {
    const resource = this.#host.resources.find(({ device }) => device === id);
    return present<KnownFlexibility>({
      setpointMw: this.#host.setpointOf(id),
      commitmentSeq: this.#host.commitmentOn(id, channel),
      storage: this.#host.roleOf(id, channel) === "storage",
      ratings,
      maxChargeMw: resource?.maxChargeMw,
      maxDischargeMw: resource?.maxDischargeMw,
      reservePpm: resource?.reservePpm,
    });
  }

  /** Ratings are read again now and then; those from before are good until then. */
  #ask(id: string, device: Device): void {
    const nowMs = this.#host.monotonicMs();
    if (nowMs - device.askedMs < RATINGS_MS) return;
    device.askedMs = nowMs;
    device.control.ratings().then(
      (ratings) => {
        device.ratings = ratings;
      },
      (cause: unknown) => {
        device.askedMs = this.#host.monotonicMs() - RATINGS_MS + RETRY_MS;
        this.#host.failed(id, cause);
      },
    );
  }
}
