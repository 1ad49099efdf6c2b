import { chownSync, statSync } from "node:fs";
import { type LeaseStore, leaseFileAt, leaseFileText, parseLeaseFile } from "../control/lease-file.ts";
import type { KeptLease, KeptRevert, LeaseFile } from "../control/types.ts";

/** As many notes as the file may hold. */
const MOST_NOTES = 1024;

/**
 * The file of leases while no agent runs. A lease goes out of it, and a note for the log goes in, at once and only when the
 * device has confirmed that it is over.
 */
export class LeaseBook {
  readonly #path: string;
  readonly #store: LeaseStore;
  readonly #reason: string;
  #file: LeaseFile | undefined;

  /** Throws `control-leases-…` for a file that cannot be read. */
  constructor(path: string, reason: string) {
    this.#path = path;
    this.#store = leaseFileAt(path);
    this.#reason = reason;
    const text = this.#store.read();
    this.#file = text === undefined ? undefined : parseLeaseFile(text, path);
  }

  get leases(): readonly KeptLease[] {
    return this.#file?.leases ?? [];
  }

  /** Of the start of the machine in which the times of the leases hold. */
  get bootId(): string | undefined {
    return this.#file?.bootId;
  }

  /** Durable when it returns. */
  reverted(lease: KeptLease): void {
    const file = this.#file;
    if (file === undefined) return;
    const leases = file.leases.filter((one) => one !== lease);
    const reverted = [...file.reverted, noteOf(lease, this.#reason)].slice(-MOST_NOTES);
    this.#file = { ...file, leases, reverted };
    const { uid, gid } = statSync(this.#path);
    this.#store.replace(leaseFileText(this.#file));
    // An installer may be root, and the agent has to be able to read it afterwards.
    if (statSync(this.#path).uid !== uid) chownSync(this.#path, uid, gid);
  }
}

function noteOf({ device, kind, channel, orderSeq }: KeptLease, reason: string): KeptRevert {
  return {
    ...{ device, kind, channel, atMs: Date.now(), reason, readBack: "agrees" },
    ...(orderSeq === undefined ? {} : { orderSeq }),
  };
}
