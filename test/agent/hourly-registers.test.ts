import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { Intake } from "../../agent/intake.ts";
import { CLOSE_SHAPE, type Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { READING_STATUS } from "../../attest/reading.ts";
import { dlmsProtocol } from "../../drivers/dlms/protocol.ts";
import type { DlmsLayout } from "../../drivers/simulated/dlms-lists.ts";
import { dlmsSpeaker } from "../../drivers/simulated/dlms-telegram.ts";
import { type Bench, openBench, recordingLogger, temporaryFolder } from "./kit.ts";

const HOUR_MS = 3_600_000;
const PERIOD_MS = 10_000;
/** A list arrives so long behind the instant that the meter made it. */
const LINE_MS = 3_000;
const HOURS = 5;
const START_MWH = 4_000_000_000;
/** 3.6 kW: 10 Wh in 10 s, which is a step of every layout's registers. */
const STEP_MWH = 10_000;

type Close = Extract<Leaf, { kind: "intervalClose" }>;

/** A Norwegian meter before the agent's intake: its lists every 10 s, registers once an hour. */
class Home {
  readonly #bench: Bench;
  readonly #intake: Intake;
  readonly #protocol = dlmsProtocol({ registerStepWh: 10, clock: "CET" });
  readonly #speaker: ReturnType<typeof dlmsSpeaker>;
  #identified = false;

  constructor(bench: Bench, layout: DlmsLayout) {
    this.#bench = bench;
    this.#speaker = dlmsSpeaker({ layout, framing: "hdlc", isHourly: true });
    const open = (): never => {
      throw new Error("no test opens it");
    };
    const definition = { name: "dlms-push", summary: "", schema: z.strictObject({}), open };
    const device = { id: "meter", definition, options: {}, intervalMs: PERIOD_MS, channels: {} };
    const { logger } = recordingLogger();
    this.#intake = new Intake({ sealer: () => bench.sealer, accepted: () => undefined, logger }, [device]);
  }

  /** What the register stood at, at an instant of the meter's clock. */
  static register(ms: number, startMs: number): number {
    return START_MWH + Math.floor((ms - startMs) / PERIOD_MS) * STEP_MWH;
  }

  run(startMs: number, hours: number): void {
    const { time } = this.#bench;
    while (time.wall < startMs + hours * HOUR_MS) {
      const madeMs = time.wall;
      time.advance(LINE_MS);
      this.#hear(madeMs, startMs);
      this.#bench.sealer.closeOverdue();
      time.advance(PERIOD_MS - LINE_MS);
    }
  }

  #hear(madeMs: number, startMs: number): void {
    const shown = {
      ...{ serial: "30471106", importT1Mwh: Home.register(madeMs, startMs), importT2Mwh: 0 },
      ...{ exportT1Mwh: 2_000_000, exportT2Mwh: 0, activePowerMw: 3_600_000, timeMs: madeMs },
      ...{ voltageMv: [230_000, 230_000, 230_000], currentMa: [5_200, 5_200, 5_200], frequencyMhz: 50_000 },
    };
    const framer = this.#protocol.createFramer();
    for (const bytes of this.#speaker.telegrams(shown))
      for (const framed of framer.push(bytes)) {
        if (framed.kind === "refused") throw framed.problem;
        const telegram = this.#protocol.decode(framed.bytes);
        if (telegram === undefined) continue;
        const { identity, channels, readings } = telegram;
        if (!this.#identified && identity !== undefined) {
          this.#identified = true;
          this.#intake.identified("meter", { ...identity, firmware: "" }, channels);
        }
        const evidence = new Uint8Array(32);
        const proven = readings.map(({ resolutionMwh: _, ...reading }) => ({ ...reading, evidence }));
        this.#intake.take("meter", { readings: proven, flexibility: [], absent: [] });
      }
  }
}

describe("a meter that lists its registers once an hour", () => {
  let bench: Bench;
  let remove = (): void => undefined;
  beforeEach(() => {
    const made = temporaryFolder();
    remove = made.remove;
    bench = openBench(join(made.folder, "journal.sqlite"));
    vi.spyOn(performance, "now").mockImplementation(() => bench.time.monotonic);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    bench.log.journal.close();
    remove();
  });

  function leaves(): Leaf[] {
    bench.sealer.commit();
    return bench.log.journal.leaves(1, 0, bench.log.journal.size(1)).map(decodeLeaf);
  }

  it.each(["kaifa", "kamstrup", "aidon"] as const)("%s: every hour closes on the hour", (layout) => {
    const startMs = Math.ceil(bench.time.wall / HOUR_MS) * HOUR_MS - 2 * 60_000;
    bench.time.advance(startMs - bench.time.wall);
    new Home(bench, layout).run(startMs, HOURS);
    const closes = leaves().filter((leaf): leaf is Close => leaf.kind === "intervalClose");
    const firstHourMs = startMs + 2 * 60_000;
    // The first registers open the chain as of when they came.
    expect(closes.map(({ t0Ms, t1Ms }) => [t0Ms - firstHourMs, t1Ms - firstHourMs])).toEqual(
      [1, 2, 3, 4].map((hour) => [hour === 1 ? LINE_MS : (hour - 1) * HOUR_MS, hour * HOUR_MS]),
    );
    for (const { t1Ms, openingImportMwh = 0, closingImportMwh = 0, shape = 0, statusUnion = 0 } of closes) {
      expect(closingImportMwh).toBe(Home.register(t1Ms, startMs));
      expect(closingImportMwh - openingImportMwh).toBe((HOUR_MS / PERIOD_MS) * STEP_MWH);
      expect(shape & CLOSE_SHAPE.coarse).toBe(CLOSE_SHAPE.coarse);
      expect(statusUnion & READING_STATUS.registersAtMeterTime).toBe(READING_STATUS.registersAtMeterTime);
    }
    expect(leaves().filter(({ kind }) => kind === "discontinuity")).toEqual([]);
  });
});
