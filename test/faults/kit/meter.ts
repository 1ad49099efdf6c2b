import { startSunSpecBattery } from "../../../drivers/simulated/sunspec-device.ts";

/** What the meter showed once, with the time at which it went out. */
export interface Served {
  /** Of the machine, never faked: ms since 1970. */
  readonly atMs: number;
  readonly importMwh: number;
  readonly exportMwh: number;
}

/** Power both ways at a time, as of three phases that differ: 20 Wh and 4 Wh a second. */
const IMPORT_MW = 72_000_000;
const EXPORT_MW = 14_400_000;
const MS_PER_HOUR = 3_600_000;
const FIRST_IMPORT_MWH = 1_000_000_000;
const FIRST_EXPORT_MWH = 50_000_000;
/** What the registers show: whole Wh. */
const STEP_MWH = 1000;

/**
 * A Modbus meter on a real socket, of no part of the agent and of the node: it lives in the process of the harness and
 * outlives every kill. Its registers only grow, with the time of a clock that is never set, and it writes down everything
 * that it showed: the count that all others are held against.
 */
export class CountingMeter {
  readonly served: Served[] = [];
  readonly #beganMs = performance.now();
  #port = 0;
  #close: () => Promise<void> = async () => undefined;

  static async start(): Promise<CountingMeter> {
    const meter = new CountingMeter();
    const server = await startSunSpecBattery({
      ...{ host: "127.0.0.1", port: 0 },
      state: () => ({
        ...{ serial: "COUNT-1", ...meter.registers(), activePowerMw: IMPORT_MW - EXPORT_MW },
        ...{ stateOfChargePpm: 500_000, capacityMwh: 400_000_000 },
        ...{ chargeLimitMw: 80_000_000, dischargeLimitMw: 80_000_000 },
      }),
      onServed: ({ importMwh = 0, exportMwh }) =>
        meter.served.push({ atMs: Date.now(), importMwh, exportMwh }),
    });
    meter.#port = server.port;
    meter.#close = () => server.close();
    return meter;
  }

  get port(): number {
    return this.#port;
  }

  /** What the registers show now. */
  registers(): { readonly importMwh: number; readonly exportMwh: number } {
    const elapsedMs = performance.now() - this.#beganMs;
    return {
      importMwh: FIRST_IMPORT_MWH + grown(IMPORT_MW, elapsedMs),
      exportMwh: FIRST_EXPORT_MWH + grown(EXPORT_MW, elapsedMs),
    };
  }

  close(): Promise<void> {
    return this.#close();
  }
}

function grown(powerMw: number, elapsedMs: number): number {
  return Math.floor((powerMw * elapsedMs) / MS_PER_HOUR / STEP_MWH) * STEP_MWH;
}
