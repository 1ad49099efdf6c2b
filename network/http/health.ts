import { fileBytes, fileSizes, freeBytesBeside } from "../../runtime/disk-space.ts";
import type { NodeCounters } from "./metrics-counters.ts";

/** The store's file and the disk under it. */
export interface StoreSpace {
  /** The database with its write-ahead log; absent where the store is no file. */
  readonly bytes?: number;
  readonly freeBytes?: number;
}

/** Why a node does not do its work. */
export interface HealthReason {
  readonly code: string;
  readonly what: string;
}

const MIB = 1_048_576;
/** Less than the largest batch of every connection would want. */
const LEAST_FREE_BYTES = 64 * MIB;

/** What {@link healthReasons} looks at. */
export interface Vitals {
  readonly counters: NodeCounters;
  readonly space: StoreSpace;
  readonly maxStoreMiB: number;
}

/** Everything that keeps the node from taking batches; empty when it is well. */
export function healthReasons({ counters, space, maxStoreMiB }: Vitals): HealthReason[] {
  const { storeProblem } = counters;
  const { bytes, freeBytes } = space;
  return [
    ...(storeProblem === undefined ? [] : [{ code: "store-write", what: storeProblem }]),
    ...(bytes === undefined || bytes < (maxStoreMiB - 1) * MIB
      ? []
      : [{ code: "store-full", what: `the store has reached maxStoreMiB, ${maxStoreMiB}` }]),
    ...(freeBytes === undefined || freeBytes >= LEAST_FREE_BYTES
      ? []
      : [
          { code: "disk-space", what: `only ${Math.floor(freeBytes / MIB)} MiB are free where the store is` },
        ]),
  ];
}

/** Sizes of the store's file and of the file system that holds it. */
export function storeSpace(path: string): StoreSpace {
  if (fileBytes(path) === undefined) return {};
  const { file, wal } = fileSizes(path);
  const freeBytes = freeBytesBeside(path);
  return { bytes: file + wal, ...(freeBytes === undefined ? {} : { freeBytes }) };
}
