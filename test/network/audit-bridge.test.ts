import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { ReadingLeaf } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { pulseDriver } from "../../firmware-bridge/pulse/driver.ts";
import type { ShownByChannel } from "../../firmware-bridge/simulated/coprocessor.ts";
import type { AuditedLeaf, Judgement } from "../../network/audit/audit-record.ts";
import { judgeFrame } from "../../network/audit/judge.ts";
import { bench, driverOf, GRID, OPTIONS, polled } from "../firmware-bridge/coprocessor/kit.ts";
import { FakeLine, pulses } from "../firmware-bridge/pulse/fake-line.ts";
import { STEADY_FRAME } from "../firmware-bridge/pulse/pulse-frames.ts";
import { forged, LIBRARY, SealedMeter } from "./audit-kit.ts";

const lines: FakeLine[] = [];
afterEach(async () => {
  for (const line of lines.splice(0)) await line.close();
});

function judge(audited: AuditedLeaf, bytes: Uint8Array): Judgement {
  return judgeFrame(audited, bytes, { suite: nativeSuite, profiles: LIBRARY });
}

/** The leaf as an agent would have sealed it that had made up these bytes before. */
function over(audited: AuditedLeaf, text: string): readonly [audited: AuditedLeaf, bytes: Uint8Array] {
  const bytes = new TextEncoder().encode(text);
  const evidence = new Uint8Array(createHash("sha256").update(bytes).digest()).subarray(0, 16);
  return [{ ...forged(audited, { evidence }), evidence }, bytes];
}

interface Audited {
  readonly audited: AuditedLeaf;
  readonly bytes: Uint8Array;
}

/** The newest reading of 20 pulses, 60 ms apart, which a real counting process counted. */
async function countedPulses(options: object = {}): Promise<Audited> {
  const line = new FakeLine();
  lines.push(line);
  await line.open();
  line.installGpiomon(2);
  const registerFile = join(line.folder, "register");
  const given = { line: 17, pulsesPerKwh: 1000, startKwh: "1234.5", registerFile, ...options };
  const meter = polled(pulseDriver.open(pulseDriver.schema.parse(given)));
  const log = new SealedMeter("s0-pulse", meter);
  const watched = line.watched();
  await log.open();
  await watched;
  line.play({ edges: pulses(20) });
  while (!/^count 20 /m.test(textOf(log.frames.at(-1)?.bytes))) await log.read();
  await meter.close();
  return newest(log);
}

let once: Promise<Audited> | undefined;

/** One and the same for all that only look at it. */
function sealedOnce(): Promise<Audited> {
  once ??= countedPulses();
  return once;
}

/** Each value of a leaf, one higher. */
function liesOf(leaf: ReadingLeaf): readonly (readonly [string, Partial<ReadingLeaf>])[] {
  const names = ["importMwh", "exportMwh", "activePowerMw", "stateOfChargePpm", "frequencyMhz"] as const;
  const lists = ["voltageMv", "currentMa"] as const;
  return [
    ...names.flatMap((name) =>
      leaf[name] === undefined ? [] : [[name, { [name]: leaf[name] + 1 }] as const],
    ),
    ...lists.flatMap((name) =>
      leaf[name] === undefined ? [] : [[name, { [name]: leaf[name].map((one) => one + 1) }] as const],
    ),
  ];
}

function textOf(bytes: Uint8Array = new Uint8Array(0)): string {
  return new TextDecoder().decode(bytes);
}

function newest(log: SealedMeter): Audited {
  const audited = log.audited().at(-1);
  if (audited === undefined) throw new Error("nothing was sealed");
  return { audited, bytes: log.frameOf(audited) };
}

/** The same, with the last pulse 9 s ago: power is 1 Wh in 9 s. */
const WAITING = STEADY_FRAME.replace("last 93783000000000", "last 93775005000000");

