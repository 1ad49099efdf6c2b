import { DISCONTINUITY } from "../attest/leaf.ts";
import { describeProblem, Problem } from "../attest/problem.ts";
import type { ChannelRole, MeterReading } from "../attest/reading.ts";
import type { ChannelDescription, Doubt, MeterIdentity, Snapshot } from "../drivers/driver.ts";
import type { Logger } from "../runtime/log.ts";
import { type DeviceConfig, requireKnownChannels } from "./config/config.ts";
import type { NamedChannel } from "./config/named-channels.ts";
import { Guard } from "./guard.ts";
import { gateChannel, restoredFrom } from "./quality/channel.ts";
import { QualityGate, type Verdict } from "./quality/gate.ts";
import { isLive, liveValues } from "./quality/live-values.ts";
import type { Reason, ReasonCode } from "./quality/reason.ts";
import { ReasonTally } from "./quality/reason-tally.ts";
import type { SampleSink } from "./sampling/sampler.ts";
import type { Sealer } from "./sealing/sealer.ts";
import type { AcceptedEvent, ChannelStatus } from "./status.ts";

/** What the intake needs from the agent around it. */
export interface IntakeHost {
  sealer(): Sealer;
  /** Called for every accepted reading, after it was handed to the sealer. */
  accepted(event: AcceptedEvent): void;
  readonly logger: Logger;
  /** Channels that the configuration names outside of its devices. */
  readonly named?: readonly NamedChannel[];
}

interface Channel {
  readonly number: number;
  readonly name: string;
  readonly gate: QualityGate;
  /** The manifest that the gate was made for. */
  readonly manifestSeq: number | undefined;
  last?: MeterReading;
  lastMs?: number;
  lastMonotonicMs?: number;
  accepted: number;
  held: number;
  rejected: number;
  lastReason?: ReasonCode;
  /** When each reason was last said. */
  readonly saidMs: Map<ReasonCode, number>;
  readonly tally: ReasonTally;
  /** The device has said that it counts otherwise than before, or did not count: no energy may span that. */
  broken: number | undefined;
  /** Readings in a row that carried a register which the channel was not known to have. */
  appeared: number;
}

interface Declared {
  readonly identity: MeterIdentity;
  readonly description: ChannelDescription;
  /** The channel's name in the log. */
  readonly name: string;
}

interface Device {
  readonly config: DeviceConfig;
  online: boolean;
  problem?: string;
  identity?: MeterIdentity;
  descriptions: readonly ChannelDescription[];
  channels: Map<string, Channel>;
}

/** One reading could be a mistake; a register that shows this often in a row is there. */
const CONFIRMED = 3;
/** A reason that comes and goes is said once in this time. */
const QUIET_MS = 600_000;
/** What a driver throws when a ratio or a mode of the device is not what it was, whether its manifest carries it or not. */
const SETTINGS_CHANGED = "driver-settings-changed";
/** Where an installer finds what a code means and what to check. */
const CODES_PAGE = "docs/quality-codes.md";

/** Between sampling and sealing: names channels, judges every reading, seals what is accepted, counts the rest. */
export class Intake implements SampleSink {
  readonly #host: IntakeHost;
  readonly #guard: Guard;
  readonly #devices: ReadonlyMap<string, Device>;

