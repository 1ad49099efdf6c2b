import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { p1Speaker } from "../drivers/simulated/p1-telegram.ts";
import { telegramHome } from "../drivers/simulated/telegram-home.ts";
import { startSpeakingMeter } from "../drivers/simulated/telegram-meter.ts";
import { figure, type Result } from "./measure.ts";

/** What the process that listens prints: what it used while it listened, and as long without a line. */
export interface Heard {
  readonly telegrams: number;
  readonly cpuUs: number;
  readonly idleCpuUs: number;
  readonly wallUs: number;
}

const heardSchema: z.ZodType<Heard> = z.strictObject({
  telegrams: z.int().min(1),
  cpuUs: z.number().min(0),
  idleCpuUs: z.number().min(0),
  wallUs: z.number().min(1),
});

const PERIOD_MS = 1_000;
const PPM = 1_000_000;

/**
 * What a P1 meter that speaks once a second takes of one core: the driver alone in a process, over a loopback socket; held
 * against the same process without a line.
 */
export async function meterShare(long: boolean): Promise<readonly Result[]> {
  const meter = await startSpeakingMeter({
    place: { kind: "tcp", host: "127.0.0.1", port: 0 },
    speaker: p1Speaker(),
    periodMs: PERIOD_MS,
    shown: telegramHome({
      ...{ part: "grid", serial: "10203040", daySpeed: 60 },
      ...{ monotonicMs: () => performance.now(), clockMs: Date.now },
    }),
  });
  try {
    const program = join(import.meta.dirname, "decode-meter-process.ts");
    const args = [program, String(meter.port), long ? "60" : "15"];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return sharesOf(heardSchema.parse(JSON.parse(stdout)));
  } finally {
    await meter.close();
  }
}

function sharesOf({ telegrams, cpuUs, idleCpuUs, wallUs }: Heard): readonly Result[] {
  const name = "dsmr at 1 Hz, the driver's process";
  return [
    figure("decode-meter", { name, unit: "ppm of a core" }, [
      (PPM * cpuUs) / wallUs,
      (PPM * idleCpuUs) / wallUs,
    ]),
    figure("decode-meter", { name, unit: "cpu-us/telegram" }, [cpuUs / telegrams]),
  ];
}
