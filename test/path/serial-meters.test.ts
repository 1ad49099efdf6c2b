import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { openLogForReading } from "../../agent/journal/open-log.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSigner } from "../../attest/native.ts";
import { type SimulatedMeter, startSimulatedMeter } from "../../drivers/simulated/telegram-device.ts";
import { METER_KINDS, type MeterKind } from "../../drivers/simulated/telegram-kinds.ts";
import { readKey } from "../../runtime/key-file.ts";
import { eventually, Program } from "../kit/programs.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const EXAMPLE = join(import.meta.dirname, "../../examples/serial-meters.yaml");
const KEY = Uint8Array.from({ length: 16 }, (_, at) => 0x21 * at);
const INTERVAL_S = 4;
const NETWORK = "serial-test";

const exampleSchema = z.looseObject({
  devices: z.array(
    z.looseObject({
      ...{ id: z.string(), driver: z.string(), keyFile: z.string().optional() },
      address: z.int().optional(),
    }),
  ),
});
type ExampleDevice = z.output<typeof exampleSchema>["devices"][number];

/** What a device of the example is replaced by, and what it showed when that started. */
interface Place {
  readonly device: ExampleDevice;
  readonly meter: SimulatedMeter;
  readonly entry: Readonly<Record<string, unknown>>;
  readonly startMwh: readonly [importMwh: number, exportMwh: number];
}

type Close = Extract<Leaf, { kind: "intervalClose" }>;
type ChannelManifest = Extract<Leaf, { kind: "channelManifest" }>;

const folder = mkdtempSync(join(tmpdir(), "kw-serial-"));
const places: Place[] = [];
let agent: Program | undefined;

beforeAll(async () => {
  writeFileSync(join(folder, "meter.key"), Buffer.from(KEY).toString("hex"), { mode: 0o600 });
  const { devices } = exampleSchema.parse(parse(readFileSync(EXAMPLE, "utf8")));
  for (const [index, device] of devices.entries()) places.push(await simulate(device, index));
  const config = {
    ...{ network: NETWORK, key: "device.key", journal: "journal.sqlite", intervalSeconds: INTERVAL_S },
    ...{ commitSeconds: 0.3, checkpointSeconds: 0.5, devices: places.map(({ entry }) => entry) },
  };
  writeFileSync(join(folder, "agent.yaml"), stringify(config));
  agent = new Program(["agent", "--config", join(folder, "agent.yaml"), "--json"]);
});
afterAll(async () => {
  await agent?.kill("SIGTERM");
  for (const { meter } of places) await meter.close();
  rmSync(folder, { recursive: true, force: true });
});

const GROUP = { group: "239.255.77.9", port: 41_000 + (process.pid % 20_000) };

async function simulate(device: ExampleDevice, index: number): Promise<Place> {
  const kind = kindOf(device.driver);
  const layout = kind.layouts[0] ?? "";
  const meter = await startSimulatedMeter({
    ...{ kind, layout, periodMs: 200, serial: serialAt(index) },
    place:
      kind.medium === "line"
        ? { kind: "tcp", host: "127.0.0.1", port: 0 }
        : { kind: "datagrams", interfaceAddress: "127.0.0.1", ...GROUP },
    ...(device.keyFile === undefined ? {} : { keys: { key: KEY } }),
  });
  const { importT1Mwh, importT2Mwh, exportT1Mwh, exportT2Mwh } = meter.shown();
  return {
    ...{ device, meter, entry: entryOf(device, { kind, layout, meter, index }) },
    startMwh: [importT1Mwh + importT2Mwh, exportT1Mwh + exportT2Mwh],
  };
}

function kindOf(driver: string): MeterKind {
  const kind = Object.values(METER_KINDS).find((one) => one.driver === driver);
  if (kind === undefined) throw new Error(`no simulated meter for the driver ${driver} of the example`);
  return kind;
}

function serialAt(index: number): string {
  return String(30_471_100 + index);
}

