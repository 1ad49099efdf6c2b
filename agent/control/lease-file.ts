import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { CONTROL_KINDS, CONTROL_MODES } from "../../drivers/control.ts";
import { replaceDurably } from "../../runtime/files.ts";
import { readPrivateFile } from "../../runtime/private-file.ts";
import type { LeaseFile } from "./types.ts";

/** Where the text of the lease file is kept. */
export interface LeaseStore {
  /** How messages call it. */
  readonly where: string;
  /** Undefined where there is none. Throws what makes it unreadable. */
  read(): string | undefined;
  /** Durable when it returns. */
  replace(text: string): void;
  /** Keeps a copy of what is there, for whoever wants to look at it. */
  setAside(): void;
}

/** A file, 0600, that a power cut leaves whole or as it was. */
export function leaseFileAt(path: string): LeaseStore {
  return {
    where: path,
    read: () => {
      if (!existsSync(path)) return undefined;
      return readPrivateFile(path, {
        what: "file of leases",
        ...{ unreadableCode: "control-leases-unreadable", permissionsCode: "control-leases-permissions" },
        ...{ hint: "is it on a disk that works?", groupMayRead: false },
      });
    },
    replace: (text) => replaceDurably(path, text),
    setAside: () => {
      if (existsSync(path)) copyFileSync(path, `${path}.damaged`);
    },
  };
}

/** What tells one start of a machine from another (Linux: random(4)). Throws where the kernel does not say it. */
export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

const whole = z.int();
const kind = z.enum(Object.keys(CONTROL_KINDS) as [keyof typeof CONTROL_KINDS]);
const mode = z.enum(Object.keys(CONTROL_MODES) as [keyof typeof CONTROL_MODES]);
const text = z.string().min(1).max(256);
const orderSeq = whole.min(0).exactOptional();
const phase = z.enum(["init", "unlimitedAutonomous", "unlimitedControlled", "limited", "failsafe"]);

const value = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("powerSetpoint"), powerMw: whole }),
  z.strictObject({ kind: z.literal("importLimit"), limitMw: whole }),
  z.strictObject({ kind: z.literal("exportLimit"), limitMw: whole }),
  z.strictObject({ kind: z.literal("stateOfChargeReserve"), reservePpm: whole }),
  z.strictObject({ kind: z.literal("mode"), mode }),
]);

/** `active` is absent where it is undefined: JSON has no word for it. */
const state = z
  .strictObject({
    ...{ kind, channel: text, active: z.boolean().exactOptional() },
    ...{ value: value.exactOptional(), remainingMs: whole.exactOptional() },
  })
  .transform(({ active, ...rest }) => ({ ...rest, active }));

const lease = z.strictObject({
  ...{ device: text, kind, channel: text, reverts: z.enum(["device", "holder"]) },
  ...{ untilMonotonicMs: whole, before: state.exactOptional(), orderSeq },
});

const reverted = z.strictObject({
  ...{ device: text, kind, channel: text, atMs: whole, reason: text },
  ...{ readBack: z.enum(["agrees", "differs", "unreadable"]), orderSeq },
});

const leaseFileSchema: z.ZodType<LeaseFile> = z.strictObject({
  version: z.literal(1),
  bootId: text,
  leases: z.array(lease).max(1024),
  phases: z.record(text, phase),
  reverted: z.array(reverted).max(1024),
});

/** Throws Problem `control-leases-damaged` for anything that {@link leaseFileText} does not write. */
export function parseLeaseFile(content: string, where: string): LeaseFile {
  try {
    return leaseFileSchema.parse(JSON.parse(content));
  } catch (cause) {
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    throw new Problem("control-leases-damaged", "the file of leases is damaged", {
      where,
      got: issue === undefined ? describeProblem(cause).message : `${issue.path.join(".")}: ${issue.message}`,
      hint: "start the agent: it ends every command of every device in control.resources, and keeps a copy of the file",
      cause,
    });
  }
}

export function leaseFileText(file: LeaseFile): string {
  return `${JSON.stringify(file, undefined, 1)}\n`;
}
