import type { ChannelDescription, CounterDowntime, MeterIdentity, Snapshot } from "../../drivers/driver.ts";
import { isWanted } from "../journal/pace.ts";
import type { SampleSink } from "../sampling/sampler.ts";
import type { Ledger } from "./ledger.ts";

interface Device {
  readonly samplingMs: number;
  lastMs: number | undefined;
  /** Another sample was asked for: a reading is held back until it comes. */
  reread: boolean;
  /** Breaks that were told with samples that were left out, the last one of each channel: a driver tells each once. */
  readonly breaks: Map<string, CounterDowntime>;
}

/**
 * Leaves samples out where the journal is short of room, before anything is sealed of them, and hands the raw frames of
 * the others to the ring.
 */
export class JournalSink implements SampleSink {
  readonly #inner: SampleSink;
  readonly #ledger: Ledger;
  readonly #devices: ReadonlyMap<string, Device>;

  constructor(
    inner: SampleSink,
    ledger: Ledger,
    devices: readonly { readonly id: string; readonly intervalMs: number }[],
  ) {
    this.#inner = inner;
    this.#ledger = ledger;
    this.#devices = new Map(
      devices.map(({ id, intervalMs }) => [
        id,
        { samplingMs: intervalMs, lastMs: undefined, reread: false, breaks: new Map() },
      ]),
    );
  }

  identified(deviceId: string, identity: MeterIdentity, channels: readonly ChannelDescription[]): void {
    this.#inner.identified(deviceId, identity, channels);
  }

  take(deviceId: string, snapshot: Snapshot): { readonly reread: boolean } {
    const device = this.#devices.get(deviceId);
    const nowMs = performance.timeOrigin + performance.now();
    if (!this.#wants(device, nowMs)) {
      this.#ledger.leftOut();
      for (const one of snapshot.downtime ?? []) device?.breaks.set(one.channel, one);
      return { reread: false };
    }
    for (const frame of snapshot.frames ?? []) this.#ledger.frames.add(frame, Math.floor(nowMs));
    const taken = this.#inner.take(deviceId, withBreaks(snapshot, [...(device?.breaks.values() ?? [])]));
    if (device !== undefined) {
      device.breaks.clear();
      device.lastMs = nowMs;
      device.reread = taken.reread;
    }
    return taken;
  }

  failed(deviceId: string, problem: Error): void {
    this.#inner.failed(deviceId, problem);
  }

  #wants(device: Device | undefined, nowMs: number): boolean {
    const { pace } = this.#ledger;
    if (pace === 1 || device === undefined) return pace > 0;
    if (pace > 0 && device.reread) return true;
    const { samplingMs, lastMs } = device;
    const { intervalMs } = this.#ledger.sealer.rules;
    return isWanted(pace, { samplingMs, intervalMs }, { nowMs, lastMs });
  }
}

/** The same with what was told before it. */
function withBreaks(snapshot: Snapshot, breaks: readonly CounterDowntime[]): Snapshot {
  return breaks.length === 0
    ? snapshot
    : { ...snapshot, downtime: [...breaks, ...(snapshot.downtime ?? [])] };
}
