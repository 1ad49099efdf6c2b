import { equalBytes } from "./bytes.ts";
import {
  type Difference,
  type LeafRule,
  SHORTEST_INTERVAL_MS,
  type ShownLeaves,
  said,
} from "./fault-leaves.ts";
import { KNOWN_TIME, type Leaf } from "./leaf.ts";

/** What the log's manifest, its clock and the checkpoint must be, whatever the channels say. */
export const LOG_RULES: readonly LeafRule[] = [
  { code: "manifest-missing", check: firstIsManifest },
  { code: "manifest-identity", check: manifestIsOfThisLog },
  { code: "manifest-interval", check: intervalIsLongEnough },
  { code: "manifest-twice", check: manifestIsFirst },
  { code: "checkpoint-manifest", check: checkpointNamesManifest },
  { code: "checkpoint-time", check: checkpointNamesTime },
  { code: "time-quality", check: qualityPasses },
  { code: "clock-step", check: stepNamesQuality },
];

function firstIsManifest(shown: ShownLeaves): Difference | undefined {
  const leaf = shown.at(0)?.leaf;
  if (leaf === undefined || leaf.kind === "logManifest") return undefined;
  return { leaves: [0], property: "kind", expected: "logManifest", got: leaf.kind };
}

function manifestIsOfThisLog(shown: ShownLeaves): Difference | undefined {
  const leaf = shown.at(0)?.leaf;
  if (leaf?.kind !== "logManifest") return undefined;
  const { network, epoch, deviceKey } = shown.identity;
  if (leaf.network !== network)
    return { leaves: [0], property: "network", expected: network, got: leaf.network };
  if (leaf.epoch !== epoch)
    return { leaves: [0], property: "epoch", expected: said(epoch), got: said(leaf.epoch) };
  if (equalBytes(leaf.deviceKey, deviceKey)) return undefined;
  return { leaves: [0], property: "deviceKey", expected: said(deviceKey), got: said(leaf.deviceKey) };
}

function intervalIsLongEnough(shown: ShownLeaves): Difference | undefined {
  const leaf = shown.at(0)?.leaf;
  if (leaf?.kind !== "logManifest" || leaf.intervalMs >= SHORTEST_INTERVAL_MS) return undefined;
  const expected = `${SHORTEST_INTERVAL_MS} or more`;
  return { leaves: [0], property: "intervalMs", expected, got: said(leaf.intervalMs) };
}

function manifestIsFirst(shown: ShownLeaves): Difference | undefined {
  const second = shown.all.find(({ leaf }) => leaf.kind === "logManifest" && leaf.seq > 0)?.leaf;
  return second && { leaves: [second.seq], property: "seq", expected: "0", got: said(second.seq) };
}

function checkpointNamesManifest(shown: ShownLeaves): Difference | undefined {
  const first = shown.at(0);
  if (first === undefined || equalBytes(first.hash, shown.checkpoint.manifestHash)) return undefined;
  const got = said(shown.checkpoint.manifestHash);
  return { leaves: [0], property: "manifestHash", expected: said(first.hash), got };
}

function checkpointNamesTime(shown: ShownLeaves): Difference | undefined {
  const { size, lastLeafMs } = shown.checkpoint;
  const last = shown.at(size - 1)?.leaf;
  if (last === undefined || last.timeMs === lastLeafMs) return undefined;
  return { leaves: [last.seq], property: "lastLeafMs", expected: said(last.timeMs), got: said(lastLeafMs) };
}

function qualityPasses(shown: ShownLeaves): Difference | undefined {
  return ofNeighbours(shown, (leaf, before) => {
    if (leaf.kind === "clockStep" || isKnown(leaf) === isKnown(before)) return undefined;
    return {
      property: "timeQuality",
      expected: isKnown(before) ? "2 or more" : "0 or 1",
      got: said(leaf.timeQuality),
    };
  });
}

function stepNamesQuality(shown: ShownLeaves): Difference | undefined {
  return ofNeighbours(shown, (leaf, before) => {
    if (leaf.kind !== "clockStep" || leaf.beforeQuality === before.timeQuality) return undefined;
    return { property: "beforeQuality", expected: said(before.timeQuality), got: said(leaf.beforeQuality) };
  });
}

/** The first leaf whose neighbour before it is shown, too, and that differs from what that one asks. */
function ofNeighbours(
  shown: ShownLeaves,
  compare: (leaf: Leaf, before: Leaf) => Omit<Difference, "leaves"> | undefined,
): Difference | undefined {
  for (const { leaf } of shown.all) {
    const before = shown.at(leaf.seq - 1)?.leaf;
    const found = before && compare(leaf, before);
    if (before !== undefined && found !== undefined) return { leaves: [before.seq, leaf.seq], ...found };
  }
  return undefined;
}

function isKnown(leaf: Leaf): boolean {
  return leaf.timeQuality >= KNOWN_TIME;
}