interface FrameNumber {
  readonly name: string;
  readonly number: RegExp;
  /** What it is raised by. */
  readonly by: bigint;
  /** Which value of a steady meter shows it, and which of one that waits. */
  readonly shows: readonly (keyof ReadingLeaf | undefined)[];
}

const MS = 1_000_000n;
const REGISTER = ["importMwh", "importMwh"] as const;
const NUMBERS: readonly FrameNumber[] = [
  { name: "line", number: /gpiochip0:(\d+)/, by: 1n, shows: [] },
  { name: "number of pulses in the constant", number: /constant (\d+)/, by: 1n, shows: REGISTER },
  { name: "number of kWh in the constant", number: /\/(\d+) pulses/, by: 1n, shows: REGISTER },
  { name: "start", number: /start (\d+)/, by: 1n, shows: REGISTER },
  { name: "count", number: /count (\d+)/, by: 1n, shows: REGISTER },
  { name: "time of the count", number: /at (\d+)/, by: MS, shows: [undefined, "activePowerMw"] },
  { name: "number of short ones", number: /ignored (\d+)/, by: 1n, shows: [] },
  { name: "number of repeated ones", number: /short (\d+)/, by: 1n, shows: [] },
  { name: "number of intervals", number: /recent (\d+)/, by: 1n, shows: ["activePowerMw"] },
  { name: "span", number: /intervals (\d+)/, by: MS, shows: ["activePowerMw"] },
  { name: "time of the last pulse", number: /last (\d+)/, by: MS, shows: [undefined, "activePowerMw"] },
];

function raised(text: string, number: RegExp, step: bigint): string {
  return text.replace(number, (found, digits: string) =>
    found.replace(digits, String(BigInt(digits) + step)),
  );
}

describe("an audit of a pulse meter", () => {
  it("matches what was counted, and finds any value of the leaf that was changed", async () => {
    const { audited, bytes } = await countedPulses();
    const { importMwh = 0, activePowerMw = 0 } = audited.leaf;
    expect(importMwh).toBe(1_234_520_000);
    expect(judge(audited, bytes)).toEqual({ verdict: "matches", detail: "" });
    const lies: Partial<ReadingLeaf>[] = [
      ...[{ importMwh: importMwh + 1 }, { activePowerMw: activePowerMw - 1 }, { exportMwh: 0 }],
      ...[{ frequencyMhz: 50_000 }, { voltageMv: [230_000] }, { stateOfChargePpm: 1 }],
    ];
    for (const lie of lies)
      expect(judge(forged(audited, lie), bytes)).toMatchObject({
        verdict: "differs",
        difference: { value: Object.keys(lie)[0] },
      });
    expect(judge(audited, bytes.subarray(1)).verdict).toBe("wrong-frame");
  });

  it.each(NUMBERS)(
    "finds a frame that was made up with another $name where the leaf hangs on it",
    async (given) => {
      const { number, by, shows } = given;
      const { audited } = await sealedOnce();
      for (const [at, text] of [STEADY_FRAME, WAITING].entries()) {
        const leaf = forged(audited, {
          importMwh: 1_239_211_000,
          activePowerMw: [1_000_000, 400_000][at] ?? 0,
        });
        expect(judge(...over(leaf, text))).toEqual({ verdict: "matches", detail: "" });
        const changed = raised(text, number, by);
        expect(changed).not.toBe(text);
        const value = shows[at];
        const seen =
          value === undefined ? { verdict: "matches" } : { verdict: "differs", difference: { value } };
        expect(judge(...over(leaf, changed))).toMatchObject(seen);
      }
    },
  );

  it("finds another direction", async () => {
    const { audited } = await sealedOnce();
    const leaf = forged(audited, { importMwh: 1_239_211_000, activePowerMw: 1_000_000 });
    expect(judge(...over(leaf, STEADY_FRAME.replace("import", "export")))).toMatchObject({
      verdict: "differs",
      difference: { value: "importMwh", expected: "nothing" },
    });
  });

  it("holds the constant against the manifest, where it says a step", async () => {
    const { audited, bytes } = await sealedOnce();
    const { resolutionMwh, ...rest } = audited.manifest;
    expect(resolutionMwh).toBe(1000);
    expect(judge({ ...audited, manifest: { ...rest, resolutionMwh: 1250 } }, bytes)).toEqual({
      verdict: "differs",
      detail: "resolutionMwh: the frame says 1000, the manifest 1250",
      difference: { value: "resolutionMwh", expected: "1000", got: "1250" },
    });
    expect(judge({ ...audited, manifest: rest }, bytes).verdict).toBe("matches");
    // Twice the pulses of half the energy: the same register, and another constant.
    const twice = STEADY_FRAME.replace("1000/1", "2000/1")
      .replace("4711", "9422")
      .replace("recent 3", "recent 6");
    const leaf = forged(audited, { importMwh: 1_239_211_000, activePowerMw: 1_000_000 });
    expect(judge(...over(leaf, twice))).toMatchObject({
      verdict: "differs",
      difference: { value: "resolutionMwh", expected: "500", got: "1000" },
    });
  });

  it("is no audit of a frame that is none", async () => {
    const { audited } = await sealedOnce();
    expect(judge(...over(audited, STEADY_FRAME.replace("count", "Count")))).toMatchObject({
      verdict: "cannot-decode",
      detail: expect.stringContaining("not a frame of counted pulses"),
    });
  });
});