interface Replacement {
  readonly kind: MeterKind;
  readonly layout: string;
  readonly meter: SimulatedMeter;
  readonly index: number;
}

/** The device as the example has it, on the simulated meter's line, read as often as a test has time for. */
function entryOf(device: ExampleDevice, { kind, layout, meter, index }: Replacement): Place["entry"] {
  const { intervalSeconds: _seldom, channels: _names, keyFile, ...rest } = device;
  const isLine = kind.medium === "line";
  return {
    ...rest,
    ...kind.configuration(layout),
    ...(isLine
      ? { line: `tcp://127.0.0.1:${meter.port}` }
      : { ...GROUP, interface: "127.0.0.1", serial: Number(serialAt(index)) }),
    ...(keyFile === undefined ? {} : { keyFile: "meter.key" }),
    ...(device["secondary"] === undefined ? {} : { secondary: serialAt(index), address: undefined }),
    intervalMs: 500,
  };
}

function leaves(): Leaf[] {
  const deviceKey = nativeSigner(readKey(join(folder, "device.key")).seed).publicKey;
  const log = openLogForReading({ path: join(folder, "journal.sqlite"), network: NETWORK, deviceKey });
  try {
    const { epoch } = log.identity;
    return log.journal.leaves(epoch, 0, log.journal.size(epoch)).map(decodeLeaf);
  } finally {
    log.journal.close();
  }
}

function closesOf(all: readonly Leaf[], channel: number): Close[] {
  return all.flatMap((leaf) => (leaf.kind === "intervalClose" && leaf.channel === channel ? [leaf] : []));
}

const manifestsIn = (all: readonly Leaf[]): ChannelManifest[] =>
  all.flatMap((leaf) => (leaf.kind === "channelManifest" ? [leaf] : []));

describe("the example of serial meters", () => {
  it("gives a sealed interval for every device in it, of the registers that its meter showed", async () => {
    await agent?.event("agent-started");
    const found = await eventually("an interval of each device", 60_000, () => {
      const all = leaves();
      const closed = manifestsIn(all).filter(({ channel }) => closesOf(all, channel).length > 0);
      return closed.length >= places.length ? all : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${agent?.stdout}\n${agent?.stderr}`);
    });
    const manifests = manifestsIn(found);
    expect(new Set(manifests.map(({ driver }) => driver))).toEqual(
      new Set(places.map(({ device }) => device.driver)),
    );
    for (const place of places) checkPlace(place, found, manifests);
    console.log(
      `sealed: ${manifests.map(({ make, serial, driver }) => `${driver} ${make} ${serial}`).join(", ")}`,
    );
  });
});

function checkPlace(place: Place, all: readonly Leaf[], manifests: readonly ChannelManifest[]): void {
  const { device, meter, startMwh } = place;
  const manifest = manifests.find(({ name }) => name.startsWith(`${device.id}/`));
  if (manifest === undefined) throw new Error(`no channel of ${device.id}`);
  // Meters print theirs in groups.
  expect(manifest.serial.replaceAll(" ", ""), device.id).toContain(serialAt(places.indexOf(place)));
  const { importT1Mwh, importT2Mwh, exportT1Mwh, exportT2Mwh } = meter.shown();
  const endMwh = [importT1Mwh + importT2Mwh, exportT1Mwh + exportT2Mwh];
  const stepMwh = manifest.resolutionMwh ?? 1;
  for (const close of closesOf(all, manifest.channel)) {
    const pairs = [
      [close.closingImportMwh, 0],
      [close.closingExportMwh, 1],
    ] as const;
    for (const [closing, direction] of pairs) {
      if (closing === undefined) continue;
      // Two tariffs are cut to steps one by one.
      expect(closing, device.id).toBeGreaterThan((startMwh[direction] ?? 0) - 2 * stepMwh);
      expect(closing, device.id).toBeLessThanOrEqual(endMwh[direction] ?? 0);
    }
    expect(close.closingImportMwh ?? close.closingExportMwh, device.id).toBeDefined();
  }
}
