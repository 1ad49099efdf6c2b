import { BATTERY } from "./home.ts";
import type { SimulatedControlFault } from "./profile-faults.ts";
import { DelayedSteering, type Steering } from "./steering.ts";
import type { SimulatedModel, SimulatedValues } from "./sunspec-encode.ts";
import { SIMULATED_TABLES } from "./sunspec-tables.ts";

/** Which of the models with commands a simulated device has. */
export type CommandModels = "der" | "storage" | "output";

/** What the simulated device can do, in W and Wh; percentages are of these. */
export const SUITE = { outputW: 10_000, rateW: 3_300, capacityWh: 10_000 } as const;

const RESPONSE_MS = { usual: 500, late: 20_000 } as const;
const ILLEGAL_ADDRESS = 2;
const ILLEGAL_VALUE = 3;
const MANAGEMENT_PART = 4;
const REGISTERS: Readonly<Record<string, number>> = { i32: 2, u32: 2, b32: 2, a32: 2 };

/** Points that can be written, by model. */
const WRITABLE: ReadonlyMap<number, readonly string[]> = new Map([
  [123, ["WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLimPct_RmpTms", "WMaxLim_Ena"]],
  [124, ["StorCtl_Mod", "MinRsvPct", "OutWRte", "InWRte", "InOutWRte_RvrtTms", "InOutWRte_RmpTms"]],
  [
    704,
    [
      ...["WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms"],
      ...["WSetEna", "WSetMod", "WSet", "WSetRvrt", "WSetEnaRvrt", "WSetRvrtTms"],
    ],
  ],
  [802, ["SoCRsvMin"]],
]);

/** Powers of ten of every point with a scale; what is not named has none. */
const EXPONENTS: Readonly<Record<string, number>> = {
  ...{ WMaxLimPct: -1, WMaxLimPctRvrt: -1, WSet: 1, WSetRvrt: 1, OutWRte: -2, InWRte: -2, MinRsvPct: -1 },
  SoCRsvMin: -1,
};
export const COMMAND_SCALES: Readonly<Record<string, number>> = {
  ...{ WMaxLimPct_SF: -1, WSet_SF: 1, InOutWRte_SF: -2, MinRsvPct_SF: -1, SoC_SF: -1 },
};

/** Timers: the points that begin one, its seconds, and what is set when it ends. */
interface Timer {
  readonly model: number;
  readonly seconds: string;
  readonly enabled: string;
  /** Where the device keeps what it goes back to. */
  readonly back?: { readonly enabled: string; readonly value: string; readonly to: string };
}

const TIMERS: readonly Timer[] = [
  {
    ...{ model: 704, seconds: "WSetRvrtTms", enabled: "WSetEna" },
    back: { enabled: "WSetEnaRvrt", value: "WSetRvrt", to: "WSet" },
  },
  {
    ...{ model: 704, seconds: "WMaxLimPctRvrtTms", enabled: "WMaxLimPctEna" },
    back: { enabled: "WMaxLimPctEnaRvrt", value: "WMaxLimPctRvrt", to: "WMaxLimPct" },
  },
  { model: 123, seconds: "WMaxLimPct_RvrtTms", enabled: "WMaxLim_Ena" },
  { model: 124, seconds: "InOutWRte_RvrtTms", enabled: "StorCtl_Mod" },
];

const START: ReadonlyMap<number, SimulatedValues> = new Map([
  [
    123,
    {
      ...{ Conn: 1, Conn_RvrtTms: 0, WMaxLimPct: 100, WMaxLimPct_RvrtTms: 0, WMaxLimPct_RmpTms: 0 },
      WMaxLim_Ena: 0,
    },
  ],
  [
    124,
    {
      ...{ WChaMax: SUITE.rateW, StorCtl_Mod: 0, MinRsvPct: 10, OutWRte: 100, InWRte: 100 },
      ...{ InOutWRte_RvrtTms: 0, InOutWRte_RmpTms: 0, ChaGriSet: 1 },
    },
  ],
  [
    704,
    {
      ...{ WMaxLimPctEna: 0, WMaxLimPct: 100, WMaxLimPctRvrt: 100, WMaxLimPctEnaRvrt: 0 },
      ...{ WMaxLimPctRvrtTms: 0, WMaxLimPctRvrtRem: 0, WSetEna: 0, WSetMod: 1, WSet: 0, WSetRvrt: 0 },
      ...{ WSetEnaRvrt: 0, WSetRvrtTms: 0, WSetRvrtRem: 0, WRmp: 30 },
    },
  ],
]);

