import { Problem } from "../../attest/problem.ts";
import type { ControlKind } from "../../drivers/control.ts";
import { type LeaseStore, leaseFileAt, leaseFileText, parseLeaseFile, readBootId } from "./lease-file.ts";
import type { ControlPhase, KeptLease, KeptRevert, LeaseFile } from "./types.ts";

/** What stood in the file when it was opened. */
export interface LeasesFound {
  readonly leases: readonly KeptLease[];
  readonly phases: Readonly<Record<string, ControlPhase>>;
  readonly reverted: readonly KeptRevert[];
  /** Whether the machine was started since: the times of the leases mean nothing any more. */
  readonly otherBoot: boolean;
  /** Why nothing of it is known. */
  readonly damage?: unknown;
}

/**
 * Every lease there is, in a file beside the journal: what has to be reverted if nobody is left to do it. A lease is in the
 * file before anything is written to a device, and until the device has confirmed that it is over.
 */
export class LeaseRegister {
  readonly found: LeasesFound;
  readonly #store: LeaseStore;
  readonly #bootId: string;
  #leases: readonly KeptLease[];
  #phases: Readonly<Record<string, ControlPhase>>;
  #reverted: readonly KeptRevert[];
  #written: string | undefined;
  /** Whether the last write failed: the next one is tried even where nothing has to change any more. */
  #failed = false;

  /** Reads what is there; writes nothing. Damage is in {@link found}. */
  constructor(store: LeaseStore, bootId: string) {
    this.#store = store;
    this.#bootId = bootId;
    this.found = this.#read();
    this.#leases = this.found.leases;
    this.#phases = this.found.phases;
    this.#reverted = this.found.reverted;
  }

  get leases(): readonly KeptLease[] {
    return this.#leases;
  }

  /** Keeps a lease, instead of an earlier one of its kind. Throws `control-lease-file`: then nothing may be written. */
  keep(lease: KeptLease): void {
    const earlier = this.#leases;
    this.#leases = [...this.#without(lease.device, lease.kind), lease];
    try {
      this.#write();
    } catch (cause) {
      this.#leases = earlier;
      throw new Problem(
        "control-lease-file",
        "the lease cannot be kept, so that nothing is told to the device",
        {
          where: this.#store.where,
          got: cause instanceof Error ? cause.message : String(cause),
          cause,
        },
      );
    }
  }

  /** As {@link keep} of what is already in force; what fails is written by the next {@link flush}. */
  note(lease: KeptLease): void {
    this.#leases = [...this.#without(lease.device, lease.kind), lease];
  }

  /** Forgets a lease that the device says is over. What fails is written by the next {@link flush}. */
  forget(device: string, kind: ControlKind): void {
    this.#leases = this.#without(device, kind);
  }

  setPhase(device: string, phase: ControlPhase): void {
    if (this.#phases[device] !== phase) this.#phases = { ...this.#phases, [device]: phase };
  }

  /** Reverts of others that the log does not say yet. */
  get reverted(): readonly KeptRevert[] {
    return this.#reverted;
  }

  /** Forgets those of a device: the log says them now. */
  forgetReverted(id: string): void {
    this.#reverted = this.#reverted.filter(({ device }) => device !== id);
  }

  /** Writes what has changed, if anything. Throws what the file system does. */
  flush(): void {
    this.#write();
  }

  /** Keeps a copy of a damaged file. */
  setAside(): void {
    this.#store.setAside();
  }

  #without(device: string, kind: ControlKind): readonly KeptLease[] {
    return this.#leases.filter((one) => one.device !== device || one.kind !== kind);
  }

  #write(): void {
    const text = leaseFileText({
      ...{ version: 1, bootId: this.#bootId, leases: this.#leases },
      ...{ phases: this.#phases, reverted: this.#reverted },
    });
    if (text === this.#written && !this.#failed) return;
    this.#failed = true;
    this.#store.replace(text);
    this.#failed = false;
    this.#written = text;
  }

  #read(): LeasesFound {
    const nothing = { leases: [], phases: {}, reverted: [], otherBoot: false };
    try {
      const text = this.#store.read();
      if (text === undefined) return nothing;
      const { leases, phases, reverted, bootId }: LeaseFile = parseLeaseFile(text, this.#store.where);
      this.#written = text;
      return { leases, phases, reverted, otherBoot: bootId !== this.#bootId };
    } catch (damage) {
      return { ...nothing, damage };
    }
  }
}

/** The register at that path, in this start of the machine. */
export function openLeaseRegister(path: string, bootId: string = readBootId()): LeaseRegister {
  return new LeaseRegister(leaseFileAt(path), bootId);
}
