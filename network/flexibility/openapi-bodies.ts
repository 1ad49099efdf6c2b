import { LEAST_STEPS, MOST_STEPS } from "../../attest/flexibility/orders.ts";
import { listOf, objectOf } from "../http/openapi-parts.ts";
import { ORDER_STATES } from "./order-record.ts";

/** What the routes about flexibility take and answer, as the OpenAPI document describes it. */

const TEXT = { type: "string" };
const INTEGER = { type: "integer" };
const COUNT = { type: "integer", minimum: 0 };
const TRUTH = { type: "boolean" };
const TIME = { type: ["string", "integer"], description: "ISO 8601 with zone, or ms since 1970" };
const CHANNEL = { type: ["string", "integer"], description: "name or number" };
const DAYS = listOf({ type: "string", format: "date" });
const HEX16 = { type: "string", pattern: "^[0-9a-f]{32}$" };
const HEX32 = { type: "string", pattern: "^[0-9a-f]{64}$" };
const RAMP = { type: "integer", minimum: 1 };

function strict(properties: Readonly<Record<string, object>>, required: readonly string[]): object {
  const optional = Object.keys(properties).filter((name) => !required.includes(name));
  return { ...objectOf(properties, optional), additionalProperties: false };
}

export const COMMITMENT: object = strict(
  {
    ...{ channel: CHANNEL, boundary: { enum: ["device", "site"], default: "device" } },
    ...{ direction: { enum: ["reduce", "increase"] }, from: TIME },
    deltaMwh: { type: "array", minItems: 1, maxItems: 100, items: INTEGER },
    ...{ baselineMethod: TEXT, timeZone: TEXT, noticeSeconds: { ...COUNT, maximum: 604_800 } },
    ...{ holidays: DAYS, excludedDays: DAYS, offer: COUNT, expires: TIME },
  },
  ["channel", "direction", "from", "deltaMwh", "baselineMethod", "timeZone", "noticeSeconds"],
);
export const DISPATCH: object = strict(
  {
    ...{ channel: CHANNEL, commitment: HEX16, from: TIME, to: TIME, powerMw: INTEGER },
    ...{
      importLimitMw: COUNT,
      exportLimitMw: COUNT,
      rampMwPerSecond: RAMP,
      supersedes: HEX16,
      expires: TIME,
    },
  },
  ["from", "to"],
);
export const CALL: object = strict(
  {
    ...{ channel: CHANNEL, powerMw: { anyOf: [INTEGER, listOf(INTEGER)] }, follow: { const: true } },
    rampMwPerSecond: RAMP,
  },
  [],
);
export const CHALLENGE: object = strict(
  {
    ...{ channel: CHANNEL, siteChannel: CHANNEL, stepSeconds: RAMP, midMw: INTEGER, halfSwingMw: RAMP },
    steps: { type: "integer", minimum: LEAST_STEPS, maximum: MOST_STEPS, multipleOf: 2 },
    startBy: TIME,
  },
  ["channel"],
);

const COMMON = {
  ...{ id: HEX16, digest: HEX32, kind: TEXT, state: { enum: ORDER_STATES }, issued: TEXT, expires: TEXT },
  ...{ epoch: COUNT, random: TRUTH, channel: COUNT },
};
const SOMETIMES = { code: TEXT, message: TEXT, sent: TEXT, seq: COUNT };
const SETTLED = objectOf(
  {
    ...{ result: TEXT, counts: TRUTH, computed: TEXT, totals: { type: "object" }, completenessPpm: COUNT },
    ...{ verdict: { type: "object" }, code: TEXT, message: TEXT },
  },
  ["totals", "completenessPpm", "verdict", "code", "message"],
);
const JUDGED = objectOf({ passed: TRUTH, verdict: { type: "object" }, computed: TEXT });
const SAID = objectOf({ seq: COUNT, state: TEXT, time: TEXT, reason: TEXT }, ["reason"]);

function described(
  always: Readonly<Record<string, object>>,
  sometimes: Readonly<Record<string, object>>,
): object {
  const optional = { ...SOMETIMES, ...sometimes };
  return objectOf({ ...COMMON, ...always, ...optional }, Object.keys(optional));
}

const DISPATCH_VALUES = {
  ...{
    commitment: HEX16,
    powerMw: INTEGER,
    importLimitMw: COUNT,
    exportLimitMw: COUNT,
    rampMwPerSecond: COUNT,
  },
  withdraws: HEX16,
};
export const DISPATCH_ORDER: object = described(
  { from: TEXT, to: TEXT, acknowledgements: listOf(SAID) },
  DISPATCH_VALUES,
);
export const COMMITMENT_ORDER: object = described(
  {
    ...{ boundary: TEXT, direction: TEXT, from: TEXT, to: TEXT, intervalSeconds: { type: "number" } },
    ...{ deltaMwh: listOf(INTEGER), baselineMethod: TEXT, timeZone: TEXT, noticeSeconds: { type: "number" } },
  },
  {
    ...{ holidays: DAYS, excludedDays: DAYS, offer: COUNT, settlementSeq: COUNT, result: SETTLED },
    ...{ dispatches: listOf(DISPATCH_ORDER), list: TEXT },
  },
);
export const CHALLENGE_ORDER: object = described(
  {
    ...{ steps: COUNT, stepSeconds: { type: "number" }, midMw: INTEGER, halfSwingMw: COUNT, startBy: TEXT },
    ...{ nonce: HEX32, acknowledgements: listOf(SAID) },
  },
  { siteChannel: COUNT, result: JUDGED },
);
