import { toHex } from "../../attest/bytes.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { Fault } from "../store/store.ts";
import type { ExchangeContext } from "./exchange-context.ts";

/** What two nodes have found together, and how its fault file is built from what the peer shows. */
export interface Found extends Omit<Fault, "proof" | "nowMs"> {
  /** The file, checked by attest's own verifier. Throws a Problem where there is none. */
  readonly build: () => Promise<Uint8Array>;
}

/**
 * Keeps what was found, with its file. Without one only a fork is kept that this node itself has computed from two
 * checkpoints of the device; the file is built as soon as the peer shows what it needs. Returns whether all is kept that
 * there is to keep. Throws what `build` does where it is not.
 */
export async function keepProof(context: ExchangeContext, { build, ...found }: Found): Promise<boolean> {
  const room = await context.store.faultRoom(found);
  if (room !== "free") return true;
  try {
    const proof = await build();
    await context.store.addFault({ ...found, proof, nowMs: context.nowMs() });
    logFound(context, found, proof.length);
    return true;
  } catch (cause) {
    if (!(cause instanceof Problem) || cause.code === "store-write") throw cause;
    if (found.kind === "fork") await keepUnproven(context, found, cause);
    throw cause;
  }
}

async function keepUnproven(
  context: ExchangeContext,
  found: Omit<Found, "build">,
  cause: Problem,
): Promise<void> {
  const detail = `${found.detail}; no fault file: ${describeProblem(cause).message}`;
  await context.store.addFault({ ...found, detail, proof: null, nowMs: context.nowMs() });
  logFound(context, found, null);
}

function logFound(context: ExchangeContext, found: Omit<Found, "build">, proofBytes: number | null): void {
  const { kind, deviceKey, epoch, size } = found;
  context.logger.warn("exchange-fault", { kind, deviceKey: toHex(deviceKey), epoch, size, proofBytes });
}
