import { needsHeartbeat } from "../../../agent/control/phases.ts";
import { AUTHORITIES, type Authority, type Hold } from "../../../agent/control/types.ts";
import { Problem } from "../../../attest/problem.ts";
import type { Controllable } from "../../../drivers/control.ts";
import { DeskBench, settled } from "./kit.ts";
import type { SafetySite, SafetyStep, SafetySwitch } from "./safety-steps.ts";
import type { BatteryFault } from "./simulated-battery.ts";

/** The longest time for which each rule was broken in all runs, ms. */
export const WORST: Map<string, number> = new Map();

/** What became of holds in all runs. */
export const OUTCOMES: Map<string, number> = new Map();

/** What a hold may be refused with. */
const REFUSALS = /^control-(offline|outranked|too-soon|limit|failsafe|meter-stale|bad-lease|lease-file)$/;
const FAILURES = /^(control-(outside-ratings|no-answer|interrupted|uncertain|conflict)|modbus-timeout)$/;
const LIMIT_MW = 2_000_000;
const STALE_MS = 30_000;
const CHARGE_STALE_MS = 120_000;
const HEARTBEAT_MS = 120_000;
const LEASE_MS = 60_000;
const PACE_MS = 10_000;
const PROBE_MS = 100;
const PROBES = 10;
/** From what a rule says until the registers have gone back: a reading a second, and a tick behind it. */
const TOLD_MS = 2000;
const RESPONSE_MS = 500;
const LATE_MS = 20_000;
/** Until a battery of 3.3 kW has followed, at 3 kW a second. */
const FOLLOWS_MS = 3000;
const LONGEST_HOLD_S = 310;

/** One sequence, and everything that it broke. */
export class SafetyRun {
  readonly broken: string[] = [];
  readonly #site: SafetySite;
  readonly #bench: DeskBench;
  readonly #since = new Map<string, number>();
  readonly #seen = { faults: new Set<BatteryFault>() };
  #last: Controllable | undefined;
  #isAlive = true;
  #meterMs = 0;
  #chargeMs = 0;
  #heartbeatMs = Number.NEGATIVE_INFINITY;
  #limitedMs = 0;
  #wasReachable = true;
  #lastApplyMs = Number.NEGATIVE_INFINITY;
  #applies = 0;
  #stepped: Hold | undefined;

