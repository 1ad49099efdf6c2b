import type { ControlDesk } from "../../agent/control/desk.ts";
import type { FlexChannel } from "../../agent/flexibility/host.ts";
import { gateChannel, restoredFrom } from "../../agent/quality/channel.ts";
import { QualityGate } from "../../agent/quality/gate.ts";
import type { Sealer } from "../../agent/sealing/sealer.ts";
import { Problem } from "../../attest/problem.ts";
import type { MeterReading } from "../../attest/reading.ts";
import type { Snapshot } from "../../drivers/driver.ts";
import type { DemoClock } from "./flex-clock.ts";
import type { FlexDevice } from "./flex-devices.ts";
import { FINE } from "./flex-plan.ts";

interface Channel extends FlexChannel {
  readonly gate: QualityGate;
}

/** From a snapshot to leaves, by the agent's own quality gate and sealer, on the demo's clock. */
export class FlexIntake {
  readonly #sealer: Sealer;
  readonly #clock: DemoClock;
  readonly #channels: readonly Channel[];

  constructor(sealer: Sealer, clock: DemoClock, devices: readonly FlexDevice[]) {
    this.#sealer = sealer;
    this.#clock = clock;
    this.#channels = devices.flatMap((device) => this.#declared(device));
  }

  get channels(): readonly FlexChannel[] {
    return this.#channels;
  }

  /** @param control what is told how it stands; nobody where nothing is controlled yet */
  take({ id }: FlexDevice, snapshot: Snapshot, control: ControlDesk | undefined): void {
    for (const reading of snapshot.readings) {
      const doubts = snapshot.doubts?.filter((doubt) => doubt.channel === reading.channel) ?? [];
      this.#seal(this.#find(id, reading.channel), reading, doubts);
      if (control !== undefined) this.#tell(control, id, reading);
    }
    // Where nobody controls anything yet, nobody asks what could be done.
    if (control === undefined) return;
    for (const flexibility of snapshot.flexibility)
      this.#sealer.sealFlexibility(this.#find(id, flexibility.channel).number, flexibility);
  }

  #seal(channel: Channel, reading: MeterReading, doubts: Snapshot["doubts"]): void {
    const verdict = channel.gate.judge(reading, this.#clock.monotonicMs, doubts);
    if (verdict.kind !== "accept")
      throw new Problem(
        "demo-reading",
        `the quality gate did not take a reading: ${verdict.reason.message}`,
        {
          where: `${channel.device}/${channel.channel}`,
          got: verdict.reason.code,
        },
      );
    this.#sealer.sealReading(channel.number, verdict.reading);
  }

  #tell(control: ControlDesk, id: FlexDevice["id"], reading: MeterReading): void {
    const { channel, activePowerMw, stateOfChargePpm } = reading;
    const atMs = this.#clock.monotonicMs;
    if (id === "meter" && activePowerMw !== undefined) control.siteMeterRead(atMs, activePowerMw);
    if (channel === CONTROLLED && activePowerMw !== undefined) control.devicePower(id, activePowerMw, atMs);
    if (id === "battery" && stateOfChargePpm !== undefined) control.stateOfCharge(id, stateOfChargePpm, atMs);
  }

  #declared({ id, meter, identity }: FlexDevice): Channel[] {
    return meter.channels().map((description) => {
      const name = `${id}/${description.name}`;
      const number = this.#sealer.channel({
        ...{ driver: "sunspec", samplingMs: FINE.readMs, identity, description },
        settings: { name },
      });
      const state = this.#sealer.rules.channels.get(number);
      const gate = new QualityGate(gateChannel(description, state, FINE.readMs), restoredFrom(state));
      return { number, device: id, channel: description.name, gate };
    });
  }

  #find(device: string, name: string): Channel {
    const found = this.#channels.find((each) => each.device === device && each.channel === name);
    if (found === undefined) throw new Error(`no channel ${device}/${name}`);
    return found;
  }
}

/** The driver's name of the channel that takes commands: the battery's inverter, on its AC side. */
export const CONTROLLED = "inverter";
