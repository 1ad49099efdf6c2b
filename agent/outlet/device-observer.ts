import { describeProblem, Problem } from "../../attest/problem.ts";
import type { ChannelDescription, MeterIdentity, Snapshot } from "../../drivers/driver.ts";
import type { SampleSink } from "../sampling/sampler.ts";

/** Why a device does not answer. */
export interface DeviceProblem {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** The first failure in a row, ms since 1970. */
  readonly sinceMs: number;
}

/** What was learnt of a device on the way to the gate. */
export interface ObservedDevice {
  readonly identity?: MeterIdentity;
  readonly channels: readonly ChannelDescription[];
  /** Step of each channel's registers as last shown: a locked meter that is unlocked counts finer. */
  readonly stepsMwh?: ReadonlyMap<string, number>;
  readonly problem?: DeviceProblem;
}

function stepsOf(
  channels: readonly ChannelDescription[],
  { readings }: Snapshot,
): ReadonlyMap<string, number> {
  const shown = new Map(readings.map(({ channel, resolutionMwh }) => [channel, resolutionMwh]));
  return new Map(
    channels.flatMap(({ name, resolutionMwh }) => {
      const stepMwh = shown.get(name) ?? resolutionMwh;
      return stepMwh === undefined ? [] : [[name, stepMwh] as const];
    }),
  );
}

const UNKNOWN: ObservedDevice = { channels: [] };

/** Stands before the intake and remembers who each device is and why it fails; changes nothing on the way. */
export class DeviceObserver implements SampleSink {
  readonly #next: SampleSink;
  readonly #devices = new Map<string, ObservedDevice>();

  constructor(next: SampleSink) {
    this.#next = next;
  }

  of(deviceId: string): ObservedDevice {
    return this.#devices.get(deviceId) ?? UNKNOWN;
  }

  identified(deviceId: string, identity: MeterIdentity, channels: readonly ChannelDescription[]): void {
    this.#devices.set(deviceId, { identity, channels });
    this.#next.identified(deviceId, identity, channels);
  }

  take(deviceId: string, snapshot: Snapshot): { readonly reread: boolean } {
    const { problem, ...known } = this.of(deviceId);
    const stepsMwh = stepsOf(known.channels, snapshot);
    if (problem !== undefined || stepsMwh.size > 0)
      this.#devices.set(deviceId, { ...known, ...(stepsMwh.size === 0 ? {} : { stepsMwh }) });
    return this.#next.take(deviceId, snapshot);
  }

  failed(deviceId: string, problem: Error): void {
    const known = this.of(deviceId);
    const hint = problem instanceof Problem ? problem.detail.hint : undefined;
    const sinceMs = known.problem?.sinceMs ?? Date.now();
    const said = { ...describeProblem(problem), ...(hint === undefined ? {} : { hint }), sinceMs };
    this.#devices.set(deviceId, { ...known, problem: said });
    this.#next.failed(deviceId, problem);
  }
}
