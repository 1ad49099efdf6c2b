import { Problem } from "../../attest/problem.ts";
import { METER_FORMAT } from "../modbus/settings.ts";
import type { CompiledProfile } from "../profile/compiled.ts";
import { formatOf } from "../profile/delivery.ts";
import type { WireFault } from "./modbus-faults.ts";
import type { PeerRequest } from "./modbus-peer.ts";
import type { SlaveModel, SlaveRead, SlaveWrite } from "./modbus-slave.ts";
import { type PhysicalModel, PhysicalSite, type SiteInstant } from "./physical-site.ts";
import { SimulatedCommands } from "./profile-commands.ts";
import {
  isControlFault,
  isDeviceFault,
  noPlaceFor,
  type SimulatedFault,
  WireFaults,
} from "./profile-faults.ts";
import { type OpenPlace, openPlace, type SimulatedPlace } from "./profile-place.ts";
import { type RegisterValues, SimulatedRegisters } from "./profile-registers.ts";
import { planSimulation, type Simulation } from "./profile-simulation.ts";

/** How a device that a profile describes is simulated. */
export interface SimulatedProfileOptions {
  readonly place: SimulatedPlace;
  /** Default: the profile's. */
  readonly unit?: number;
  /** What is measured; by default a home, of a size that the profile's registers can show. */
  readonly model?: PhysicalModel;
  /** How much faster than real time the home's day passes; default 60. */
  readonly daySpeed?: number;
  readonly faults?: readonly SimulatedFault[];
  /** Milliseconds; by default a clock that is never set. */
  readonly clock?: () => number;
  /** Part of a battery's power that is lost in each direction; default none. */
  readonly lossPpm?: number;
}

/** A running simulated device. */
export interface SimulatedProfile {
  /** Port that it listens on; 0 on a serial line. */
  readonly port: number;
  readonly unit: number;
  /** What truly flows now, by channel, whatever the device's faults make of it. */
  truth(): SiteInstant;
  /** What can be read from the device now, by table and address. Throws Problem `simulate-range`. */
  registers(): RegisterValues;
  readonly faults: readonly SimulatedFault[];
  /** Switches faults on and all others off. Throws Problem `simulate-fault` for one that the profile has no place for. */
  setFaults(faults: readonly SimulatedFault[]): void;
  /** Requests so far. */
  requests(): number;
  /** Hangs up on every client; they may come back. */
  hangUp(): void;
  /** Why reads are answered with exception 4, at last: the model has something that the registers cannot show. */
  readonly problem: Problem | undefined;
  /** Resolves when a serial line has gone down by itself. */
  readonly lost: Promise<Problem>;
  close(): Promise<void>;
}

const ADVANCE_MS = 1000;
const MOST_CLIENTS = 16;
/** Exceptions of Modbus Application Protocol v1.1b3, 7. */
const EXCEPTION = {
  illegalFunction: 1,
  illegalAddress: 2,
  illegalValue: 3,
  deviceFailure: 4,
  busy: 6,
  noAnswer: 11,
} as const;

/**
 * Starts a Modbus device of this profile: its registers follow a physical model, put into them by an encoder of their
 * own that shares no code with what decodes them.
 *
 * @throws Problem `simulate-…` where no such device can be, or its place cannot be opened; `line-…` of a serial line
 */
export async function startSimulatedProfile(
  compiled: CompiledProfile,
  options: SimulatedProfileOptions,
): Promise<SimulatedProfile> {
  const device = new Device(planSimulation(compiled), options);
  await device.open();
  return device;
}

