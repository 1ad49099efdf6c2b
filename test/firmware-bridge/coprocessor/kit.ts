import { nativeSuite } from "../../../attest/native.ts";
import type { Problem } from "../../../attest/problem.ts";
import type { DriverDefinition, MeterDriver, PolledMeter } from "../../../drivers/driver.ts";
import { lineSchema } from "../../../drivers/line/address.ts";
import { coprocessorDriverOver } from "../../../firmware-bridge/coprocessor/driver.ts";
import { CoprocessorLines } from "../../../firmware-bridge/coprocessor/lines.ts";
import { CoprocessorSigner } from "../../../firmware-bridge/coprocessor/signer.ts";
import {
  type ShownByChannel,
  SimulatedCoprocessor,
  type SimulatedCoprocessorOptions,
} from "../../../firmware-bridge/simulated/coprocessor.ts";
import type { SimulatedMicrocontroller } from "../../../firmware-bridge/simulated/microcontroller.ts";
import type { GroupHandler } from "../../../firmware-bridge/simulated/smp-server.ts";
import type { ConnectionSettings } from "../../../firmware-bridge/smp/connection.ts";
import { closeLater } from "../../kit/close-later.ts";
import { lineTo, microcontroller } from "../smp/kit.ts";

export const SEED: Uint8Array = new Uint8Array(32).fill(7);
/** Where the simulated microcontroller is, and where nobody is. */
export const PLACE = "tcp://coprocessor:1";
export const NOWHERE = "tcp://nowhere:1";

export const GRID: ShownByChannel = {
  ...{ name: "grid", role: "grid", importMwh: 1_234_567_000, exportMwh: 89_000, activePowerMw: -1_500_000 },
  ...{ voltageMv: [230_100, 229_800, 231_000], currentMa: [3_000, 2_000, 1_700], frequencyMhz: 50_010 },
};

export interface Bench {
  readonly coprocessor: SimulatedCoprocessor;
  readonly mcu: SimulatedMicrocontroller;
  readonly lines: CoprocessorLines;
  /** Lines that were opened since the beginning. */
  opened(): number;
}

type Answer = ReturnType<GroupHandler>;

interface BenchOptions extends Partial<SimulatedCoprocessorOptions> {
  readonly bufferBytes?: number;
  readonly settings?: ConnectionSettings;
  readonly indefinite?: boolean;
  /** False: firmware without group 64. */
  readonly groups?: boolean;
  readonly keyless?: boolean;
  /** Exchanges what is answered to a command; undefined: nothing is. */
  readonly exchanged?: (command: number, answer: Answer) => Answer;
}

/** Short: nothing that answers in this process is late, whatever else the machine does. */
export const QUICK = { timeoutMs: 40, attempts: 3 } as const;

/** A clock that goes on by a second each time that it is looked at. */
export function tickingMs(): () => number {
  let ms = 5_000;
  return () => {
    ms += 1_000;
    return ms;
  };
}

/** A coprocessor in a microcontroller, and lines that lead to it. */
export function bench({
  bufferBytes = 1_024,
  settings,
  indefinite,
  groups = true,
  keyless = false,
  exchanged,
  ...options
}: BenchOptions = {}): Bench {
  let opened = 0;
  const coprocessor = new SimulatedCoprocessor({
    ...{ shown: () => [GRID], monotonicMs: tickingMs(), starts: () => mcu.boots },
    ...(keyless ? {} : { seed: SEED }),
    ...options,
  });
  const handle: GroupHandler = (request) => {
    const answer = coprocessor.handle(request);
    return exchanged === undefined ? answer : exchanged(request.command, answer);
  };
  const mcu: SimulatedMicrocontroller = microcontroller({
    bufferBytes,
    groups: new Map(groups ? [[64, handle]] : []),
    misbehaviours: indefinite === true ? ["indefinite-maps", "log-noise"] : [],
  });
  const lines = new CoprocessorLines(
    (address) => {
      opened += 1;
      const answers = address.kind === "tcp" && address.host === "coprocessor";
      return lineTo((bytes) => (answers ? mcu.receive(bytes) : new Uint8Array(0)));
    },
    { ...QUICK, ...settings },
  );
  return { coprocessor, mcu, lines, opened: () => opened };
}

export interface OpenedSigner {
  readonly signer: CoprocessorSigner;
  readonly notices: Problem[];
}

export async function openSigner(
  { lines }: Bench,
  options: Partial<Parameters<typeof CoprocessorSigner.open>[0]> = {},
): Promise<OpenedSigner> {
  const notices: Problem[] = [];
  const signer = await CoprocessorSigner.open({
    line: lines.lease(lineSchema.parse(PLACE)),
    suite: nativeSuite,
    signing: { ...QUICK, signTimeoutMs: QUICK.timeoutMs },
    onNotice: (problem) => notices.push(problem),
    ...options,
  });
  return { signer: closeLater(signer), notices };
}

export function driverOf({ lines }: Bench): DriverDefinition {
  return coprocessorDriverOver(lines);
}

export const OPTIONS: Readonly<Record<string, unknown>> = { line: PLACE, timeoutMs: 50 };

export function polled(meter: MeterDriver): PolledMeter {
  if (meter.mode !== "polled") throw new Error("not a polled meter");
  return closeLater(meter);
}
