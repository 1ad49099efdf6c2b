import type { EnclosureStatus } from "../panel/panel-status.ts";
import { quietAfterMs } from "./attention.ts";
import { type Announced, discoveryPayload, discoveryTopic, type Sensor } from "./home-assistant.ts";
import { enclosureDiscovery, enclosureMessages } from "./mqtt-enclosures.ts";
import { sensorsOf, statePayload } from "./mqtt-state.ts";
import { type Topics, topicNames } from "./mqtt-topics.ts";
import type { ChannelReport, DeviceReport } from "./report.ts";
import type { MqttConfig } from "./settings.ts";

/** The way to the broker. */
export interface Wire {
  /** Bytes that the broker has not taken yet. */
  waitingBytes(): number;
  put(topic: string, payload: string, retain: boolean): void;
}

/** More than this is not kept for a broker that does not take it. */
const MOST_WAITING_BYTES = 65_536;

/** What is said in one round, and what was said before on the same connection. */
export class MqttRound {
  readonly #settings: MqttConfig;
  readonly #topics: Topics;
  /** Retained messages by topic, as the broker was given them. */
  readonly #retained = new Map<string, string>();
  /** By state topic, when the reading that was published last was accepted. */
  readonly #acceptedAtMs = new Map<string, number>();
  /** By state topic, everything that the channel has ever shown: what is announced is not taken back. */
  readonly #sensors = new Map<string, Set<Sensor>>();
  published = 0;
  skipped = 0;

  constructor(settings: MqttConfig, topics: Topics) {
    this.#settings = settings;
    this.#topics = topics;
  }

  /** A new connection: the broker may have forgotten everything. */
  begin(): void {
    this.#retained.clear();
    this.#acceptedAtMs.clear();
  }

  /** Publishes what has changed. What does not fit is left for a later round, when it may be newer. */
  publish(devices: readonly DeviceReport[], wire: Wire, enclosures: readonly EnclosureStatus[] = []): void {
    const complete =
      this.#retain(wire, this.#topics.status, "online") &&
      this.#enclosures(wire, enclosures) &&
      devices.every((device) => this.#device(wire, device));
    if (!complete) this.skipped += 1;
  }

  #enclosures(wire: Wire, enclosures: readonly EnclosureStatus[]): boolean {
    if (enclosures.length === 0) return true;
    const { discovery, discoveryPrefix } = this.#settings;
    return [
      ...(discovery ? [enclosureDiscovery(discoveryPrefix, this.#topics, enclosures)] : []),
      ...enclosureMessages(enclosures, this.#topics),
    ].every(([topic, payload]) => this.#retain(wire, topic, payload));
  }

  #device(wire: Wire, device: DeviceReport): boolean {
    const { id, online, channels } = device;
    const names = topicNames(channels.map(({ channel }) => channel));
    const placed = channels.map((channel) => ({
      channel,
      name: names.get(channel.channel) ?? channel.channel,
    }));
    const announced = placed.map(({ channel, name }) => this.#announced(id, channel, name));
    return (
      this.#discover(wire, device, announced) &&
      this.#retain(wire, this.#topics.availability(id), online ? "online" : "offline") &&
      (!online || placed.every(({ channel, name }) => this.#state(wire, device, { channel, name })))
    );
  }

  #announced(device: string, channel: ChannelReport, topicName: string): Announced {
    const topic = this.#topics.state(device, topicName);
    const sensors = new Set([...(this.#sensors.get(topic) ?? []), ...sensorsOf(channel)]);
    this.#sensors.set(topic, sensors);
    return { channel: channel.channel, role: channel.role, topicName, sensors: [...sensors] };
  }

  #discover(wire: Wire, device: DeviceReport, announced: readonly Announced[]): boolean {
    const { discovery, discoveryPrefix } = this.#settings;
    if (!discovery || announced.every(({ sensors }) => sensors.length === 0)) return true;
    const topic = discoveryTopic(discoveryPrefix, this.#topics, device.id);
    return this.#retain(wire, topic, discoveryPayload(device, this.#topics, announced));
  }

  #state(
    wire: Wire,
    { id, intervalMs }: DeviceReport,
    { channel, name }: { readonly channel: ChannelReport; readonly name: string },
  ): boolean {
    const { acceptedAtMs, ageMs = 0 } = channel;
    const topic = this.#topics.state(id, name);
    if (acceptedAtMs === undefined || this.#acceptedAtMs.get(topic) === acceptedAtMs) return true;
    // After a new connection the last value of a channel may be an old one.
    if (ageMs > quietAfterMs(intervalMs)) return true;
    if (!this.#put(wire, topic, statePayload(channel), false)) return false;
    this.#acceptedAtMs.set(topic, acceptedAtMs);
    return true;
  }

  #retain(wire: Wire, topic: string, payload: string): boolean {
    if (this.#retained.get(topic) === payload) return true;
    if (!this.#put(wire, topic, payload, true)) return false;
    this.#retained.set(topic, payload);
    return true;
  }

  #put(wire: Wire, topic: string, payload: string, retain: boolean): boolean {
    if (wire.waitingBytes() > MOST_WAITING_BYTES) return false;
    wire.put(topic, payload, retain);
    this.published += 1;
    return true;
  }
}
