import { lstatSync } from "node:fs";
import { z } from "zod";
import { describeProblem, Problem } from "../../attest/problem.ts";
import {
  CONTROL_MODES,
  type ControlMode,
  type ControlResult,
  type ControlValue,
} from "../../drivers/control.ts";
import type { Logger } from "../../runtime/log.ts";

/** What the owner may have a controlled agent do. */
export interface OwnerPort {
  /** Ends what follows from a commitment, dispatch or challenge leaf, now and later. False where it is none, or over. */
  optOut(entry: number): boolean;
  /** Has a device keep to a value, whatever nodes order. Throws as `ControlPort.hold` does. */
  hold(device: string, value: ControlValue, forMs: number): Promise<ControlResult>;
  /** Ends such a hold. Throws `control-unknown`. */
  release(device: string): Promise<OwnerReleased>;
}

export interface OwnerReleased {
  /** Whether there was a hold of the owner. */
  readonly released: boolean;
  /** Whether the device has confirmed that nothing holds it any more. */
  readonly confirmed: boolean;
}

export interface OwnerOrdersOptions {
  /** Of the socket on which they come. */
  readonly path: string;
  /** Undefined where the configuration lets no device be told anything. */
  readonly port: OwnerPort | undefined;
  readonly logger: Logger;
}

/** A day, in minutes: what somebody wants for longer belongs into the configuration. */
export const LONGEST_HOLD_MINUTES = 1440;
const MINUTE_MS = 60_000;
const MOST_PPM = 1_000_000;

const MODES = Object.keys(CONTROL_MODES) as [ControlMode, ...ControlMode[]];

const device = z.string().min(1).max(128);
const limitMw = z.int().min(0);
const optOutBody = z.strictObject({ entry: z.int().min(0) });
const holdBody = z.strictObject({
  device,
  minutes: z.int().min(1).max(LONGEST_HOLD_MINUTES),
  value: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("powerSetpoint"), powerMw: z.int() }),
    z.strictObject({ kind: z.literal("importLimit"), limitMw }),
    z.strictObject({ kind: z.literal("exportLimit"), limitMw }),
    z.strictObject({
      kind: z.literal("stateOfChargeReserve"),
      reservePpm: z.int().min(0).max(MOST_PPM),
    }),
    z.strictObject({ kind: z.literal("mode"), mode: z.enum(MODES) }),
  ]),
});
const releaseBody = z.strictObject({ device });

/**
 * What the owner orders by hand: it is above what nodes order. Whoever can open the socket is the owner: the agent's own
 * user and root.
 */
export class OwnerOrders {
  readonly #options: OwnerOrdersOptions;

  constructor(options: OwnerOrdersOptions) {
    this.#options = options;
  }

  /** Does what was posted to a path, and says what came of it: docs/flexibility.md, "The owner". Throws Problems. */
  async take(path: string, body: string): Promise<object> {
    try {
      requirePrivate(this.#options.path);
      const answer = await this.#routed(path, body);
      this.#options.logger.info("owner-order", { order: path, ...answer });
      return answer;
    } catch (thrown) {
      this.#options.logger.warn("owner-order-refused", { order: path, ...describeProblem(thrown) });
      throw thrown;
    }
  }

  async #routed(path: string, body: string): Promise<object> {
    if (path === "/flex/opt-out") return this.#optOut(parsed(optOutBody, body));
    if (path === "/flex/hold") return await this.#hold(parsed(holdBody, body));
    if (path === "/flex/release") return await this.#release(parsed(releaseBody, body));
    throw new Problem("not-found", "no such order", {
      expected: "/flex/opt-out, /flex/hold or /flex/release",
    });
  }

  #optOut({ entry }: z.output<typeof optOutBody>): object {
    if (this.#port().optOut(entry)) return { entry };
    throw new Problem("owner-entry", "no commitment, dispatch or challenge that goes on", {
      where: `entry ${entry}`,
      hint: "kilowitness status shows the entries of commitments and of what devices are told",
    });
  }

  async #hold({ device: id, minutes, value }: z.output<typeof holdBody>): Promise<object> {
    const { written, readBack } = await this.#port().hold(id, value, minutes * MINUTE_MS);
    return { device: id, minutes, written, readBack };
  }

  async #release({ device: id }: z.output<typeof releaseBody>): Promise<object> {
    return { device: id, ...(await this.#port().release(id)) };
  }

  #port(): OwnerPort {
    const { port } = this.#options;
    if (port !== undefined) return port;
    throw new Problem("owner-no-control", "the configuration lets no device be told anything", {
      hint: "docs/flexibility.md, Take part",
    });
  }
}

/** A file system may not keep what was set when the socket was made, and somebody may have opened it up since. */
function requirePrivate(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  const mode = (found?.mode ?? 0o777) & 0o777;
  if ((mode & 0o077) === 0) return;
  throw new Problem("owner-socket", "others than the agent's user could order here, so that nobody may", {
    where: path,
    expected: "mode 600",
    got: mode.toString(8),
    hint: "restart the agent, and keep the journal in a folder of its own",
  });
}

function parsed<Schema extends z.ZodType>(schema: Schema, body: string): z.output<Schema> {
  const result = schema.safeParse(jsonOf(body));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? "body" : issue.path.map(String).join(".");
  throw new Problem("owner-body", "the order cannot be understood", {
    where,
    ...(issue === undefined ? {} : { got: issue.message }),
  });
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new Problem("owner-body", "the order is no JSON", { where: "body", cause });
  }
}
