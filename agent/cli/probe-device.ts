import { Problem } from "../../attest/problem.ts";
import type {
  ChannelDescription,
  MeterDriver,
  MeterIdentity,
  PushMeter,
  Snapshot,
} from "../../drivers/driver.ts";
import { lineName } from "../../firmware-bridge/gpio/line.ts";
import { checkRelayLines } from "../../firmware-bridge/relay/relay-check.ts";
import type { RelayOptions } from "../../firmware-bridge/relay/relay-options.ts";
import { type DeviceConfig, requireKnownChannels } from "../config/config.ts";
import { Pause, withinDeadline } from "../sampling/pause.ts";

/** What one look at a device gave: everything, or how far it came and why not further. */
export interface ProbeResult {
  readonly device: DeviceConfig;
  readonly identity?: MeterIdentity;
  readonly channels: readonly ChannelDescription[];
  readonly snapshot?: Snapshot;
  readonly problem?: unknown;
  readonly relay?: RelayLook;
}

/** What the system says of the lines of a device's relay. Nothing was switched. */
export interface RelayLook {
  readonly use: string;
  readonly lines: readonly string[];
  /** Those that somebody has, in words. */
  readonly inUse: readonly string[];
  readonly problem?: unknown;
}

const CLOSE_MS = 5000;

/** How far a look has come. */
interface Seen {
  identity?: MeterIdentity;
  channels: readonly ChannelDescription[];
  snapshot?: Snapshot;
  /** The last thing that a push meter's driver complained of. */
  complaint?: Error;
}

/** Identifies and reads one device once, within `patienceMs`, and lets go of it. Never throws. */
export async function probeDevice(device: DeviceConfig, patienceMs: number): Promise<ProbeResult> {
  const result = await probeMeter(device, patienceMs);
  return device.relay === undefined ? result : { ...result, relay: await lookAtRelay(device.relay) };
}

/** What the system says of the lines. Never throws. */
export async function lookAtRelay({ use, lines }: RelayOptions): Promise<RelayLook> {
  const look = { use, lines: lines.map(lineName) };
  try {
    return { ...look, inUse: await checkRelayLines(lines) };
  } catch (problem) {
    return { ...look, inUse: [], problem };
  }
}

async function probeMeter(device: DeviceConfig, patienceMs: number): Promise<ProbeResult> {
  const seen: Seen = { channels: [] };
  let meter: MeterDriver | undefined;
  try {
    meter = (device.look ?? device.definition).open(device.options);
    await withinDeadline(look(meter, seen), {
      what: "answer",
      deadlineMs: patienceMs,
      pause: new Pause(),
      problem: () => noAnswer(patienceMs, seen),
    });
    requireKnownChannels(device, seen.channels);
    return resultOf(device, seen);
  } catch (problem) {
    return { ...resultOf(device, seen), problem };
  } finally {
    await release(meter);
  }
}

function resultOf(device: DeviceConfig, { identity, channels, snapshot }: Seen): ProbeResult {
  return {
    device,
    channels,
    ...(identity === undefined ? {} : { identity }),
    ...(snapshot === undefined ? {} : { snapshot }),
  };
}

async function look(meter: MeterDriver, seen: Seen): Promise<void> {
  // The telegram that identifies a push meter is the one to show, too: the next may be long in coming.
  const read = meter.mode === "push" ? telegramOf(meter, seen) : () => meter.read();
  seen.identity = await meter.identify();
  seen.channels = meter.channels();
  seen.snapshot = await read();
}

/** Starts to listen at once; gives the first telegram when asked for it. */
function telegramOf(meter: PushMeter, seen: Seen): () => Promise<Snapshot> {
  const first = new Promise<Snapshot>((resolve) => {
    const onProblem = (problem: Error): void => {
      seen.complaint = problem;
    };
    meter.start({ onSnapshot: resolve, onProblem });
  });
  return () => first;
}

async function release(meter: MeterDriver | undefined): Promise<void> {
  if (meter === undefined) return;
  const patience = new Pause();
  const late = patience.wait(CLOSE_MS);
  await Promise.race([meter.close(), late]);
  patience.stop();
}

function noAnswer(patienceMs: number, { identity, complaint }: Seen): Problem {
  const what =
    identity === undefined ? "the device does not answer" : "the device shows who it is and no values";
  return new Problem("probe-no-answer", what, {
    expected: `an answer within ${patienceMs / 1000} s`,
    got: complaint === undefined ? "none" : `at last: ${complaint.message}`,
    hint: "check cable, address and unit in the configuration, or wait longer with --seconds",
    ...(complaint === undefined ? {} : { cause: complaint }),
  });
}