/** Registers that a SunSpec device takes commands in, and what they do to its site; its reader shares no code with it. */
export class SunSpecCommands {
  readonly #values = new Map<number, Map<string, number>>();
  readonly #deadlines = new Map<Timer, number>();
  readonly #steering = new DelayedSteering();
  #faults: ReadonlySet<SimulatedControlFault> = new Set();

  constructor(models: readonly number[], start: ReadonlyMap<number, SimulatedValues> = new Map()) {
    for (const model of models) {
      const values = { ...START.get(model), ...start.get(model) };
      this.#values.set(model, new Map(Object.entries(values).map(([name, value]) => [name, Number(value)])));
    }
  }

  setFaults(faults: readonly SimulatedControlFault[], nowMs: number): void {
    this.#faults = new Set(faults);
    this.#tell(nowMs);
  }

  /** A model as it reads now. */
  model(id: number, nowMs: number, more: SimulatedValues = {}): SimulatedModel {
    this.expire(nowMs);
    const values = Object.fromEntries(this.#values.get(id) ?? []);
    const running = TIMERS.filter(({ model, back }) => model === id && back !== undefined).map(
      (timer) => [timer.seconds.replace(/Tms$/, "Rem"), this.#left(timer, nowMs)] as const,
    );
    const wrong = this.#faults.has("wrong-readback") ? this.#wrong(values) : {};
    const all = { ...values, ...Object.fromEntries(running), ...wrong, ...more };
    return { id, values: all, scales: scalesOf(id) };
  }

  /** Writes words of a model, from its first point on. Gives the exception that they are refused with. */
  write(id: number, offset: number, words: readonly number[], nowMs: number): number | undefined {
    this.expire(nowMs);
    const writable = WRITABLE.get(id) ?? [];
    const slots = slotsOf(id).filter(
      (slot) => slot.offset < offset + words.length && slot.offset + slot.width > offset,
    );
    if (slots.length === 0 || !slots.every(({ name }) => writable.includes(name))) return ILLEGAL_ADDRESS;
    const whole = slots.every(
      (slot) => slot.offset >= offset && slot.offset + slot.width <= offset + words.length,
    );
    if (!whole) return ILLEGAL_VALUE;
    const values = slots.map(({ name, type, offset: from, width }) => {
      const bits = words
        .slice(from - offset, from - offset + width)
        .reduce((sum, word) => sum * 65_536 + word, 0);
      const size = 65_536 ** width;
      const raw = type.startsWith("i") && bits >= size / 2 ? bits - size : bits;
      return [name, raw * 10 ** (EXPONENTS[name] ?? 0)] as const;
    });
    if (values.some(([name, value]) => isBeyond(name, value))) return ILLEGAL_VALUE;
    for (const [name, value] of values) this.#set(id, name, this.#clamped(name, value));
    this.#startTimers(
      id,
      values.map(([name]) => name),
      nowMs,
    );
    this.#tell(nowMs);
    return undefined;
  }

  /** Ends what is over. */
  expire(nowMs: number): void {
    for (const [timer, deadline] of this.#deadlines) {
      if (nowMs < deadline || this.#faults.has("forgets-timer")) continue;
      this.#deadlines.delete(timer);
      const { model, enabled, back } = timer;
      this.#set(model, enabled, back === undefined ? 0 : this.#get(model, back.enabled));
      if (back !== undefined && this.#get(model, back.enabled) === 1)
        this.#set(model, back.to, this.#get(model, back.value));
      this.#tell(deadline);
    }
  }

  /** What the site is told at an instant. */
  at(nowMs: number): Steering {
    this.expire(nowMs);
    const limit = this.#faults.has("bms-limit") ? { managementMw: BATTERY.limitMw / MANAGEMENT_PART } : {};
    return { ...this.#steering.at(nowMs), ...limit };
  }

  #tell(nowMs: number): void {
    const response = this.#faults.has("obeys-late") ? RESPONSE_MS.late : RESPONSE_MS.usual;
    const told = this.#faults.has("ignores-command")
      ? {}
      : { ...this.#der(), ...this.#storage(), ...this.#output(), ...this.#reserve() };
    this.#steering.tell(nowMs, told, response);
  }

  /** Model 704 of a battery's inverter: positive is generation, which is discharge. */
  #der(): Steering {
    const limitMw = milli((this.#get(704, "WMaxLimPct") * SUITE.outputW) / 100);
    return {
      ...(this.#get(704, "WSetEna") === 1 ? { batteryMw: 0 - milli(this.#get(704, "WSet")) } : {}),
      ...(this.#get(704, "WMaxLimPctEna") === 1 ? { dischargeLimitMw: limitMw } : {}),
    };
  }

  #storage(): Steering {
    const mode = this.#get(124, "StorCtl_Mod");
    const rate = (name: string): number => milli((this.#get(124, name) * SUITE.rateW) / 100);
    const seconds = this.#get(124, "InOutWRte_RmpTms");
    const chargeLimitMw = mode % 2 === 1 ? { chargeLimitMw: rate("InWRte") } : {};
    const dischargeLimitMw = mode >= 2 ? { dischargeLimitMw: rate("OutWRte") } : {};
    const ramp = seconds > 0 ? { rampMwPerS: Math.floor(milli(2 * SUITE.rateW) / seconds) } : {};
    return { ...chargeLimitMw, ...dischargeLimitMw, ...ramp };
  }

  #output(): Steering {
    if (this.#get(123, "WMaxLim_Ena") !== 1) return {};
    return { generationLimitMw: milli((this.#get(123, "WMaxLimPct") * SUITE.outputW) / 100) };
  }

  #reserve(): Steering {
    const percent = this.#values.get(802)?.get("SoCRsvMin") ?? this.#values.get(124)?.get("MinRsvPct");
    return percent === undefined ? {} : { reservePpm: Math.round(percent * 10_000) };
  }

  #startTimers(id: number, written: readonly string[], nowMs: number): void {
    for (const timer of TIMERS) {
      if (timer.model !== id || !written.some((name) => name === timer.seconds || name === timer.enabled))
        continue;
      const seconds = this.#get(id, timer.seconds);
      if (seconds > 0 && this.#get(id, timer.enabled) !== 0)
        this.#deadlines.set(timer, nowMs + seconds * 1000);
      else this.#deadlines.delete(timer);
    }
  }

  #left(timer: Timer, nowMs: number): number {
    const deadline = this.#deadlines.get(timer);
    return deadline === undefined ? 0 : Math.max(0, Math.ceil((deadline - nowMs) / 1000));
  }

  #wrong(values: Readonly<Record<string, number>>): SimulatedValues {
    const asked = ["WSet", "WMaxLimPct", "InWRte", "SoCRsvMin", "MinRsvPct"];
    return Object.fromEntries(
      Object.entries(values).flatMap(([name, value]) => (asked.includes(name) ? [[name, value - 20]] : [])),
    );
  }

  #clamped(name: string, value: number): number {
    const isAsked = ["WSet", "WMaxLimPct", "InWRte", "OutWRte", "SoCRsvMin", "MinRsvPct"].includes(name);
    return isAsked && this.#faults.has("clamps-silently") ? value / 2 : value;
  }

  #get(model: number, name: string): number {
    return this.#values.get(model)?.get(name) ?? 0;
  }

  #set(model: number, name: string, value: number): void {
    this.#values.get(model)?.set(name, value);
  }
}

interface Slot {
  readonly name: string;
  readonly type: string;
  readonly offset: number;
  readonly width: number;
}

/** Points of a model with their places, from the order in its table. */
function slotsOf(id: number): readonly Slot[] {
  let offset = 0;
  const words = (SIMULATED_TABLES.get(id)?.points ?? "").trim().split(/\s+/);
  return words.map((word) => {
    const [name = "", rest = ""] = word.split(":");
    const [type = ""] = rest.split("@");
    const slot = { name, type, offset, width: REGISTERS[type] ?? 1 };
    offset += slot.width;
    return slot;
  });
}

function scalesOf(id: number): Readonly<Record<string, number>> {
  const own = (SIMULATED_TABLES.get(id)?.points ?? "").match(/\w+(?=:sf)/g) ?? [];
  return Object.fromEntries(
    own.flatMap((name) => (name in COMMAND_SCALES ? [[name, COMMAND_SCALES[name] ?? 0]] : [])),
  );
}

/** What no device takes: more than all of something. */
function isBeyond(name: string, value: number): boolean {
  if (name === "OutWRte" || name === "InWRte") return Math.abs(value) > 100;
  return /Pct$|PctRvrt$|RsvMin$/.test(name) && value > 100;
}

function milli(watts: number): number {
  return Math.round(watts) * 1000;
}
