import { toHex } from "../../attest/bytes.ts";
import type { ChannelState } from "../../attest/channel-state.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { CHANNEL_ROLES } from "../../attest/reading.ts";
import type { DeviceRecord } from "../store/store.ts";
import { type ChannelLog, logsOf, type Questions } from "./device-logs.ts";
import { describeEnclosures } from "./enclosures.ts";
import { deviceKeyOf, limitOf, type Query, requireKnown } from "./query.ts";

const MAX_DEVICES = 100;

/** One page of devices by key: `{devices, next}`. */
export async function listDevices(questions: Questions, query: Query): Promise<object> {
  requireKnown(query, ["after", "limit"]);
  const limit = limitOf(query, MAX_DEVICES, MAX_DEVICES);
  const after = query["after"] === undefined ? new Uint8Array(0) : deviceKeyOf(query["after"]);
  const records = await questions.archive.devices(after, limit);
  const devices = await Promise.all(records.map((record) => describeDevice(questions, record)));
  const last = records.length === limit ? records.at(-1) : undefined;
  return { devices, next: last === undefined ? null : `/devices?limit=${limit}&after=${toHex(last.key)}` };
}

/** Everything about one device but its leaves. */
export async function describeDevice(questions: Questions, record: DeviceRecord): Promise<object> {
  const logs = await logsOf(questions, record.key);
  const newest = logs.at(-1);
  return {
    key: toHex(record.key),
    network: questions.network,
    agentVersion: record.agentVersion,
    firstSeen: isoTime(record.firstSeenMs),
    lastSeen: isoTime(record.lastSeenMs),
    receipts: logs.reduce((sum, log) => sum + log.record.receipts, 0),
    faults: record.faults,
    logs: logs.map(describeLog),
    enclosures: describeEnclosures(await questions.archive.enclosures(record.key)),
    channels: [...(newest?.channels ?? [])].map(([number, state]) => describeChannel(number, state)),
  };
}

function describeLog({ record }: ChannelLog): object {
  return {
    epoch: record.epoch,
    logId: toHex(record.logId),
    size: record.size,
    opened: isoTime(record.openedMs),
    receipts: record.receipts,
    newestCheckpoint: isoTime(record.receivedMs),
    faults: record.faults,
  };
}

function describeChannel(channel: number, { manifest }: ChannelState): object {
  const { name, make, model, serial, role, driver, samplingMs } = manifest;
  const roleName = Object.entries(CHANNEL_ROLES).find(([, number]) => number === role)?.[0] ?? String(role);
  return { channel, name, make, model, serial, role: roleName, driver, samplingMs };
}