  constructor(host: IntakeHost, devices: readonly DeviceConfig[]) {
    this.#host = host;
    this.#guard = new Guard(host.logger);
    this.#devices = new Map(
      devices.map((config) => [config.id, { config, online: false, descriptions: [], channels: new Map() }]),
    );
  }

  identified(deviceId: string, identity: MeterIdentity, channels: readonly ChannelDescription[]): void {
    const device = this.#devices.get(deviceId);
    if (device === undefined) return;
    this.#sayChanged(device, identity);
    device.identity = identity;
    device.descriptions = channels;
    device.online = true;
    delete device.problem;
    // A misspelt channel in the configuration is said, and the rest goes on.
    this.#guard.run(
      "channel-not-found",
      () => requireKnownChannels(device.config, channels, this.#host.named),
      {
        device: deviceId,
      },
    );
    this.#declareAll(device);
  }

  /** Whoever replaced it knows; whoever did not has to hear of it. */
  #sayChanged({ config, identity: before }: Device, { make, model, serial }: MeterIdentity): void {
    const [was, is] = [before && nameOf(before), nameOf({ make, model, serial })];
    if (was === undefined || was === is) return;
    this.#host.logger.warn("meter-changed", { device: config.id, was, is });
  }

  take(deviceId: string, snapshot: Snapshot): { readonly reread: boolean } {
    const device = this.#devices.get(deviceId);
    if (device === undefined) return { reread: false };
    device.online = true;
    delete device.problem;
    let reread = false;
    const live = new Set(device.channels.keys());
    this.#noteDowntime(device, snapshot);
    for (const reading of snapshot.readings) {
      const channel = device.channels.get(reading.channel);
      if (channel === undefined) continue;
      const doubts = snapshot.doubts?.filter((doubt) => doubt.channel === reading.channel) ?? [];
      const verdict = this.#judge(channel, reading, doubts);
      if (verdict.kind === "hold") reread = true;
      if (!isLive(verdict)) live.delete(reading.channel);
      if (channel.appeared >= CONFIRMED) this.#extend(device, reading);
    }
    this.#sealFlexibility(device, snapshot, live);
    return { reread };
  }

  /** Whatever becomes of these readings: the next one that is sealed begins a new chain. */
  #noteDowntime(device: Device, { downtime = [] }: Snapshot): void {
    for (const { channel: key, message } of downtime) {
      const channel = device.channels.get(key);
      if (channel === undefined) continue;
      channel.broken ??= DISCONTINUITY.counterDowntime;
      const fields = { channel: channel.name, reason: message };
      const { lastReadingMs } = this.#host.sealer().rules.channels.get(channel.number) ?? {};
      if (lastReadingMs === undefined) this.#host.logger.info("counter-begins", fields);
      else this.#host.logger.warn("counter-downtime", fields);
    }
  }

  failed(deviceId: string, problem: Error): void {
    const device = this.#devices.get(deviceId);
    if (device === undefined) return;
    device.online = false;
    const { code, message } = describeProblem(problem);
    device.problem = message;
    if (code === SETTINGS_CHANGED)
      for (const channel of device.channels.values()) channel.broken = DISCONTINUITY.settingsChanged;
  }

  /** After a new epoch: every known channel opens the new log with its manifest. */
  redeclare(): void {
    for (const device of this.#devices.values()) this.#declareAll(device);
  }

  devices(): { readonly id: string; readonly online: boolean; readonly problem?: string }[] {
    return [...this.#devices].map(([id, { online, problem }]) => ({
      id,
      online,
      ...(problem === undefined ? {} : { problem }),
    }));
  }

  channels(): ChannelStatus[] {
    return [...this.#devices.values()].flatMap((device) =>
      device.descriptions.flatMap((description) => {
        const channel = device.channels.get(description.name);
        return channel === undefined ? [] : [statusOf(channel, description)];
      }),
    );
  }

  /** What a channel measures, as the installer says, or else its driver. */
  roleOf(id: string, channel: string): ChannelRole | undefined {
    const device = this.#devices.get(id);
    const described = device?.descriptions.find(({ name }) => name === channel);
    return device?.config.channels[channel]?.role ?? described?.role;
  }

  /** What a device could do now is derived from what its channel shows now, and is worth no more than that. */
  #sealFlexibility(device: Device, snapshot: Snapshot, live: ReadonlySet<string>): void {
    for (const flexibility of snapshot.flexibility) {
      const channel = device.channels.get(flexibility.channel);
      if (channel === undefined || !live.has(flexibility.channel)) continue;
      this.#attempt(channel, () => this.#host.sealer().sealFlexibility(channel.number, flexibility));
    }
  }

  /** One channel that cannot be opened keeps no other from being sealed. */
  #declareAll(device: Device): void {
    const { identity } = device;
    if (identity === undefined) return;
    for (const description of device.descriptions) {
      const settings = device.config.channels[description.name] ?? {};
      const name = settings.name ?? `${device.config.id}/${description.name}`;
      this.#guard.run("channel-refused", () => this.#declare(device, { identity, description, name }), {
        channel: name,
      });
    }
  }

  #declare(device: Device, { identity, description, name }: Declared): void {
    this.#requireFree(device, description.name, name);
    const settings = device.config.channels[description.name] ?? {};
    const sealer = this.#host.sealer();
    const number = sealer.channel({
      driver: device.config.definition.name,
      samplingMs: device.config.intervalMs,
      identity,
      description,
      settings: { ...settings, name },
    });
    const state = sealer.rules.channels.get(number);
    const known = device.channels.get(description.name);
    const manifestSeq = state?.manifest.seq;
    // The gate remembers what it holds until it sees it again; it stays while the log's manifest does.
    if (known?.number === number && known.manifestSeq === manifestSeq) return;
    const rated = { ...description, ...settings, name: description.name };
    const gate = new QualityGate(gateChannel(rated, state, device.config.intervalMs), restoredFrom(state));
    const { accepted = 0, held = 0, rejected = 0, broken } = known ?? {};
    const saidMs = known?.saidMs ?? new Map<ReasonCode, number>();
    const tally = known?.tally ?? new ReasonTally();
    const counts = { accepted, held, rejected, appeared: 0, saidMs, broken, tally };
    device.channels.set(description.name, { number, name, gate, manifestSeq, ...counts });
  }

  /** A meter has begun to count in a register that it did not show before: the channel's next manifest says so. */
  #extend(device: Device, reading: MeterReading): void {
    device.descriptions = device.descriptions.map((description) => {
      if (description.name !== reading.channel) return description;
      const quantities = new Set(description.quantities);
      if (reading.importMwh !== undefined) quantities.add("import");
      if (reading.exportMwh !== undefined) quantities.add("export");
      return { ...description, quantities: [...quantities] };
    });
    this.#declareAll(device);
  }

  /** Two meters in one channel would be one register that jumps to and fro. */
  #requireFree(device: Device, channel: string, name: string): void {
    for (const other of this.#devices.values()) {
      const taken = [...other.channels].some(
        ([key, { name: theirs }]) => theirs === name && (other !== device || key !== channel),
      );
      if (!taken) continue;
      throw new Problem("channel-name-taken", `device ${other.config.id} has a channel of this name`, {
        where: `device ${device.config.id}: channels.${channel}`,
        got: JSON.stringify(name),
        hint: "give one of the two another name in the configuration",
      });
    }
  }

  #judge(channel: Channel, reading: MeterReading, doubts: readonly Doubt[]): Verdict {
    const verdict = channel.gate.judge(reading, performance.now(), doubts);
    channel.tally.count(verdict);
    if (verdict.kind === "accept") {
      this.#seal(channel, verdict.reading);
      channel.appeared = verdict.stripped?.code === "register-appeared" ? channel.appeared + 1 : 0;
      if (verdict.stripped !== undefined) this.#explain(channel, "reading-stripped", verdict.stripped);
      else if (verdict.marked !== undefined) this.#explain(channel, "reading-marked", verdict.marked);
      else delete channel.lastReason;
    } else if (verdict.kind === "discontinuity") {
      this.#say(channel, "discontinuity", verdict.reason);
      this.#seal(channel, verdict.reading, verdict.classification);
    } else {
      if (verdict.kind === "hold") channel.held += 1;
      else channel.rejected += 1;
      this.#explain(channel, `reading-${verdict.kind}`, verdict.reason);
    }
    return verdict;
  }

  #seal(channel: Channel, reading: MeterReading, classification?: number): void {
    this.#attempt(channel, () => {
      this.#host.sealer().sealReading(channel.number, reading, classification ?? channel.broken);
      channel.broken = undefined;
      channel.last = reading;
      channel.lastMs = Date.now();
      channel.lastMonotonicMs = performance.now();
      channel.accepted += 1;
      const { importMwh, exportMwh } = reading;
      const { activePowerMw } = liveValues(reading);
      this.#host.accepted({
        event: "accepted",
        channel: channel.name,
        ...(importMwh === undefined ? {} : { importMwh }),
        ...(exportMwh === undefined ? {} : { exportMwh }),
        ...(activePowerMw === undefined ? {} : { activePowerMw }),
      });
    });
  }

  /** A reading that the log's own rules refuse is a fault of this program: said loudly, never sealed. */
  #attempt(channel: Channel, seal: () => void): void {
    if (!this.#guard.run("seal-refused", seal, { channel: channel.name })) channel.rejected += 1;
  }

  /** One line when the reason changes, not one per reading, and none again soon for one that comes and goes. */
  #explain(channel: Channel, event: string, reason: Reason): void {
    if (channel.lastReason === reason.code) return;
    channel.lastReason = reason.code;
    const nowMs = performance.now();
    const saidMs = channel.saidMs.get(reason.code);
    if (saidMs !== undefined && nowMs - saidMs < QUIET_MS) return;
    channel.saidMs.set(reason.code, nowMs);
    this.#say(channel, event, reason);
  }

  #say(channel: Channel, event: string, { code, message }: Reason): void {
    const help = `${CODES_PAGE}#${code}`;
    this.#host.logger.warn(event, { channel: channel.name, code, reason: message, help });
  }
}

function nameOf({ make, model, serial }: Omit<MeterIdentity, "firmware">): string {
  return [make, model, serial].filter((part) => part !== "").join(" ");
}

function statusOf(channel: Channel, description: ChannelDescription): ChannelStatus {
  const { last } = channel;
  const { activePowerMw, stateOfChargePpm } = last === undefined ? {} : liveValues(last);
  return {
    number: channel.number,
    name: channel.name,
    role: description.role,
    accepted: channel.accepted,
    held: channel.held,
    rejected: channel.rejected,
    reasons: channel.tally.list(),
    ...(channel.lastMs === undefined ? {} : { acceptedAtMs: channel.lastMs }),
    ...(channel.lastMonotonicMs === undefined
      ? {}
      : { acceptedAgoMs: Math.floor(performance.now() - channel.lastMonotonicMs) }),
    ...(activePowerMw === undefined ? {} : { activePowerMw }),
    ...(last?.importMwh === undefined ? {} : { importMwh: last.importMwh }),
    ...(last?.exportMwh === undefined ? {} : { exportMwh: last.exportMwh }),
    ...(stateOfChargePpm === undefined ? {} : { stateOfChargePpm }),
  };
}