class Device implements SimulatedProfile, SlaveModel {
  readonly unit: number;
  readonly lost: Promise<Problem>;
  problem: Problem | undefined;
  readonly identification?: ReadonlyMap<number, string>;
  readonly echo: "answered" | "ignored";
  readonly #simulation: Simulation;
  readonly #options: SimulatedProfileOptions;
  readonly #clock: () => number;
  readonly #model: PhysicalModel;
  readonly #registers: SimulatedRegisters;
  readonly #wire: WireFaults;
  readonly #commands: SimulatedCommands | undefined;
  #writes = 0;
  #onLost: (problem: Problem) => void = () => undefined;
  #faults: readonly SimulatedFault[] = [];
  #requests = 0;
  #place: OpenPlace | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(simulation: Simulation, options: SimulatedProfileOptions) {
    const { transport } = simulation.compiled.profile;
    const { clock = () => performance.now(), model, daySpeed, place, lossPpm } = options;
    this.#simulation = simulation;
    this.#options = options;
    this.#clock = clock;
    const { profile } = simulation.compiled;
    const { divisor } = simulation.site;
    this.#commands =
      profile.control === undefined
        ? undefined
        : new SimulatedCommands({ profile, control: profile.control, divisor });
    this.#model =
      model ??
      new PhysicalSite(simulation.site, {
        startMs: clock(),
        steering: (nowMs) => this.#commands?.at(nowMs) ?? {},
        ...(daySpeed === undefined ? {} : { daySpeed }),
        ...(lossPpm === undefined ? {} : { lossPpm }),
      });
    this.#registers = new SimulatedRegisters(simulation, this.#model);
    this.#wire = new WireFaults(place.kind === "tcp" ? "tcp" : "rtu");
    this.unit = options.unit ?? transport.unit;
    this.echo = transport.echo ? "answered" : "ignored";
    if (simulation.objects !== undefined) this.identification = simulation.objects;
    this.lost = new Promise((resolve) => {
      this.#onLost = resolve;
    });
  }

  async open(): Promise<void> {
    const { serial, maxClients = MOST_CLIENTS } = this.#simulation.compiled.profile.transport;
    this.setFaults(this.#options.faults ?? []);
    // What cannot be shown is said now, and not to the first client.
    this.#registers.values();
    this.#place = await openPlace(this.#options.place, {
      peer: { model: this, order: "turn", fault: (request) => this.#faultOf(request) },
      format: serial === undefined ? METER_FORMAT : formatOf(serial),
      maxClients,
      onLost: (problem) => this.#onLost(problem),
    });
    this.#timer = setInterval(() => this.#model.advanceTo(this.#clock()), ADVANCE_MS);
  }

  get port(): number {
    return this.#place?.port ?? 0;
  }

  truth(): SiteInstant {
    this.#model.advanceTo(this.#clock());
    return this.#model.instant;
  }

  registers(): RegisterValues {
    this.#model.advanceTo(this.#clock());
    return this.#registers.values();
  }

  get faults(): readonly SimulatedFault[] {
    return this.#faults;
  }

  setFaults(faults: readonly SimulatedFault[]): void {
    this.#model.advanceTo(this.#clock());
    const told = faults.filter(isControlFault);
    const [first] = told;
    if (first !== undefined && this.#commands === undefined)
      throw noPlaceFor(first, "a profile without control");
    this.#commands?.setFaults(told, this.#clock());
    this.#writes = 0;
    this.#registers.setFaults(faults.filter(isDeviceFault));
    this.#wire.set(faults);
    this.#faults = [...faults];
  }

  requests(): number {
    return this.#requests;
  }

  hangUp(): void {
    this.#place?.hangUp();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#place?.close();
  }

  /** Called by the peer for each read. */
  read({ unit, table, start, count }: SlaveRead): readonly number[] | { readonly exception: number } {
    if (table !== "holding" && table !== "input") return { exception: EXCEPTION.illegalFunction };
    if (unit !== this.unit) return Array.from({ length: count }, () => 0);
    if (count > this.#simulation.compiled.profile.transport.maxRegisters)
      return { exception: EXCEPTION.illegalValue };
    const values = this.#values()?.[table];
    if (values === undefined) return { exception: EXCEPTION.deviceFailure };
    this.#commands?.expire(this.#clock());
    const told = (address: number): number | undefined =>
      table === "holding" ? this.#commands?.read(address) : undefined;
    const found = Array.from({ length: count }, (_, at) => told(start + at) ?? values.get(start + at));
    const registers = found.filter((value) => value !== undefined);
    return registers.length === count ? registers : { exception: EXCEPTION.illegalAddress };
  }

  /** Called by the peer for each write. */
  write({ unit, start, values }: SlaveWrite): { readonly exception: number } | undefined {
    if (unit !== this.unit) return { exception: EXCEPTION.noAnswer };
    if (this.#commands === undefined) return { exception: EXCEPTION.illegalFunction };
    this.#model.advanceTo(this.#clock());
    const exception = this.#commands.write(start, values, this.#clock());
    return exception === undefined ? undefined : { exception };
  }

  /** Undefined where the model has something that the registers cannot show. */
  #values(): RegisterValues | undefined {
    try {
      return this.registers();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error;
      return undefined;
    }
  }

  #faultOf({ unit, pdu }: PeerRequest): WireFault | undefined {
    this.#requests += 1;
    if (isWrite(pdu) && ++this.#writes === 2 && this.#faults.includes("loses-connection-in-the-middle")) {
      this.hangUp();
      return { kind: "lost" };
    }
    if (unit !== this.unit) {
      if (this.#faults.includes("gateway-zeros")) return undefined;
      // On a serial line only the unit itself answers; a device's own TCP port says that there is no other.
      return this.#options.place.kind === "tcp"
        ? { kind: "exception", code: EXCEPTION.noAnswer }
        : { kind: "lost" };
    }
    if (this.#faults.includes("stuck-busy")) return { kind: "exception", code: EXCEPTION.busy };
    return this.#wire.next(unit);
  }
}

function isWrite(pdu: Uint8Array): boolean {
  return pdu[0] === 6 || pdu[0] === 16;
}
