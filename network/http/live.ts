import { toHex } from "../../attest/bytes.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { Problem } from "../../attest/problem.ts";
import type { Questions } from "./device-logs.ts";
import type { LiveBoard, LiveValue } from "./live-board.ts";
import { type Query, requireKnown } from "./query.ts";

/** What the device's channels show now; the list is empty until it has sent something. Throws `device-unknown`. */
export async function showLive(
  { questions, live }: { readonly questions: Questions; readonly live: LiveBoard },
  deviceKey: Uint8Array,
  query: Query,
): Promise<object> {
  requireKnown(query, []);
  const values = live.of(toHex(deviceKey));
  if (values.length === 0 && (await questions.archive.device(deviceKey)) === undefined)
    throw new Problem("device-unknown", "this node holds no log of that device", {
      hint: "GET /devices lists them",
    });
  return { channels: values.map(describeValue) };
}

function describeValue({ message, receivedMs }: LiveValue): object {
  const { channel, atMs, powerMw, importMwh, exportMwh, stateOfChargePpm } = message;
  const times = { at: isoTime(atMs), atMs, received: isoTime(receivedMs) };
  return { channel, ...times, powerMw, importMwh, exportMwh, stateOfChargePpm };
}