  constructor(site: SafetySite) {
    this.#site = site;
    const { maxImportMw, maxExportMw, reservePpm } = site;
    this.#bench = new DeskBench({
      ...{ reverts: site.reverts, ramp: site.ramp, dayMs: site.dayMs, lossPpm: site.lossPpm },
      onBegin: () => this.#requireKept(),
      siteMeter: { device: "meter", channel: "grid", maxStaleMs: STALE_MS, maxImportMw, maxExportMw },
      resources: [
        {
          ...{ device: "battery", boundary: "device", reservePpm },
          ...{ maxChargeMw: LIMIT_MW, maxDischargeMw: LIMIT_MW },
        },
      ],
    });
    this.#last = this.#bench.control;
    this.#feed();
  }

  async take(step: SafetyStep): Promise<void> {
    switch (step.step) {
      case "hold":
        await this.#hold(step);
        break;
      case "pass":
        await this.#pass(step.seconds);
        break;
      case "release":
        void this.#bench.desk.release("battery", step.authority, "released");
        break;
      case "fault":
        for (const fault of step.faults) this.#seen.faults.add(fault);
        this.#bench.battery.setFaults(step.faults);
        break;
      case "restart":
      case "reboot":
        this.#restart(step.step, step.seconds);
        break;
      default:
        this.#switch(step.step);
    }
    await settled();
    if (step.step === "clock-step" && this.#reachable && this.#hasBegun()) this.#requireStepped();
    this.#probe();
  }

  async end(waits: boolean): Promise<void> {
    const { battery, desk, feeds, store } = this.#bench;
    battery.setFaults([]);
    store.isFull = false;
    this.#switch("line-anew");
    Object.assign(feeds, { meter: true, charge: true, heartbeat: true });
    await this.#pass(1);
    if (!waits) await desk.revertAll("end");
    for (let left = LONGEST_HOLD_S; left > 0 && desk.status().devices[0]?.hold !== undefined; left -= 1)
      await this.#pass(1);
    await this.#pass(3);
    const [device] = desk.status().devices;
    this.#require(device?.hold === undefined, "a hold did not end");
    this.#require(device?.reverting.length === 0, `never reverted: ${device?.reverting.join()}`);
    this.#require(battery.commandedMw === undefined, "a setpoint did not end");
    this.#require(battery.limitedMw === undefined, "a limit did not end");
    this.#require(JSON.parse(store.text ?? "{}").leases?.length === 0, "leases are left in the file");
  }

  async #hold({ authority, value, seconds, ramp }: Extract<SafetyStep, { step: "hold" }>): Promise<void> {
    const bench = this.#bench;
    const before = bench.desk.status().devices[0]?.hold;
    const isStale = this.#reachable && bench.nowMs - this.#meterMs > STALE_MS;
    const hold = {
      ...bench.asHold(authority, value, seconds),
      ...(ramp === undefined ? {} : { rampMwPerS: ramp }),
    };
    const rank = (one: Authority): number => AUTHORITIES.indexOf(one);
    const isWeaker = this.#reachable && before !== undefined && rank(before.authority) < rank(authority);
    void bench.desk.hold(hold).then(
      () => {
        count("taken");
        this.#require(!isStale, "taken with a stale meter");
        this.#require(!isWeaker, "taken from a stronger one");
        const power = value.kind === "powerSetpoint" ? Math.abs(value.powerMw) : 0;
        this.#require(power <= LIMIT_MW, "taken outside of its limits");
      },
      (error: unknown) => {
        const code = error instanceof Problem ? error.code : String(error);
        count(code);
        this.#require(REFUSALS.test(code) || FAILURES.test(code), `failed with ${code}`);
      },
    );
    await settled();
  }

  async #pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= 1) {
      this.#advance(PROBES);
      this.#feed();
      this.#bench.desk.tick();
      await settled();
      this.#probe();
    }
  }

  #advance(probes: number): void {
    for (let left = probes; left > 0; left -= 1) {
      this.#bench.battery.advance(PROBE_MS);
      this.#probe();
    }
  }

  #feed(): void {
    const { feeds, nowMs } = this.#bench;
    this.#bench.feed();
    if (feeds.meter) this.#meterMs = nowMs;
    if (feeds.charge) this.#chargeMs = nowMs;
    if (feeds.heartbeat) this.#heartbeatMs = nowMs;
  }

  #restart(what: "restart" | "reboot", seconds: number): void {
    const bench = this.#bench;
    bench.kill();
    this.#isAlive = false;
    this.#advance(PROBES * seconds);
    if (what === "reboot") bench.reboot();
    const isDown = bench.battery.line !== "up";
    const hadLease = JSON.parse(bench.store.text ?? "{}").leases?.length > 0;
    bench.restart();
    this.#isAlive = true;
    this.#last = bench.control;
    if (isDown) bench.control = undefined;
    // Another clock: what was counted on the earlier one begins anew.
    this.#since.clear();
    this.#heartbeatMs = Number.NEGATIVE_INFINITY;
    this.#limitedMs = bench.nowMs;
    if (!hadLease || what === "reboot") this.#lastApplyMs = Number.NEGATIVE_INFINITY;
    this.#stepped = undefined;
    this.#feed();
    if (!bench.feeds.meter) this.#meterMs = bench.nowMs;
    if (!bench.feeds.charge) this.#chargeMs = bench.nowMs;
  }

  #switch(what: SafetySwitch): void {
    const { battery, desk, feeds, store } = this.#bench;
    const [name, state] = what.split("-");
    if (name === "meter" || name === "charge" || name === "heartbeat") feeds[name] = state === "on";
    if (name === "disk") store.isFull = state === "full";
    if (what === "line-down") this.#bench.lose();
    if (what === "line-hangs" && battery.line === "up") battery.line = "hangs";
    if (what === "line-answers" && battery.line === "hangs") battery.answer();
    if (what === "line-same") {
      battery.answer();
      this.#bench.control = this.#last;
      desk.identified("battery");
    }
    if (what === "line-anew") {
      this.#bench.find();
      this.#last = this.#bench.control;
    }
    if (what !== "clock-step") return;
    this.#stepped = desk.status().devices[0]?.hold;
    desk.clockStepped();
  }

  /** Whether the hold has begun: one that has not is ended when the device has answered. */
  #hasBegun(): boolean {
    return this.#bench.desk.phase("battery") === "limited";
  }

  #requireStepped(): void {
    const { hold } = this.#bench.desk.status().devices[0] ?? {};
    this.#require(hold === undefined || hold !== this.#stepped, "a hold outlived a clock step");
  }

  get #reachable(): boolean {
    return this.#isAlive && this.#bench.battery.line === "up" && this.#bench.control !== undefined;
  }

  #probe(): void {
    const { battery, desk, actuated, nowMs } = this.#bench;
    const reachable = this.#reachable;
    if (reachable !== this.#wasReachable) this.#since.clear();
    this.#wasReachable = reachable;
    const told = battery.commandedMw;
    this.#watch("outside of the configured power", told !== undefined && Math.abs(told) > LIMIT_MW, 0);
    this.#probePower();
    if (!reachable) {
      const isTimed = this.#site.reverts === "device" && !this.#seen.faults.has("forgets-timer");
      this.#watch("no line, native timer", isTimed && told !== undefined, LEASE_MS);
      return;
    }
    if (desk.phase("battery") !== "limited") this.#limitedMs = nowMs;
    this.#probeRules("registers", told, TOLD_MS);
    const late = this.#seen.faults.has("obeys-late");
    this.#probeRules("power", battery.obeyedMw, TOLD_MS + (late ? LATE_MS : RESPONSE_MS), late);
    this.#probeOthers();
    for (const { action } of actuated.slice(this.#applies)) if (action === "apply") this.#pace();
    this.#applies = actuated.length;
  }

  /** Rules that a value breaks for as long as it holds. */
  #probeRules(where: string, powerMw: number | undefined, mostMs: number, late: boolean = false): void {
    const { battery, nowMs, desk, feeds } = this.#bench;
    const { maxImportMw, maxExportMw, reservePpm } = this.#site;
    const { hold } = desk.status().devices[0] ?? {};
    const isThere = powerMw !== undefined;
    const out = isThere && powerMw < 0;
    const watch = (rule: string, broken: boolean): void =>
      this.#watch(`${where}: ${rule}${late ? ", obeys late" : ""}`, broken, mostMs);
    watch("import limit", feeds.meter && isThere && powerMw >= 0 && battery.gridMw > maxImportMw);
    watch("export limit", feeds.meter && isThere && powerMw <= 0 && 0 - battery.gridMw > maxExportMw);
    watch("reserve", feeds.charge && out && battery.chargePpm <= reservePpm);
    watch("state of charge unknown", out && nowMs - this.#chargeMs > CHARGE_STALE_MS);
    watch("site meter stale", isThere && nowMs - this.#meterMs > STALE_MS);
    watch("no hold", isThere && hold === undefined);
    watch("hold over", isThere && hold !== undefined && nowMs >= hold.untilMonotonicMs);
    const heardMs = Math.max(this.#heartbeatMs, this.#limitedMs);
    const isRemote = hold !== undefined && needsHeartbeat(hold.authority);
    watch("heartbeat lost", isThere && isRemote && nowMs - heardMs > HEARTBEAT_MS);
  }

  #probeOthers(): void {
    const { battery, desk } = this.#bench;
    const isFree = desk.status().devices[0]?.hold === undefined;
    this.#watch("registers: no hold (limit)", isFree && battery.limitedMw !== undefined, TOLD_MS);
    // One that reads other than it is goes back to what it said.
    const isTrue = !this.#seen.faults.has("wrong-readback");
    this.#watch("registers: no hold (reserve)", isTrue && isFree && battery.reservePpm !== 100_000, TOLD_MS);
  }

  /** What truly flows, once the battery has had the time to follow. */
  #probePower(): void {
    const { battery } = this.#bench;
    const isObeyed = battery.obeyedMw !== undefined;
    this.#watch("power outside", isObeyed && Math.abs(battery.powerMw) > LIMIT_MW, FOLLOWS_MS);
  }

  #pace(): void {
    const { nowMs } = this.#bench;
    this.#require(nowMs - this.#lastApplyMs >= PACE_MS, `setpoints ${nowMs - this.#lastApplyMs} ms apart`);
    this.#lastApplyMs = nowMs;
  }

  #watch(rule: string, isBroken: boolean, mostMs: number): void {
    if (!isBroken) {
      this.#since.delete(rule);
      return;
    }
    const nowMs = this.#bench.battery.nowMs;
    const sinceMs = this.#since.get(rule) ?? nowMs;
    this.#since.set(rule, sinceMs);
    const forMs = nowMs - sinceMs;
    WORST.set(rule, Math.max(WORST.get(rule) ?? 0, forMs));
    this.#require(forMs <= mostMs && mostMs > 0, `${rule}: for more than ${mostMs} ms`);
  }

  #requireKept(): void {
    const { leases = [] } = JSON.parse(this.#bench.store.text ?? "{}");
    this.#require(leases.length > 0, "told before its lease was kept");
  }

  #require(holds: boolean, what: string): void {
    if (!holds && !this.broken.includes(what)) this.broken.push(what);
  }
}

function count(outcome: string): void {
  OUTCOMES.set(outcome, (OUTCOMES.get(outcome) ?? 0) + 1);
}
