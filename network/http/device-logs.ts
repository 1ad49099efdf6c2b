import type { ChannelState } from "../../attest/channel-state.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import { restoreRules } from "../../attest/log-rules.ts";
import { Problem } from "../../attest/problem.ts";
import type { Suite } from "../../attest/suite.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Archive, LogRecord } from "../store/store.ts";

/** What answering needs. */
export interface Questions {
  readonly archive: Archive;
  readonly suite: Suite;
  readonly network: string;
  readonly nodeKey: Uint8Array;
  readonly logger: Logger;
}

/** One log of a device with its channels, by number. */
export interface ChannelLog {
  readonly record: LogRecord;
  readonly identity: LogIdentity;
  readonly channels: ReadonlyMap<number, ChannelState>;
}

/** A channel as one log numbers it. */
export interface LogChannel extends ChannelLog {
  readonly channel: number;
}

/** All logs of a device by epoch. Throws `device-unknown`. */
export async function logsOf(questions: Questions, deviceKey: Uint8Array): Promise<ChannelLog[]> {
  const records = await questions.archive.logs(deviceKey);
  if (records.length === 0) {
    throw new Problem("device-unknown", "this node holds no log of that device", {
      hint: "GET /devices lists them",
    });
  }
  return records.map((record) => {
    const identity = { network: questions.network, deviceKey, epoch: record.epoch };
    const { channels } = restoreRules(questions.suite, identity, record.rules);
    return { record, identity, channels };
  });
}

/**
 * The channel of that name in each log that has it; where no log has the name, the channel of that number. Names
 * come first, because numbers may differ from epoch to epoch. Throws `channel-unknown` with those there are.
 */
export function logsWithChannel(logs: readonly ChannelLog[], channel: string): LogChannel[] {
  const named = logs.flatMap((log) => withNumber(log, numberOfName(log, channel)));
  if (named.length > 0) return named;
  const number = /^\d{1,9}$/.test(channel) ? Number(channel) : undefined;
  const numbered = logs.flatMap((log) =>
    withNumber(log, number !== undefined && log.channels.has(number) ? number : undefined),
  );
  if (numbered.length > 0) return numbered;
  const names = [...(logs.at(-1)?.channels.values() ?? [])].map((state) => state.manifest.name);
  throw new Problem("channel-unknown", "the device has no such channel", {
    expected: names.join(", ") || "none yet",
    got: channel.slice(0, 100),
  });
}

function withNumber(log: ChannelLog, channel: number | undefined): LogChannel[] {
  return channel === undefined ? [] : [{ ...log, channel }];
}

/** The number under which a log has a channel of that name. */
export function numberOfName(log: ChannelLog, name: string): number | undefined {
  for (const [number, state] of log.channels) if (state.manifest.name === name) return number;
  return undefined;
}
