import { setTimeout as pause } from "node:timers/promises";
import { loadAgentConfig } from "../../../agent/config/config.ts";
import { ControlDesk } from "../../../agent/control/desk.ts";
import { type LeaseRegister, openLeaseRegister } from "../../../agent/control/lease-register.ts";
import type { KeptLease } from "../../../agent/control/types.ts";
import { leaseFileBeside } from "../../../agent/supervisor/lease-path.ts";
import type { Controllable } from "../../../drivers/control.ts";
import type { MeterDriver } from "../../../drivers/driver.ts";
import { lockDatabase } from "../../../runtime/database-lock.ts";
import { openLogger } from "../../../runtime/log.ts";
import { monotonicMs } from "../../../runtime/monotonic.ts";

/*
 * An agent that does nothing but tell every device of its configuration what to do: whenever it is killed, it is in the
 * middle of something.
 *
 *   dispatching-agent.ts CONFIG LEASE_MS desk|driver
 *
 * `desk`: the agent's own control desk, which holds each device to one value. `driver`: something else again and again, as
 * fast as the device answers, with leases kept as the desk keeps them.
 */

const KIND = "powerSetpoint";
const MOST_WAIT_MS = 300;
/** One command in so many is ended instead of replaced by the next. */
const ENDS_EVERY = 4;
const EACH_MS = 1000;
const HOLD_MS = 600_000;

interface Told {
  readonly device: string;
  readonly control: Controllable;
}

const [, , path = "", leaseText = "30000", by = "driver"] = process.argv;
const leaseMs = Number(leaseText);
const config = loadAgentConfig(path);
lockDatabase(config.journal);
const register = openLeaseRegister(leaseFileBeside(config.journal));
let stopping = false;
const stopped = new Promise<void>((resolve) => {
  process.on("SIGTERM", () => {
    stopping = true;
    resolve();
  });
});
process.on("SIGUSR2", () => process.exit(1));
process.on("disconnect", () => process.exit(1));
setInterval(() => {
  if (register.leases.length > 0) process.send?.({ event: "control-alive" });
}, EACH_MS).unref();

const told: Told[] = [];
const meters: MeterDriver[] = [];
for (const { id, definition, options } of config.devices) {
  const meter = definition.open(options);
  await meter.identify();
  if (meter.control === undefined) throw new Error(`${id} takes no commands`);
  meters.push(meter);
  told.push({ device: id, control: meter.control });
}
process.stdout.write(`${JSON.stringify({ event: "dispatching", pid: process.pid })}\n`);
if (by === "desk") await holdAll();
else await Promise.all(told.map((one) => dispatch(one, register)));
await Promise.all(meters.map((meter) => meter.close()));
process.disconnect?.();
process.exitCode = 0;

async function holdAll(): Promise<void> {
  const desk = new ControlDesk({
    ...{ clock: { monotonicMs }, leases: register, leaseMs, supervised: true, actuated: () => undefined },
    source: (id) => told.find(({ device }) => device === id)?.control,
    resources: told.map(({ device }) => ({ device, boundary: "device" })),
    logger: openLogger("agent", "info"),
  });
  const tick = (): void => {
    desk.heartbeat(monotonicMs());
    desk.tick();
  };
  for (const { device } of told) desk.identified(device);
  tick();
  const ticking = setInterval(tick, EACH_MS);
  const value = { kind: KIND, powerMw: 1_500_000 } as const;
  const untilMonotonicMs = monotonicMs() + HOLD_MS;
  const holds = told.map(({ device }) =>
    desk.hold({ device, authority: "commitment", value, untilMonotonicMs }),
  );
  for (const hold of holds) hold.catch((cause: unknown) => process.stderr.write(`${String(cause)}\n`));
  await stopped;
  clearInterval(ticking);
  await desk.stop();
}

async function dispatch(one: Told, leases: LeaseRegister): Promise<void> {
  for (let round = 1; !stopping; round++) {
    await tell(one, leases);
    await pause(Math.random() * MOST_WAIT_MS);
    if (stopping || round % ENDS_EVERY === 0) await end(one, leases);
  }
}

/** The lease is kept before anything is written, and with what was there before as soon as that is known. */
async function tell({ device, control }: Told, leases: LeaseRegister): Promise<void> {
  const capability = control.capabilities().find(({ kind }) => kind === KIND);
  if (capability === undefined) throw new Error(`${device} has no setpoint`);
  const { channel, reverts } = capability;
  const untilMonotonicMs = monotonicMs() + leaseMs;
  const lease: KeptLease = { device, kind: KIND, channel, reverts, untilMonotonicMs };
  leases.keep(lease);
  const powerMw = (Math.floor(Math.random() * 5) - 2) * 500_000;
  const { before } = await control.apply({ kind: KIND, powerMw, leaseMs });
  leases.keep({ ...lease, before });
}

async function end({ device, control }: Told, leases: LeaseRegister): Promise<void> {
  const { readBack } = await control.revert(KIND);
  if (readBack !== "agrees") throw new Error(`${device} does not confirm`);
  leases.forget(device, KIND);
  leases.flush();
}
