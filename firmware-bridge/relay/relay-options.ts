import { z } from "zod";
import type { OutputLine } from "../gpio/line.ts";
import { chipOption, offsetOption } from "../gpio/line-options.ts";
import type { HeldOutputSettings } from "./holder-messages.ts";
import type { PositionTimes } from "./output-rules.ts";
import type { RelayStates } from "./relay.ts";
import type { RelayMeaning } from "./relay-surface.ts";
import { SG_READY, SG_READY_STATES, sgReadyTimes } from "./sg-ready.ts";

const OPEN = 0;
const CLOSED = 1;
const MS_PER_S = 1000;
const MW_PER_W = 1000;
/** Rather too long than too short: the figure of the load's maker goes into the configuration. */
const LEAST_S = 600;

const seconds = z.int().min(0).max(3600).default(LEAST_S);
const contact = z.enum(["open", "closed"]).default("open");

/** The section `relay` of a device. */
export const relaySchema: z.ZodType<RelayOptions> = z
  .strictObject({
    use: z
      .enum(["switch", "inhibit", "sg-ready"])
      .describe("switch: the load runs when closed; inhibit: it may not when closed; sg-ready: a heat pump"),
    lines: z
      .array(
        z.strictObject({
          chip: chipOption,
          line: offsetOption,
          activeLow: z.boolean().default(false).describe("the contact closes when the line is low"),
          drive: z
            .enum(["push-pull", "open-drain", "open-source"])
            .default("push-pull")
            .describe("how the line drives: both levels, only low, or only high"),
        }),
      )
      .min(1)
      .max(2)
      .describe("the contacts: two of sg-ready, else one"),
    powerW: z.int().min(1).max(1_000_000).describe("what the load takes at the most, as its plate says"),
    orderedStart: z
      .boolean()
      .default(false)
      .describe("sg-ready: a setpoint of all the power is state 4, and one of none state 1"),
    leastOpenSeconds: seconds.describe("of sg-ready: least time in every state"),
    leastClosedSeconds: seconds.describe("not of sg-ready"),
    onExit: contact.describe("when the agent ends; sg-ready: always open"),
    onLoss: contact.describe("when the agent is lost; sg-ready: always open"),
    silenceSeconds: z.int().min(5).max(300).default(30).describe("an agent silent for so long is lost"),
  })
  .refine(({ use, lines }) => lines.length === (use === "sg-ready" ? 2 : 1), {
    path: ["lines"],
    message: "expected two lines of sg-ready, one of everything else",
  })
  .refine(({ lines }) => new Set(lines.map(({ chip, line }) => `${chip} ${line}`)).size === lines.length, {
    path: ["lines"],
    message: "expected two different lines",
  })
  // What would be ignored is said, because somebody relies on it.
  .refine(({ use, onExit }) => use !== "sg-ready" || onExit === "open", {
    path: ["onExit"],
    message: "expected open, which both contacts of sg-ready are when the agent ends",
  })
  .refine(({ use, onLoss }) => use !== "sg-ready" || onLoss === "open", {
    path: ["onLoss"],
    message: "expected open, which both contacts of sg-ready are when the agent is lost",
  })
  .refine(({ use, orderedStart }) => use === "sg-ready" || !orderedStart, {
    path: ["orderedStart"],
    message: "expected sg-ready, which alone has it, in use",
  });

/** What the section says, checked. */
export interface RelayOptions {
  readonly use: "switch" | "inhibit" | "sg-ready";
  readonly lines: readonly OutputLine[];
  readonly powerW: number;
  readonly orderedStart: boolean;
  readonly leastOpenSeconds: number;
  readonly leastClosedSeconds: number;
  readonly onExit: "open" | "closed";
  readonly onLoss: "open" | "closed";
  readonly silenceSeconds: number;
}

/** What the holding process is told of the output, and what its positions mean as power. */
export interface RelayPlan {
  readonly output: HeldOutputSettings;
  readonly silenceMs: number;
  readonly powerMw: number;
  readonly meanings: readonly RelayMeaning[];
}

/** The one output of a device is called `relay`. */
export function relayPlan(options: RelayOptions): RelayPlan {
  const { lines, powerW, silenceSeconds } = options;
  const output = { name: "relay", lines, states: statesOf(options), times: timesOf(options) };
  const plan = { output, silenceMs: silenceSeconds * MS_PER_S, powerMw: powerW * MW_PER_W };
  return { ...plan, meanings: meaningsOf(options) };
}

/** Nobody commands it: a load that is switched on is off, and one that is inhibited may run. */
function statesOf({ use, onExit, onLoss }: RelayOptions): RelayStates {
  if (use === "sg-ready") return SG_READY_STATES;
  const position = (word: "open" | "closed"): number => (word === "closed" ? CLOSED : OPEN);
  return { onStart: OPEN, onExit: position(onExit), onLoss: position(onLoss) };
}

function timesOf({ use, leastOpenSeconds, leastClosedSeconds }: RelayOptions): readonly PositionTimes[] {
  if (use === "sg-ready") return sgReadyTimes(leastOpenSeconds * MS_PER_S);
  return [{ leastMs: leastOpenSeconds * MS_PER_S }, { leastMs: leastClosedSeconds * MS_PER_S }];
}

function meaningsOf({ use, orderedStart }: RelayOptions): readonly RelayMeaning[] {
  if (use === "switch") return [{ kind: "powerSetpoint", none: OPEN, all: CLOSED }];
  if (use === "inhibit") return [{ kind: "importLimit", none: CLOSED, all: OPEN }];
  const block: RelayMeaning = { kind: "importLimit", none: SG_READY.blocked, all: SG_READY.normal };
  const advise: RelayMeaning = { kind: "mode", mode: "advised", position: SG_READY.advised };
  if (!orderedStart) return [block, advise];
  return [block, { kind: "powerSetpoint", none: SG_READY.blocked, all: SG_READY.ordered }, advise];
}
