import { Problem } from "../../attest/problem.ts";
import type { UsedPort } from "../driver.ts";
import type { LineAddress } from "../line/address.ts";
import { lineKey } from "../line/line-key.ts";
import { type BusTiming, ModbusBus } from "./bus.ts";
import { describeLine, type LineSettings, nameOfLine } from "./settings.ts";
import type { BusStatistics } from "./statistics.ts";

/** One user's hold on a bus. */
export interface BusLease {
  readonly bus: ModbusBus;
  /** Gives the bus back; the last user closes it. Never throws, may be called twice. */
  release(): Promise<void>;
}

/** What all users of a line share. */
export type LeaseTiming = Pick<BusTiming, "timeoutMs" | "connectDelayMs">;

interface Shared {
  readonly bus: ModbusBus;
  readonly address: LineAddress;
  /** All that users have to agree about, in words. */
  readonly settings: string;
  users: number;
}

/** The lines of one process: a line that several devices are configured on is opened once and shared. */
export class BusRegistry {
  readonly #shared = new Map<string, Shared>();
  /** Buses on their way out: who opens the line anew waits for them. */
  readonly #leaving = new Map<string, Promise<void>>();

  /**
   * The bus of a line, a new one or one that others use already. Does not touch the line.
   *
   * @throws Problem `modbus-line-conflict` when another user of the line has other settings for it
   */
  lease(line: LineSettings, timing: LeaseTiming): BusLease {
    const address = addressOf(line);
    const key = lineKey(address, this.#shared);
    const settings = settingsOf(line, timing);
    const shared = this.#shared.get(key) ?? {
      ...{ address, settings, users: 0 },
      bus: ModbusBus.open(line, timing, this.#leaving.get(key)),
    };
    if (shared.settings !== settings) throw conflict(line, shared.settings, settings);
    this.#shared.set(key, shared);
    shared.users += 1;
    let released: Promise<void> | undefined;
    return {
      bus: shared.bus,
      release: () => {
        released ??= this.#release(key, shared);
        return released;
      },
    };
  }

  /** What happened on each line that is in use, since it was opened. */
  statistics(): readonly BusStatistics[] {
    return [...this.#shared.values()].map(({ bus }) => bus.statistics());
  }

  async #release(key: string, shared: Shared): Promise<void> {
    shared.users -= 1;
    if (shared.users > 0) return;
    this.#shared.delete(key);
    const leaving = shared.bus.close();
    this.#leaving.set(key, leaving);
    await leaving;
    if (this.#leaving.get(key) === leaving) this.#leaving.delete(key);
  }
}

/** The lines of this process. */
export const modbusLines: BusRegistry = new BusRegistry();

/** What a device on {@link modbusLines} needs. */
export function busPort(line: LineSettings, timing: Pick<LeaseTiming, "connectDelayMs">): UsedPort {
  return { address: addressOf(line), sharedBy: "modbus", settings: settingsOf(line, timing) };
}

function addressOf(line: LineSettings): LineAddress {
  if (line.transport === "rtu") return { kind: "serial", path: line.path };
  return { kind: "tcp", host: line.host, port: line.port };
}

function settingsOf(line: LineSettings, timing: Pick<LeaseTiming, "connectDelayMs">): string {
  return `${describeLine(line)}, connectDelayMs ${timing.connectDelayMs ?? 0}`;
}

function conflict(line: LineSettings, expected: string, got: string): Problem {
  return new Problem("modbus-line-conflict", "two devices want one line with different settings", {
    where: nameOfLine(line),
    expected,
    got,
    hint: "give all devices on a line the same settings",
  });
}
