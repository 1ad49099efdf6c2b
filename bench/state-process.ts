import { randomBytes } from "node:crypto";
import { concatBytes } from "../attest/bytes.ts";
import { logIdOf } from "../attest/identity.ts";
import { encodeLeaf } from "../attest/leaf-codec.ts";
import type { LogRules } from "../attest/log-rules.ts";
import { nativeSuite } from "../attest/native.ts";
import { RulesCache } from "../network/rules-cache.ts";
import type { LogHead } from "../network/store/store.ts";
import { openedRules, readingLeaf } from "./logs.ts";
import type { StateSizes } from "./state.ts";

/** `node --expose-gc state-process.ts DEVICES CHANNELS` prints {@link StateSizes} for each device as JSON. */

/** A size whose frontier has eight hashes, the mean of a log of some 50,000 leaves. */
const LOG_SIZE = 43_690;

const [devices = 0, channels = 1] = process.argv.slice(2).map(Number);
const template = longLog(channels).toText();
const batch = nextReadings(12);
const cache = new RulesCache(nativeSuite, devices);
const before = memory();
for (let at = 0; at < devices; at++) keepOne(at);
const after = memory();
const sizes: StateSizes = {
  memoryBytes: Math.round((after.used - before.used) / devices),
  residentBytes: Math.round((after.resident - before.resident) / devices),
  textBytes: Buffer.byteLength(template),
};
process.stdout.write(`${JSON.stringify(sizes)}\n`);
// What is measured must still be there.
process.exitCode = cache.at(identityOf(new Uint8Array(32)), undefined).size;

/** As the node does it: restored from the store, then replaced by the state behind the next batch. */
function keepOne(at: number): void {
  const identity = identityOf(new Uint8Array(randomBytes(32)));
  const rules = template.replaceAll("471100", `${500_000_000 + at}-`);
  const logId = logIdOf(nativeSuite, identity);
  const head: LogHead = { log: at, logId, epoch: 1, size: LOG_SIZE, rules };
  const next = cache.at(identity, head).extended(batch, batch.length).rules;
  next.toText();
  cache.keep(next);
}

function longLog(channels: number): LogRules {
  const rules = openedRules(channels);
  while (rules.size < LOG_SIZE) read(rules, 1 + (rules.size % channels));
  return rules;
}

function read(rules: LogRules, channel: number): void {
  const leaf = readingLeaf(rules.size, channel);
  rules.apply(leaf, encodeLeaf(leaf));
}

function nextReadings(count: number): Uint8Array {
  return concatBytes(...Array.from({ length: count }, (_, at) => encodeLeaf(readingLeaf(LOG_SIZE + at))));
}

function identityOf(deviceKey: Uint8Array): LogRules["identity"] {
  return { network: "bench", deviceKey, epoch: 1 };
}

function memory(): { readonly used: number; readonly resident: number } {
  if (globalThis.gc === undefined) throw new Error("start this process with --expose-gc");
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { used: heapUsed + arrayBuffers, resident: rss };
}
