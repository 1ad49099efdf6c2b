import type { PolledMeter } from "../../drivers/driver.ts";
import { stopRequested } from "../../runtime/command.ts";
import type { DeviceConfig } from "../config/config.ts";
import { Pause, withinDeadline } from "../sampling/pause.ts";
import { lookAtRelay, type ProbeResult, probeDevice } from "./probe-device.ts";
import type { PanelLook } from "./probe-panel.ts";

export interface LiveOptions {
  readonly everyMs: number;
  /** Longest wait for a device. */
  patienceMs(device: DeviceConfig): number;
  /** What else there is to look at each time. */
  panel(): Promise<PanelLook>;
  print(results: readonly ProbeResult[], panel: PanelLook): void;
}

/** Reads the devices again and again until the process is told to stop. A polled meter keeps its line meanwhile. */
export async function probeLive(devices: readonly DeviceConfig[], options: LiveOptions): Promise<void> {
  const pause = new Pause();
  const stopped = stopRequested().then(() => pause.stop());
  const looks = devices.map((device) => new Look(device, options.patienceMs(device)));
  while (!pause.stopped) {
    const all = Promise.all([Promise.all(looks.map((look) => look.next())), options.panel()]);
    const seen = await Promise.race([all, stopped]);
    if (seen === undefined) break;
    options.print(...seen);
    await pause.wait(options.everyMs);
  }
  await Promise.all(looks.map((look) => look.close()));
}

/** One device that is looked at again and again. */
class Look {
  readonly #device: DeviceConfig;
  readonly #patienceMs: number;
  #meter: PolledMeter | undefined;
  #known: Pick<ProbeResult, "identity" | "channels"> = { channels: [] };

  constructor(device: DeviceConfig, patienceMs: number) {
    this.#device = device;
    this.#patienceMs = patienceMs;
  }

  async next(): Promise<ProbeResult> {
    try {
      const meter = await this.#identified();
      // A push meter has nothing to keep: it is listened to anew.
      if (meter === undefined) return await probeDevice(this.#device, this.#patienceMs);
      const snapshot = await this.#inTime(meter.read());
      return { device: this.#device, ...this.#known, snapshot, ...(await this.#relay()) };
    } catch (problem) {
      await this.close();
      return { device: this.#device, ...this.#known, problem, ...(await this.#relay()) };
    }
  }

  async #relay(): Promise<Pick<ProbeResult, "relay">> {
    const { relay } = this.#device;
    return relay === undefined ? {} : { relay: await lookAtRelay(relay) };
  }

  async close(): Promise<void> {
    const meter = this.#meter;
    this.#meter = undefined;
    await meter?.close();
  }

  async #identified(): Promise<PolledMeter | undefined> {
    if (this.#meter !== undefined) return this.#meter;
    const meter = (this.#device.look ?? this.#device.definition).open(this.#device.options);
    if (meter.mode === "push") {
      await meter.close();
      return undefined;
    }
    this.#meter = meter;
    const identity = await this.#inTime(meter.identify());
    this.#known = { identity, channels: meter.channels() };
    return meter;
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    return withinDeadline(work, { what: "answer", deadlineMs: this.#patienceMs, pause: new Pause() });
  }
}
