import { toHex } from "../../attest/bytes.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { Problem } from "../../attest/problem.ts";
import type { FaultRecord } from "../store/store.ts";
import type { Questions } from "./device-logs.ts";
import { type Query, requireKnown } from "./query.ts";

/** What is kept against a device: signed statements in hexadecimal, and where the file is that shows it to others. */
export async function listFaults(questions: Questions, deviceKey: Uint8Array, query: Query): Promise<object> {
  requireKnown(query, []);
  const faults = await questions.archive.faults(deviceKey);
  return { faults: faults.map((fault) => describeFault(deviceKey, fault)) };
}

function describeFault(deviceKey: Uint8Array, fault: FaultRecord): object {
  return {
    ...fault,
    logId: toHex(fault.logId),
    ours: fault.ours && toHex(fault.ours),
    theirs: toHex(fault.theirs),
    found: isoTime(fault.foundMs),
    proof: fault.proofBytes === null ? null : `/devices/${toHex(deviceKey)}/faults/${fault.id}`,
  };
}

/** A file to hand on, and what it may be called. */
export interface NamedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The fault file of one fault of the device. Throws `fault-unknown`, and `fault-unproven` where there is no file. */
export async function faultFile(
  questions: Questions,
  deviceKey: Uint8Array,
  { id, query }: { readonly id: string; readonly query: Query },
): Promise<NamedFile> {
  requireKnown(query, []);
  const number = /^[1-9]\d{0,14}$/.test(id) ? Number(id) : 0;
  const bytes = await questions.archive.faultProof(deviceKey, number);
  const hint = `GET /devices/${toHex(deviceKey)}/faults lists them`;
  if (bytes === undefined)
    throw new Problem("fault-unknown", "no such fault is kept of that device", { hint });
  if (bytes !== null) return { name: `kilowitness-fault-${number}.kwf`, bytes };
  throw new Problem("fault-unproven", "of this fault there is no file", { hint });
}