describe("an audit of a coprocessor", () => {
  const BATTERY: ShownByChannel = {
    ...{ name: "battery", role: "storage", importMwh: 7_000, exportMwh: 6_000, activePowerMw: -40_000 },
    ...{ stateOfChargePpm: 510_000 },
  };

  async function sealed(names: Record<string, string> = {}): Promise<SealedMeter> {
    const driver = driverOf(bench({ shown: () => [GRID, BATTERY] }));
    const log = new SealedMeter("coprocessor", polled(driver.open(driver.schema.parse(OPTIONS))), names);
    await log.open();
    await log.read();
    return log;
  }

  it("matches what was read, and finds any value of a leaf that was changed", async () => {
    const log = await sealed();
    const all = log.audited();
    expect(all.map(({ manifest }) => manifest.name)).toEqual(["device/grid", "device/battery"]);
    let lies = 0;
    for (const audited of all) {
      const bytes = log.frameOf(audited);
      expect(judge(audited, bytes)).toEqual({ verdict: "matches", detail: "" });
      for (const [value, lie] of liesOf(audited.leaf)) {
        expect(judge(forged(audited, lie), bytes)).toMatchObject({
          verdict: "differs",
          difference: { value },
        });
        lies += 1;
      }
    }
    expect(lies).toBe(10);
  });

  it("finds a frame of another coprocessor", async () => {
    const [audited, ...more] = (await sealed()).audited();
    const log = await sealed();
    expect(more).toHaveLength(1);
    if (audited === undefined) throw new Error("nothing was sealed");
    const other = { ...audited, manifest: { ...audited.manifest, serial: "4712" } };
    expect(judge(other, log.frameOf(audited))).toEqual({
      verdict: "differs",
      detail: "serial: the frame says 4711, the manifest 4712",
      difference: { value: "serial", expected: "4711", got: "4712" },
    });
  });

  it("finds a changed byte of the frame by its digest, and no channel of another name by guessing", async () => {
    const log = await sealed({ grid: "house/battery" });
    const [grid] = log.audited();
    if (grid === undefined) throw new Error("nothing was sealed");
    const bytes = log.frameOf(grid);
    for (let at = 0; at < bytes.length; at++)
      expect(
        judge(
          grid,
          bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)),
        ).verdict,
      ).toBe("wrong-frame");
    expect(judge(grid, bytes)).toMatchObject({
      verdict: "cannot-decode",
      detail: expect.stringContaining("the frame says this of grid"),
    });
  });
});
